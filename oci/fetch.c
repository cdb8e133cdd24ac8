/*
 * fetch.c - brings the layers of an image: from a registry into blob_dir, several at a time;
 * those of a layout stay where they are.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "oci/blobs.h"
#include "oci/layout.h"
#include "oci/registry.h"

enum { WORKERS_MAX = 4, PROGRESS_EVERY_MS = 100 };

struct job {
	const struct oci_layer *layer;
	int64_t done_bytes;  /* under the lock of the fetch */
	int64_t shown_bytes; /* the caller's thread only */
};

struct fetch {
	const struct oci_opts *o;
	struct registry *registry;
	atomic_bool is_stopped;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	VEC(struct job) jobs; /* fixed while workers run */
	size_t n_taken;
	size_t n_running;   /* workers */
	struct err *failed; /* the first failure */
};

/* A blob on its way from the network into blob_dir. */
struct arrival {
	struct fetch *fetch;
	struct job *job;
	struct blob_writer *writer;
};

static int arrival_add(void *arg, const void *bytes, size_t n, struct err **e)
{
	struct arrival *a = arg;

	if (blob_writer_add(a->writer, bytes, n, e))
		return -1;
	pthread_mutex_lock(&a->fetch->lock);
	a->job->done_bytes += (int64_t)n;
	pthread_mutex_unlock(&a->fetch->lock);
	return 0;
}

static int fetch_blob(struct fetch *f, struct http *h, struct job *job, struct err **e)
{
	const struct oci_layer *layer = job->layer;
	AUTO(blob_writer) writer = NULL;
	struct arrival arrival = { .fetch = f, .job = job };

	if (blob_writer_new(f->o->blob_dir, layer->digest, layer->size_bytes, &writer, e))
		return -1;
	arrival.writer = writer;
	if (registry_get_blob(f->registry, h, layer->digest,
			      &(struct http_sink){ .add = arrival_add, .arg = &arrival }, e))
		return -1;
	return blob_writer_end(writer, e);
}

static struct job *take_job(struct fetch *f)
{
	struct job *job = NULL;

	pthread_mutex_lock(&f->lock);
	if (!f->is_stopped && f->n_taken < f->jobs.n)
		job = &f->jobs.at[f->n_taken++];
	pthread_mutex_unlock(&f->lock);
	return job;
}

/* Takes why; what fails after the first failure only fails because of it. */
static void stop(struct fetch *f, struct err *why)
{
	pthread_mutex_lock(&f->lock);
	f->is_stopped = true;
	if (f->failed)
		err_free(why);
	else
		f->failed = why;
	pthread_mutex_unlock(&f->lock);
}

static bool is_stopped(void *arg)
{
	struct fetch *f = arg;

	return f->is_stopped;
}

static void *work(void *arg)
{
	struct fetch *f = arg;
	struct http_opts opts = { .stall_sec = f->o->stall_sec,
				  .is_stopped = is_stopped,
				  .arg = f };
	AUTO(http) h = http_new(&opts);
	struct job *job;

	while ((job = take_job(f))) {
		struct err *why = NULL;

		if (fetch_blob(f, h, job, &why)) {
			err_wrap(&why, "layer %s", job->layer->digest);
			stop(f, why);
		}
	}
	pthread_mutex_lock(&f->lock);
	f->n_running--;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

static void show(const struct oci_opts *o, const struct oci_layer *layer, int64_t done_bytes)
{
	if (o->progress)
		o->progress(o->arg, layer->digest, done_bytes, layer->size_bytes);
}

static void show_changes(struct fetch *f)
{
	for (size_t i = 0; i < f->jobs.n; i++) {
		struct job *job = &f->jobs.at[i];
		int64_t done_bytes;

		pthread_mutex_lock(&f->lock);
		done_bytes = job->done_bytes;
		pthread_mutex_unlock(&f->lock);
		if (done_bytes == job->shown_bytes)
			continue;
		job->shown_bytes = done_bytes;
		show(f->o, job->layer, done_bytes);
	}
}

/* Shows progress until the last worker has ended. */
static void watch(struct fetch *f)
{
	bool is_running = true;

	while (is_running) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_EVERY_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_mutex_lock(&f->lock);
		if (f->n_running)
			pthread_cond_timedwait(&f->changed, &f->lock, &until);
		is_running = f->n_running > 0;
		pthread_mutex_unlock(&f->lock);
		show_changes(f);
	}
}

