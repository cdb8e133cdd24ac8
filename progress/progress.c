#include "progress/internal.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "progress/ticker.h"

double progress_elapsed(const struct progress *p)
{
	return p->env.now_sec(p->env.arg) - p->begun_sec;
}

size_t progress_count_open(const struct progress *p)
{
	size_t n = 0;

	vec_each (v, &p->vertices)
		n += (*v)->state == VERTEX_OPEN;
	return n;
}

/* ---- the world ---- */

static double clock_sec(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double real_now_sec(void *arg)
{
	(void)arg;
	return clock_sec(CLOCK_MONOTONIC);
}

static struct term_size real_size(void *arg)
{
	(void)arg;
	return term_size(STDERR_FILENO);
}

/* Lines for those who mend kiln go to the same terminal: nothing is drawn between them. */
static struct progress_env real_env(void)
{
	return (struct progress_env){
		.fd = STDERR_FILENO,
		.now_sec = real_now_sec,
		.size = real_size,
		.wall_sec = clock_sec(CLOCK_REALTIME),
		.can_draw = term_can_draw(STDERR_FILENO) && !log_is_debug(),
		.has_colour = term_has_colour(),
		.is_utf8 = term_is_utf8(),
		.has_timer = true,
	};
}

/* ---- beginning and end ---- */

static void add_renderer(struct progress *p, struct renderer *r)
{
	r->progress = p;
	p->renderers[p->n_renderers++] = r;
}

static int add_display(struct progress *p, const char *mode, struct err **e)
{
	int fd = p->env.fd;

	if (streq(mode, "json"))
		add_renderer(p, events_new(fd));
	else if (streq(mode, "quiet"))
		add_renderer(p, plain_new(fd, false, true));
	else if (streq(mode, "plain"))
		add_renderer(p, plain_new(fd, false, false));
	else if (streq(mode, "auto") || streq(mode, "tty"))
		add_renderer(p, p->env.can_draw ? tty_new() : plain_new(fd, false, false));
	else
		return err_set(e, ERR_USAGE,
			       "--progress takes auto, tty, plain, json or quiet, not \"%s\"",
			       mode);
	return 0;
}

static int add_log(struct progress *p, const char *path, struct err **e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "opening the build log %s", path);
	add_renderer(p, plain_new(fd, true, false));
	return 0;
}

static void tick(void *arg)
{
	progress_tick(arg);
}

static int start_ticker(struct progress *p, struct err **e)
{
	bool is_wanted = false;

	for (size_t i = 0; i < p->n_renderers; i++)
		is_wanted |= p->renderers[i]->ops->tick != NULL;
	return is_wanted && p->env.has_timer
		       ? ticker_new(PROGRESS_TICK_MS, tick, p, &p->ticker, e)
		       : 0;
}

int progress_open_in(const struct progress_env *env, const struct progress_opts *o,
		     struct progress **ret, struct err **e)
{
	static atomic_uint_fast64_t last_serial;
	AUTO(progress) p = xcalloc(1, sizeof(*p));

	p->serial = ++last_serial;
	p->env = *env;
	p->cleanup = -1;
	p->doing = xstrdup(o->doing ? o->doing : "Building");
	p->begun_sec = env->now_sec(env->arg);
	pthread_mutex_init(&p->lock, NULL);
	if (add_display(p, o->mode, e) || (o->log_path && add_log(p, o->log_path, e)) ||
	    start_ticker(p, e)) {
		p->has_ended = true;
		return -1;
	}
	TELL(p, start);
	*ret = take(p);
	return 0;
}

static void cancel_open(struct progress *p)
{
	vec_each (v, &p->vertices)
		vertex_settle(*v, VERTEX_CANCELED);
}

/* Nobody has said which one failed: it is the one that was begun last. */
static void blame_open(struct progress *p)
{
	vec_each (v, &p->vertices)
		if ((*v)->state == VERTEX_FAILED)
			return;
	for (size_t i = p->vertices.n; i > 0; i--) {
		struct vertex *v = p->vertices.at[i - 1];

		if (v->state != VERTEX_OPEN)
			continue;
		v->is_inferred = true;
		vertex_settle(v, VERTEX_FAILED);
		return;
	}
}

static void finish(struct progress *p, const char *error_text)
{
	if (p->has_ended)
		return;
	cancel_open(p);
	TELL(p, finish, error_text);
	p->has_ended = true;
}

static void end(struct progress *p, const char *error_text)
{
	if (p->has_ended)
		return;
	blame_open(p);
	finish(p, error_text);
}

/* The process ends while the build's thread goes on: what is on the screen must be whole. That
 * thread may be stuck in a write to a stopped terminal, with the lock held. */
static void on_interrupt(void *arg)
{
	struct progress *p = arg;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	if (pthread_mutex_timedlock(&p->lock, &until))
		return;
	finish(p, "interrupted");
	pthread_mutex_unlock(&p->lock);
}

int progress_open(const struct progress_opts *o, struct progress **ret, struct err **e)
{
	struct progress_env env = real_env();

	if (progress_open_in(&env, o, ret, e))
		return -1;
	(*ret)->cleanup = interrupt_push(on_interrupt, *ret);
	return 0;
}

int progress_new(const char *mode, const char *log_path, struct progress **ret, struct err **e)
{
	return progress_open(&(struct progress_opts){ .mode = mode, .log_path = log_path }, ret,
			     e);
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	interrupt_pop(p->cleanup);
	ticker_free(p->ticker);
	if (progress_count_open(p))
		end(p, "it was not completed");
	finish(p, NULL);
	for (size_t i = 0; i < p->n_renderers; i++)
		p->renderers[i]->ops->free(p->renderers[i]);
	vec_each (v, &p->vertices)
		vertex_free(*v);
	vec_release(&p->vertices);
	pthread_mutex_destroy(&p->lock);
	free(p->doing);
	free(p);
}

void progress_tick(struct progress *p)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; !p->has_ended && !p->is_paused && i < p->n_renderers; i++)
		if (p->renderers[i]->ops->tick)
			p->renderers[i]->ops->tick(p->renderers[i]);
	pthread_mutex_unlock(&p->lock);
}

void progress_pause(struct progress *p, bool is_paused)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; !p->has_ended && is_paused && i < p->n_renderers; i++)
		if (p->renderers[i]->ops->pause)
			p->renderers[i]->ops->pause(p->renderers[i]);
	p->is_paused = is_paused;
	pthread_mutex_unlock(&p->lock);
}

/* ---- words ---- */

void progress_warn(struct progress *p, const char *fmt, ...)
{
	autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = progress_visible(fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&p->lock);
	TELL(p, warn, text);
	pthread_mutex_unlock(&p->lock);
}

void progress_block(struct progress *p, const char *text)
{
	pthread_mutex_lock(&p->lock);
	TELL(p, block, text);
	pthread_mutex_unlock(&p->lock);
}

void progress_hint(struct progress *p, const char *command)
{
	pthread_mutex_lock(&p->lock);
	TELL(p, hint, command);
	pthread_mutex_unlock(&p->lock);
}

void progress_expect(struct progress *p, size_t n_more)
{
	pthread_mutex_lock(&p->lock);
	p->n_expected = p->vertices.n + n_more;
	TELL(p, expect, p->n_expected);
	pthread_mutex_unlock(&p->lock);
}

void progress_end(struct progress *p, const char *error_text)
{
	pthread_mutex_lock(&p->lock);
	end(p, error_text);
	pthread_mutex_unlock(&p->lock);
}
