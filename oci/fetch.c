/*
 * fetch.c - brings the layers of an image: from a registry, several at a time, into blob_dir or
 * straight to who reads them; local ones stay where they are.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "oci/blobs.h"
#include "oci/job.h"
#include "oci/local.h"

enum { WORKERS_MAX = 4, PROGRESS_EVERY_MS = 100 };

/* A layer and its reader. Two layers may be one blob. */
struct reading {
	struct job *job;
	struct flow_reader reader;
};

struct oci_fetch {
	struct oci_image *image;
	struct oci_opts o;
	struct registry *registry; /* NULL if all is local */
	atomic_bool is_stopped;
	struct job *jobs; /* fixed, like readings */
	size_t n_jobs;
	struct reading *readings; /* one per layer */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	VEC(pthread_t) threads;
	size_t n_running;   /* of them */
	struct err *failed; /* the first failure */
};

/* ---- threads ---- */

/* Takes why, NULL if it is no failure. What fails after the first time only fails because of
 * it. */
static void stop(struct oci_fetch *f, struct err *why)
{
	pthread_mutex_lock(&f->lock);
	if (f->is_stopped)
		err_free(why);
	else
		f->failed = why;
	f->is_stopped = true;
	for (size_t i = 0; f->failed && i < f->n_jobs; i++)
		flow_fail(f->jobs[i].flow, f->failed);
	for (size_t i = 0; i < f->n_jobs; i++)
		flow_stop(f->jobs[i].flow);
	pthread_mutex_unlock(&f->lock);
}

static void run_job(struct http *h, struct job *job)
{
	struct oci_fetch *f = job->fetch;
	struct err *why = NULL;

	if (job_run(job, h, &why))
		stop(f, why);
	pthread_mutex_lock(&f->lock);
	job->state = JOB_DONE;
	pthread_mutex_unlock(&f->lock);
}

/* The next one that nobody has begun, in order; under the lock. */
static struct job *next_job(struct oci_fetch *f)
{
	for (size_t i = 0; i < f->n_jobs && !f->is_stopped; i++) {
		if (f->jobs[i].state == JOB_WAITS) {
			f->jobs[i].state = JOB_RUNS;
			return &f->jobs[i];
		}
	}
	return NULL;
}

static bool is_stopped(void *arg)
{
	const struct oci_fetch *f = arg;

	return f->is_stopped || (f->o.is_stopped && f->o.is_stopped(f->o.stop_arg));
}

static void *work(void *arg)
{
	struct job *job = arg;
	struct oci_fetch *f = job->fetch;
	AUTO(http) h = registry_http(f->registry, is_stopped, f);

	while (job) {
		run_job(h, job);
		pthread_mutex_lock(&f->lock);
		job = next_job(f);
		if (!job)
			f->n_running--;
		pthread_cond_broadcast(&f->changed);
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

/* A thread that begins with this job, which is ours; under the lock. */
static int start_thread(struct oci_fetch *f, struct job *job, struct err **e)
{
	pthread_t thread;
	int failed = pthread_create(&thread, NULL, work, job);

	if (failed) {
		job->state = JOB_WAITS;
		errno = failed;
		return err_sys(e, "starting a thread");
	}
	vec_push(&f->threads, thread);
	f->n_running++;
	return 0;
}

static int start_threads(struct oci_fetch *f, struct err **e)
{
	struct job *job;
	int failed = 0;

	pthread_mutex_lock(&f->lock);
	while (f->n_running < WORKERS_MAX && (job = next_job(f)) && !failed)
		failed = start_thread(f, job, e);
	/* One is enough to get on. */
	if (failed && f->n_running) {
		err_drop(e);
		failed = 0;
	}
	pthread_mutex_unlock(&f->lock);
	return failed;
}

static void join_threads(struct oci_fetch *f)
{
	vec_each (thread, &f->threads)
		pthread_join(*thread, NULL);
	vec_release(&f->threads);
}

/* ---- progress ---- */

static void show(const struct oci_opts *o, const struct oci_layer *layer, int64_t done_bytes)
{
	const char *digest = layer->digest[0] ? layer->digest : layer->diff_id;

	if (o->progress)
		o->progress(o->arg, digest, done_bytes, layer->size_bytes);
}

void oci_fetch_show(struct oci_fetch *f)
{
	for (size_t i = 0; i < f->n_jobs; i++) {
		struct job *job = &f->jobs[i];
		int64_t done_bytes = job->done_bytes;

		if (done_bytes == job->shown_bytes)
			continue;
		job->shown_bytes = done_bytes;
		show(&f->o, job->layer, done_bytes);
	}
}

/* Shows progress until the last thread has ended. */
static void watch(struct oci_fetch *f)
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
		oci_fetch_show(f);
	}
}

/* ---- the whole ---- */

/* The job that brings this layer too, or NULL. */
static struct job *twin(struct oci_fetch *f, const struct oci_layer *layer)
{
	bool can_share = f->o.is_kept || layer->size_bytes <= FLOW_WINDOW_BYTES;

	for (size_t i = 0; i < f->n_jobs; i++)
		if (layer->digest[0] && streq(f->jobs[i].layer->digest, layer->digest) &&
		    (can_share || f->jobs[i].is_local))
			return &f->jobs[i];
	return NULL;
}

static struct job *add_job(struct oci_fetch *f, struct oci_layer *layer)
{
	struct job *job = &f->jobs[f->n_jobs++];

	*job = (struct job){ .fetch = f,
			     .layer = layer,
			     .o = &f->o,
			     .registry = f->registry,
			     .is_stopped = is_stopped };
	job->flow = flow_new(layer->digest, layer->size_bytes);
	return job;
}

