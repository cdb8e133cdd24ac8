#include "oci/blobs.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "oci/blobsum.h"
#include "oci/digest.h"

static const char temp_prefix[] = ".fetch-";

struct blob_writer {
	char *dir, *temp;
	bool is_ours; /* there is a file of that name, and it is locked by us */
	struct blobsum sum;
	int fd;
};

enum { CLAIM_POLL_MS = 50 };

/*
 * The temporary files of this process, for the day a signal comes. One registration for all of
 * them: the threads of a fetch come and go in any order, and base/interrupt.h has few places.
 */
static struct {
	pthread_mutex_t lock;
	VEC(char *) paths; /* borrowed from the writers */
} temps = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void remove_temps(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&temps.lock); /* and keep it: the process ends */
	vec_each (path, &temps.paths)
		unlink(*path);
}

static void register_cleanup(void)
{
	interrupt_push(remove_temps, NULL);
}

/* Held from before a file is made until it is among the paths, so that a signal leaves none. */
static void temps_lock(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_cleanup);
	pthread_mutex_lock(&temps.lock);
}

static void temp_forget(const char *path)
{
	pthread_mutex_lock(&temps.lock);
	for (size_t i = 0; i < temps.paths.n; i++) {
		if (temps.paths.at[i] == path) {
			temps.paths.at[i] = temps.paths.at[--temps.paths.n];
			break;
		}
	}
	if (!temps.paths.n)
		vec_release(&temps.paths);
	pthread_mutex_unlock(&temps.lock);
}

char *blob_path(const char *dir, const char *digest)
{
	return xasprintf("%s/%s", dir, oci_digest_hex(digest));
}

bool blob_exists(const char *dir, const char *digest, int64_t size_bytes)
{
	autofree char *path = blob_path(dir, digest);
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size_bytes;
}

int blob_read(const char *dir, const char *digest, size_t max_bytes, struct str *ret,
	      struct err **e)
{
	autofree char *path = blob_path(dir, digest);
	char got[OCI_DIGEST_MAX];
	autostr bytes = STR_INIT;
	AUTO(err) why = NULL;

	if (fs_read_file(path, max_bytes, &bytes, &why)) {
		if (why->code == ERR_NOTFOUND || why->code == ERR_LIMIT)
			return 0;
		*e = take(why);
		return -1;
	}
	oci_digest_of(bytes.at, bytes.len, got);
	if (!streq(got, digest))
		return 0;
	str_addn(ret, bytes.at, bytes.len);
	return 1;
}

int blob_write(const char *dir, const char *digest, const void *bytes, size_t n, struct err **e)
{
	AUTO(blob_writer) w = NULL;

	if (blob_writer_new(dir, digest, (int64_t)n, &w, e) || blob_writer_add(w, bytes, n, e))
		return -1;
	return blob_writer_end(w, e);
}

int blob_check(const char *path, const char *digest, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(sha256) hash = sha256_new();
	char buf[65536], got[OCI_DIGEST_MAX];
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "opening %s", path);
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno != EINTR)
			return err_sys(e, "reading %s", path);
		if (n > 0)
			sha256_add(hash, buf, (size_t)n);
	}
	oci_digest_end(hash, got);
	return streq(got, digest);
}

void blob_sweep(const char *dir)
{
	DIR *stream = opendir(dir);
	struct dirent *d;

	if (!stream)
		return;
	while ((d = readdir(stream))) {
		autoclose int fd = -1;

		if (!str_starts(d->d_name, temp_prefix))
			continue;
		fd = openat(dirfd(stream), d->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(stream), d->d_name, 0);
	}
	closedir(stream);
}

