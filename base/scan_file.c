/* Files: their data, holes left out, piece by piece, by several threads. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scan.h"

enum {
	PIECE_BYTES = 4 << 20,
	/* What a piece has of the one before it: a pattern may begin there, and be wrapped. */
	OVERLAP_BYTES = 2 * SCAN_MAX_BYTES,
	THREADS_MAX = 8,
};

struct work {
	const struct scan *scan;
	int fd;
	uint8_t *found;
	pthread_mutex_t lock; /* of what follows */
	off_t at, data_end;   /* the next piece; the end of the data it is in */
	int sys;              /* errno of the first failure */
};

/* Moves at into data, if it is past the data it was in. false: there is no more. */
static bool enter_data(struct work *w)
{
	struct stat st;

	if (w->at < w->data_end)
		return true;
	if (fstat(w->fd, &st)) {
		w->sys = errno;
		return false;
	}
	if (w->at >= st.st_size)
		return false;
	off_t data = lseek(w->fd, w->at, SEEK_DATA);

	if (data < 0 && errno == ENXIO)
		return false;            /* a hole to the end */
	w->at = data < 0 ? w->at : data; /* no holes known here: all is data */
	w->data_end = data < 0 ? st.st_size : lseek(w->fd, data, SEEK_HOLE);
	if (w->data_end < 0)
		w->data_end = st.st_size;
	return true;
}

/* 1 with the next piece to look at, 0 if there is none. */
static int take_piece(struct work *w, off_t *ret_at, size_t *ret_n)
{
	int more;

	pthread_mutex_lock(&w->lock);
	more = !w->sys && enter_data(w);
	if (more) {
		off_t left = w->data_end - w->at;

		*ret_at = w->at;
		*ret_n = left > PIECE_BYTES ? PIECE_BYTES : (size_t)left;
		w->at += (off_t)*ret_n;
	}
	pthread_mutex_unlock(&w->lock);
	return more;
}

static void fail(struct work *w, int sys)
{
	pthread_mutex_lock(&w->lock);
	if (!w->sys)
		w->sys = sys;
	pthread_mutex_unlock(&w->lock);
}

static void look_at(struct work *w, uint8_t *buf, off_t at, size_t n)
{
	size_t before = at < OVERLAP_BYTES ? (size_t)at : OVERLAP_BYTES, got = 0;

	while (got < before + n) {
		ssize_t part = pread(w->fd, buf + got, before + n - got,
				     at - (off_t)before + (off_t)got);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return fail(w, errno);
		if (!part)
			break; /* it has become shorter */
		got += (size_t)part;
	}
	scan_bytes(w->scan, buf, got, w->found);
}

static void *run(void *arg)
{
	autofree uint8_t *buf = xmalloc(OVERLAP_BYTES + PIECE_BYTES);
	struct work *w = arg;
	off_t at;
	size_t n;

	while (take_piece(w, &at, &n))
		look_at(w, buf, at, n);
	return NULL;
}

/* One for each piece there may be, as far as there are CPUs; the caller's is one of them. */
static size_t count_threads(const struct stat *st)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t pieces = (size_t)st->st_blocks * 512 / PIECE_BYTES + 1;
	size_t n = cpus > 1 ? (size_t)cpus : 1;

	n = n < pieces ? n : pieces;
	return n < THREADS_MAX ? n : THREADS_MAX;
}

int scan_file(const struct scan *s, const char *path, uint8_t *ret_found, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct work w = { .scan = s, .fd = fd, .found = ret_found };
	pthread_t threads[THREADS_MAX];
	size_t n_threads = 0, wanted;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "opening %s", path);
	pthread_mutex_init(&w.lock, NULL);
	wanted = count_threads(&st) - 1;
	while (n_threads < wanted && !pthread_create(&threads[n_threads], NULL, run, &w))
		n_threads++;
	run(&w);
	for (size_t i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&w.lock);
	if (w.sys) {
		errno = w.sys;
		return err_sys(e, "reading %s", path);
	}
	return 0;
}