/* What is here already: its path is set, the bytes are opened and not looked at. */
static int open_local(struct job *job, struct oci_layer *layer, struct err **e)
{
	job->is_local = true;
	job->state = JOB_DONE;
	job->shown_bytes = layer->size_bytes;
	if (job_open(job, layer->path, layer->offset_bytes, e))
		return -1;
	show(&job->fetch->o, layer, layer->size_bytes);
	return 0;
}

static int plan_layer(struct oci_fetch *f, struct oci_layer *layer, struct job **ret,
		      struct err **e)
{
	if (!layer->path && blob_exists(f->o.blob_dir, layer->digest, layer->size_bytes))
		layer->path = blob_path(f->o.blob_dir, layer->digest);
	*ret = twin(f, layer);
	if (*ret)
		return 0;
	*ret = add_job(f, layer);
	return layer->path ? open_local(*ret, layer, e) : 0;
}

static int plan(struct oci_fetch *f, struct err **e)
{
	size_t n = f->image->layers.n;

	f->jobs = xcalloc(n, sizeof(*f->jobs));
	f->readings = xcalloc(n, sizeof(*f->readings));
	for (size_t i = 0; i < n; i++) {
		struct job *job = NULL;

		if (plan_layer(f, &f->image->layers.at[i], &job, e))
			return -1;
		f->readings[i] =
			(struct reading){ .job = job, .reader = { .flow = job->flow } };
	}
	return 0;
}

static int prepare(struct oci_fetch *f, struct err **e)
{
	AUTO(oci_ref) ref = NULL;

	if (oci_ref_parse(f->image->name, &ref, e))
		return -1;
	vec_each (layer, &f->image->layers)
		free(take(layer->path));
	if (ref->kind != OCI_REF_REGISTRY)
		return local_find_layers(ref, f->image, e);
	if (f->o.is_kept)
		blob_sweep(f->o.blob_dir);
	return registry_new(ref, &f->o, &f->registry, e);
}

int oci_fetch_begin(struct oci_image *image, const struct oci_opts *o, struct oci_fetch **ret,
		    struct err **e)
{
	AUTO(oci_fetch) f = xcalloc(1, sizeof(*f));

	f->image = image;
	f->o = *o;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	if (prepare(f, e) || plan(f, e) || start_threads(f, e))
		return err_wrap(e, "image %s", image->name);
	*ret = take(f);
	return 0;
}

int oci_fetch_read(struct oci_fetch *f, size_t index, void *buf, size_t cap, size_t *ret_n,
		   struct err **e)
{
	struct reading *r = &f->readings[index];
	int failed = 0, got;

	pthread_mutex_lock(&f->lock);
	if (r->job->state == JOB_WAITS && !f->is_stopped) {
		/* Those before it may wait for their readers: it gets a thread at once. */
		r->job->state = JOB_RUNS;
		failed = start_thread(f, r->job, e);
	}
	pthread_mutex_unlock(&f->lock);
	got = failed ? -1 : flow_read(&r->reader, buf, cap, ret_n, e);
	if (got < 0 && !f->is_stopped)
		err_wrap(e, "layer %s", r->job->layer->digest);
	return got < 0 ? err_wrap(e, "image %s", f->image->name) : got;
}

/* Without a store, what nobody wants to read needn't come. */
static void leave_unread(struct oci_fetch *f)
{
	bool is_read = true;

	for (size_t i = 0; i < f->image->layers.n; i++)
		is_read = is_read && flow_is_read(&f->readings[i].reader);
	if (!is_read && !f->o.is_kept)
		stop(f, NULL);
}

/* Layers whose blob has come know where it is. */
static void name_layers(struct oci_fetch *f)
{
	for (size_t i = 0; i < f->image->layers.n; i++) {
		struct oci_layer *layer = &f->image->layers.at[i];
		const struct job *job = f->readings[i].job;

		if (job->is_local || !f->o.is_kept)
			continue;
		free(layer->path);
		layer->path = blob_path(f->o.blob_dir, layer->digest);
		layer->is_verified = job->is_brought;
	}
}

int oci_fetch_end(struct oci_fetch *f, struct err **e)
{
	leave_unread(f);
	watch(f);
	join_threads(f);
	if (f->failed) {
		*e = err_copy(f->failed);
		return err_wrap(e, "image %s", f->image->name);
	}
	name_layers(f);
	return 0;
}

void oci_fetch_free(struct oci_fetch *f)
{
	if (!f)
		return;
	stop(f, NULL);
	join_threads(f);
	for (size_t i = 0; f->readings && i < f->image->layers.n; i++)
		flow_reader_release(&f->readings[i].reader);
	for (size_t i = 0; i < f->n_jobs; i++)
		flow_free(f->jobs[i].flow);
	registry_free(f->registry);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	err_free(f->failed);
	free(f->jobs);
	free(f->readings);
	free(f);
}

int oci_fetch(struct oci_image *image, const struct oci_opts *o, struct err **e)
{
	AUTO(oci_fetch) f = NULL;

	if (oci_fetch_begin(image, o, &f, e))
		return -1;
	return oci_fetch_end(f, e);
}

int oci_recheck(struct oci_image *image, const struct oci_opts *o, struct err **e)
{
	int n_removed = 0;

	vec_each (layer, &image->layers) {
		autofree char *path = NULL;
		int ok;

		free(take(layer->path));
		if (layer->is_verified || !layer->digest[0] ||
		    !blob_exists(o->blob_dir, layer->digest, layer->size_bytes))
			continue;
		path = blob_path(o->blob_dir, layer->digest);
		ok = blob_check(path, layer->digest, e);
		if (ok < 0)
			return -1;
		if (!ok && unlink(path))
			return err_sys(e, "removing %s", path);
		n_removed += !ok;
	}
	return n_removed;
}
