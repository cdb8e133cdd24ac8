#include "builder/images.h"

#include <pthread.h>

enum image_state { IMAGE_WAITS, IMAGE_RUNS, IMAGE_DONE };

struct image {
	char *name;
	enum image_state state; /* under the lock, as all below */
	struct base *base;      /* or */
	struct err *why;        /* it can't be had, and */
	struct vertex *vertex;  /* is shown here */
};

struct images {
	struct store *store;
	struct image_opts opts;
	struct progress *progress;
	struct cancel cancel;
	pthread_t threads[IMAGES_AT_ONCE];
	size_t n_threads;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	VEC(struct image *) at;
};

struct images *images_new(struct store *s, const struct image_opts *o, struct progress *p)
{
	struct images *all = xcalloc(1, sizeof(*all));

	all->store = s;
	all->opts = *o;
	all->opts.cancel = &all->cancel;
	all->progress = p;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->changed, NULL);
	return all;
}

static void stop(struct images *all)
{
	cancel_set(&all->cancel);
	for (; all->n_threads; all->n_threads--)
		pthread_join(all->threads[all->n_threads - 1], NULL);
}

void images_free(struct images *all)
{
	if (!all)
		return;
	stop(all);
	vec_each (image, &all->at) {
		free((*image)->name);
		base_free((*image)->base);
		err_free((*image)->why);
		free(*image);
	}
	vec_release(&all->at);
	pthread_cond_destroy(&all->changed);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

/* With the lock held; NULL if nobody has named it. */
static struct image *find(struct images *all, const char *name)
{
	vec_each (image, &all->at)
		if (streq((*image)->name, name))
			return *image;
	return NULL;
}

static struct image *add(struct images *all, const char *name)
{
	struct image *image = xcalloc(1, sizeof(*image));

	image->name = xstrdup(name);
	vec_push(&all->at, image);
	return image;
}

/* With the lock held, which it lets go meanwhile. */
static void resolve(struct images *all, struct image *image)
{
	struct err *why = NULL;
	struct base *base = NULL;

	image->state = IMAGE_RUNS;
	pthread_mutex_unlock(&all->lock);
	if (base_resolve(all->store, image->name, &all->opts, all->progress, &base, &why) &&
	    cancel_is_set(&all->cancel))
		progress_canceled(all->progress);
	pthread_mutex_lock(&all->lock);
	image->base = base;
	image->why = why;
	image->vertex = why ? progress_current(all->progress) : NULL;
	image->state = IMAGE_DONE;
	pthread_cond_broadcast(&all->changed);
}

static struct image *next_waiting(struct images *all)
{
	vec_each (image, &all->at)
		if ((*image)->state == IMAGE_WAITS && !cancel_is_set(&all->cancel))
			return *image;
	return NULL;
}

static void *work(void *arg)
{
	struct images *all = arg;
	struct image *image;

	pthread_mutex_lock(&all->lock);
	while ((image = next_waiting(all)))
		resolve(all, image);
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

/* One alone needs no thread: the caller asks for it at once. So do all, if there can be none.
 */
void images_expect(struct images *all, const struct strv *names)
{
	size_t n_new = 0;

	pthread_mutex_lock(&all->lock);
	for (size_t i = 0; i < names->n; i++) {
		if (find(all, names->at[i]))
			continue;
		add(all, names->at[i]);
		n_new++;
	}
	for (; n_new > 1 && all->n_threads < n_new && all->n_threads < IMAGES_AT_ONCE;
	     all->n_threads++)
		if (pthread_create(&all->threads[all->n_threads], NULL, work, all))
			break;
	pthread_mutex_unlock(&all->lock);
}

/* The one that is asked for is the one to blame. */
static int failed(struct images *all, const struct image *image, struct err **e)
{
	stop(all);
	vec_each (other, &all->at)
		if (*other != image && (*other)->vertex)
			vertex_canceled((*other)->vertex);
	*e = err_copy(image->why);
	return -1;
}

int images_get(struct images *all, const char *name, struct base **ret, struct err **e)
{
	struct image *image;

	pthread_mutex_lock(&all->lock);
	image = find(all, name);
	if (!image)
		image = add(all, name);
	if (image->state == IMAGE_WAITS)
		resolve(all, image);
	while (image->state != IMAGE_DONE)
		pthread_cond_wait(&all->changed, &all->lock);
	pthread_mutex_unlock(&all->lock);
	if (image->why)
		return failed(all, image, e);
	*ret = base_share(image->base);
	return 0;
}
