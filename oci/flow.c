#include "oci/flow.h"

#include <pthread.h>
#include <string.h>

#include "base/str.h"
#include "oci/digest.h"

struct flow {
	char digest[OCI_DIGEST_MAX];
	int64_t size_bytes;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	int fd; /* -1: over the window */
	int64_t offset_bytes;
	int64_t done_bytes; /* brought so far */
	int64_t kept_from;  /* the window holds [kept_from, done_bytes) */
	char *window;       /* NULL before the first byte */
	int64_t window_bytes;
	bool is_ended, is_stopped;
	bool is_trusted; /* what is read was verified by the bringer */
	struct err *failed;
};

struct flow *flow_new(const char *digest, int64_t size_bytes)
{
	struct flow *f = xcalloc(1, sizeof(*f));

	memcpy(f->digest, digest, strlen(digest) + 1);
	f->size_bytes = size_bytes;
	f->window_bytes = size_bytes < FLOW_WINDOW_BYTES ? size_bytes : FLOW_WINDOW_BYTES;
	f->fd = -1;
	f->is_trusted = true;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	return f;
}

void flow_free(struct flow *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	err_free(f->failed);
	free(f->window);
	free(f);
}

void flow_set_growing(struct flow *f, int fd)
{
	pthread_mutex_lock(&f->lock);
	f->fd = fd;
	pthread_mutex_unlock(&f->lock);
}

void flow_set_whole(struct flow *f, int fd, int64_t offset_bytes)
{
	pthread_mutex_lock(&f->lock);
	f->fd = fd;
	f->offset_bytes = offset_bytes;
	f->done_bytes = f->size_bytes;
	f->is_trusted = false;
	f->is_ended = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* Copies what fits into the window, from done_bytes on. Returns how many. */
static size_t fill_window(struct flow *f, const char *bytes, size_t n)
{
	int64_t room = f->window_bytes - (f->done_bytes - f->kept_from);
	size_t at, first;

	if (!f->window)
		f->window = xmalloc((size_t)f->window_bytes);
	if ((int64_t)n > room)
		n = (size_t)room;
	if (!n)
		return 0;
	at = (size_t)(f->done_bytes % f->window_bytes);
	first = (size_t)f->window_bytes - at;
	if (first > n)
		first = n;
	memcpy(f->window + at, bytes, first);
	memcpy(f->window, bytes + first, n - first);
	return n;
}

bool flow_add(struct flow *f, const void *bytes, size_t n)
{
	const char *p = bytes;
	bool is_wanted;

	pthread_mutex_lock(&f->lock);
	while (n && !f->is_stopped) {
		size_t now = f->fd >= 0 ? n : fill_window(f, p, n);

		f->done_bytes += (int64_t)now;
		p += now;
		n -= now;
		pthread_cond_broadcast(&f->changed);
		if (!now)
			pthread_cond_wait(&f->changed, &f->lock);
	}
	is_wanted = !f->is_stopped;
	pthread_mutex_unlock(&f->lock);
	return is_wanted;
}

void flow_end(struct flow *f)
{
	pthread_mutex_lock(&f->lock);
	f->is_ended = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void flow_fail(struct flow *f, const struct err *why)
{
	pthread_mutex_lock(&f->lock);
	if (!f->failed && !f->is_ended)
		f->failed = err_copy(why);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void flow_stop(struct flow *f)
{
	pthread_mutex_lock(&f->lock);
	f->is_stopped = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void flow_reader_release(struct flow_reader *r)
{
	sha256_free(take(r->hash));
}

bool flow_is_read(const struct flow_reader *r)
{
	return r->at_bytes == r->flow->size_bytes;
}

/* Out of the window, up to its edge. A window smaller than the blob forgets what was read. */
static size_t read_window(struct flow *f, int64_t from, void *buf, size_t n)
{
	size_t at = (size_t)(from % f->window_bytes);

	if (n > (size_t)f->window_bytes - at)
		n = (size_t)f->window_bytes - at;
	memcpy(buf, f->window + at, n);
	if (f->window_bytes < f->size_bytes) {
		f->kept_from = from + (int64_t)n;
		pthread_cond_broadcast(&f->changed);
	}
	return n;
}

static int read_file(struct flow_reader *r, void *buf, size_t n, size_t *ret_n, struct err **e)
{
	const struct flow *f = r->flow;
	ssize_t got;

	do
		got = pread(f->fd, buf, n, f->offset_bytes + r->at_bytes);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(e, "reading %s", f->digest);
	if (got == 0)
		return err_set(e, ERR_CORRUPT,
			       "%s has %lld bytes instead of the announced %lld", f->digest,
			       (long long)r->at_bytes, (long long)f->size_bytes);
	if (!f->is_trusted) {
		if (!r->hash)
			r->hash = sha256_new();
		sha256_add(r->hash, buf, (size_t)got);
	}
	*ret_n = (size_t)got;
	return 0;
}

/* At the end of what nobody verified before. A digest that nobody knows can't be wrong. */
static int check_hash(struct flow_reader *r, struct err **e)
{
	char got[OCI_DIGEST_MAX];

	if (r->flow->is_trusted || r->is_checked || !r->flow->digest[0])
		return 0;
	if (!r->hash)
		r->hash = sha256_new();
	oci_digest_end(r->hash, got);
	flow_reader_release(r);
	r->is_checked = true;
	return streq(got, r->flow->digest)
		       ? 0
		       : err_set(e, ERR_CORRUPT, "its digest is %s, it should be %s", got,
				 r->flow->digest);
}

int flow_read(struct flow_reader *r, void *buf, size_t cap, size_t *ret_n, struct err **e)
{
	struct flow *f = r->flow;
	size_t n = 0;
	bool is_file;

	pthread_mutex_lock(&f->lock);
	while (!f->failed && !f->is_ended && !f->is_stopped && f->done_bytes == r->at_bytes)
		pthread_cond_wait(&f->changed, &f->lock);
	if (f->failed)
		*e = err_copy(f->failed);
	else if (f->done_bytes > r->at_bytes)
		n = f->done_bytes - r->at_bytes < (int64_t)cap
			    ? (size_t)(f->done_bytes - r->at_bytes)
			    : cap;
	else if (!f->is_ended)
		err_set(e, ERR_NET, "stopped");
	is_file = f->fd >= 0;
	if (n && !is_file)
		n = read_window(f, r->at_bytes, buf, n);
	pthread_mutex_unlock(&f->lock);
	if (*e)
		return -1;
	if (!n)
		return check_hash(r, e);
	if (is_file && read_file(r, buf, n, &n, e))
		return -1;
	r->at_bytes += (int64_t)n;
	*ret_n = n;
	return 1;
}