static int run_workers(struct fetch *f, struct err **e)
{
	pthread_t workers[WORKERS_MAX];
	size_t n = 0, wanted = f->jobs.n < WORKERS_MAX ? f->jobs.n : WORKERS_MAX;
	int failed = 0;

	while (n < wanted && !failed) {
		pthread_mutex_lock(&f->lock);
		failed = pthread_create(&workers[n], NULL, work, f);
		if (!failed)
			f->n_running++;
		pthread_mutex_unlock(&f->lock);
		n += !failed;
	}
	if (n == 0) {
		errno = failed;
		return err_sys(e, "starting a thread");
	}
	watch(f);
	for (size_t i = 0; i < n; i++)
		pthread_join(workers[i], NULL);
	if (f->failed) {
		*e = take(f->failed);
		return -1;
	}
	return 0;
}

static bool has_job(const struct fetch *f, const char *digest)
{
	vec_each (job, &f->jobs)
		if (streq(job->layer->digest, digest))
			return true;
	return false;
}

/* A job for each blob that isn't there, once. */
static void plan(struct fetch *f, const struct oci_image *image)
{
	vec_each (layer, &image->layers) {
		struct job job = { .layer = layer };

		if (blob_exists(f->o->blob_dir, layer->digest, layer->size_bytes))
			show(f->o, layer, layer->size_bytes);
		else if (!has_job(f, layer->digest))
			vec_push(&f->jobs, job);
	}
}

static int fetch_from_registry(struct oci_image *image, const struct oci_ref *ref,
			       const struct oci_opts *o, struct err **e)
{
	AUTO(registry) registry = registry_new(ref);
	struct fetch f = { .o = o,
			   .registry = registry,
			   .lock = PTHREAD_MUTEX_INITIALIZER,
			   .changed = PTHREAD_COND_INITIALIZER };
	int failed;

	blob_sweep(o->blob_dir);
	plan(&f, image);
	failed = f.jobs.n ? run_workers(&f, e) : 0;
	vec_each (layer, &image->layers) {
		if (failed)
			break;
		free(layer->path);
		layer->path = blob_path(o->blob_dir, layer->digest);
		layer->is_verified = has_job(&f, layer->digest);
	}
	vec_release(&f.jobs);
	return failed;
}

static int take_from_layout(struct oci_image *image, const char *dir, const struct oci_opts *o,
			    struct err **e)
{
	vec_each (layer, &image->layers)
		if (layout_check_blob(dir, layer->digest, layer->size_bytes, e))
			return -1;
	vec_each (layer, &image->layers) {
		free(layer->path);
		layer->path = layout_blob_path(dir, layer->digest);
		layer->is_verified = false;
		show(o, layer, layer->size_bytes);
	}
	return 0;
}

int oci_fetch(struct oci_image *image, const struct oci_opts *o, struct err **e)
{
	AUTO(oci_ref) ref = NULL;
	int failed;

	if (oci_ref_parse(image->name, &ref, e))
		return -1;
	failed = ref->kind == OCI_REF_LAYOUT ? take_from_layout(image, ref->dir, o, e)
					     : fetch_from_registry(image, ref, o, e);
	return failed ? err_wrap(e, "image %s", image->name) : 0;
}

int oci_recheck(struct oci_image *image, const struct oci_opts *o, struct err **e)
{
	int n_removed = 0;

	vec_each (layer, &image->layers) {
		autofree char *path = blob_path(o->blob_dir, layer->digest);
		int ok;

		free(take(layer->path));
		if (layer->is_verified ||
		    !blob_exists(o->blob_dir, layer->digest, layer->size_bytes))
			continue;
		ok = blob_check(path, layer->digest, e);
		if (ok < 0)
			return -1;
		if (!ok && unlink(path))
			return err_sys(e, "removing %s", path);
		n_removed += !ok;
	}
	return n_removed;
}