/* Is path still the file that fd has open? */
static bool is_same_file(const char *path, int fd)
{
	struct stat a, b;

	return lstat(path, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* An open temporary file, not locked yet. name: its last six characters are filled in, or, with
 * is_claim, it is what it is and may be there already. */
static int open_temp(struct blob_writer *w, bool is_claim, struct err **e)
{
	if (is_claim) {
		w->temp = xasprintf("%s/%s%s", w->dir, temp_prefix,
				    oci_digest_hex(w->sum.digest));
		w->fd = open(w->temp, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	} else {
		w->temp = xasprintf("%s/%sXXXXXX", w->dir, temp_prefix);
		w->fd = mkostemp(w->temp, O_CLOEXEC);
	}
	return w->fd < 0 ? err_sys(e, "creating a file in %s", w->dir) : 0;
}

static void close_temp(struct blob_writer *w)
{
	if (w->fd >= 0)
		close(take_fd(w->fd));
	free(take(w->temp));
}

static struct blob_writer *new_writer(const char *dir, const char *digest, int64_t size_bytes)
{
	struct blob_writer *w = xcalloc(1, sizeof(*w));

	w->fd = -1;
	w->dir = xstrdup(dir);
	blobsum_init(&w->sum, digest, size_bytes);
	return w;
}

/* With the lock of temps. */
static int make_own(struct blob_writer *w, struct err **e)
{
	/* A sweep may take the lock and the name away in the instant before we have it: then
	 * it's tried again with another name. */
	for (;;) {
		if (open_temp(w, false, e))
			return -1;
		if (flock(w->fd, LOCK_EX))
			return err_sys(e, "locking %s", w->temp);
		if (is_same_file(w->temp, w->fd))
			break;
		close_temp(w);
	}
	w->is_ours = true;
	vec_push(&temps.paths, w->temp);
	return 0;
}

int blob_writer_new(const char *dir, const char *digest, int64_t size_bytes,
		    struct blob_writer **ret, struct err **e)
{
	AUTO(blob_writer) w = new_writer(dir, digest, size_bytes);
	int failed;

	temps_lock();
	failed = make_own(w, e);
	pthread_mutex_unlock(&temps.lock);
	if (failed)
		return -1;
	*ret = take(w);
	return 0;
}

/* With the lock of temps. One look at the claim's file. 1: it is ours, empty; 0: somebody has
 * it, *ret_bytes long so far, or had it a moment ago; -1. */
static int try_claim(struct blob_writer *w, int64_t *ret_bytes, struct err **e)
{
	struct stat st;

	if (open_temp(w, true, e))
		return -1;
	if (flock(w->fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK || fstat(w->fd, &st))
			return err_sys(e, "locking %s", w->temp);
		*ret_bytes = st.st_size;
		close_temp(w);
		return 0;
	}
	if (!is_same_file(w->temp, w->fd)) {
		close_temp(w);
		return 0;
	}
	/* What one that died has left proves nothing: its pages may never have reached the
	 * disk. */
	if (ftruncate(w->fd, 0))
		return err_sys(e, "writing %s", w->temp);
	w->is_ours = true;
	vec_push(&temps.paths, w->temp);
	return 1;
}

int blob_claim(const struct blob_claim *c, struct blob_writer **ret, struct err **e)
{
	AUTO(blob_writer) w = new_writer(c->dir, c->digest, c->size_bytes);
	int64_t bytes = 0, before = -1, waited_ms = 0;

	for (;;) {
		int claimed;

		temps_lock();
		claimed = try_claim(w, &bytes, e);
		pthread_mutex_unlock(&temps.lock);
		if (claimed < 0)
			return -1;
		if (blob_exists(c->dir, c->digest, c->size_bytes))
			return 0;
		if (claimed) {
			*ret = take(w);
			return 1;
		}
		if (c->is_stopped && c->is_stopped(c->arg))
			return err_set(e, ERR_NET, "stopped");
		waited_ms = bytes == before ? waited_ms + CLAIM_POLL_MS : 0;
		before = bytes;
		if (waited_ms > c->patience_sec * 1000LL) {
			log_debug("whoever brings %s doesn't go on: bringing it too",
				  c->digest);
			return blob_writer_new(c->dir, c->digest, c->size_bytes, ret, e) ? -1
											 : 1;
		}
		poll(NULL, 0, CLAIM_POLL_MS);
	}
}

int blob_writer_reader(const struct blob_writer *w, int *ret_fd, struct err **e)
{
	*ret_fd = open(w->temp, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(e, "opening %s", w->temp) : 0;
}

int blob_writer_add(struct blob_writer *w, const void *bytes, size_t n, struct err **e)
{
	if (blobsum_expect(&w->sum, n, e))
		return -1;
	if (fs_write_full(w->fd, bytes, n))
		return err_sys(e, "writing %s", w->temp);
	blobsum_add(&w->sum, bytes, n);
	return 0;
}

int blob_writer_check(struct blob_writer *w, struct err **e)
{
	return blobsum_end(&w->sum, e);
}

int blob_writer_end(struct blob_writer *w, struct err **e)
{
	autofree char *path = blob_path(w->dir, w->sum.digest);

	if (w->sum.hash && blob_writer_check(w, e))
		return -1;
	if (fchmod(w->fd, 0644) || fsync(w->fd))
		return err_sys(e, "writing %s", path);
	if (fs_rename_synced(w->temp, path, e))
		return -1;
	temp_forget(w->temp);
	w->is_ours = false;
	return 0;
}

void blob_writer_free(struct blob_writer *w)
{
	if (!w)
		return;
	if (w->is_ours) {
		unlink(w->temp);
		temp_forget(w->temp);
	}
	close_temp(w);
	blobsum_release(&w->sum);
	free(w->dir);
	free(w);
}
