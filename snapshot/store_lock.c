#include "snapshot/store_lock.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/store_internal.h"

enum { HOLDER_TRIES = 20 }; /* a millisecond each */

struct store_key {
	char *path;
	int fd;
};

/*
 * 1 with k->fd, 0 if somebody has it and how says not to wait. The holder unlinks the file
 * before it lets the lock go: what one has waited for may be a file no more, then there is a
 * new one.
 */
static int lock_file(struct store_key *k, int how, struct err **e)
{
	for (;;) {
		autoclose int fd =
			open(k->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return err_sys(e, "opening %s", k->path);
		if (flock(fd, how)) {
			if (errno == EWOULDBLOCK)
				return 0;
			if (errno != EINTR)
				return err_sys(e, "locking %s", k->path);
		} else if (path_is_still(fd, k->path)) {
			k->fd = take_fd(fd);
			return 1;
		}
	}
}

/* Who has it, for messages: not being able to tell is no failure. It is written right after the
 * lock was taken. */
static char *read_holder(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[STORE_HOLDER_MAX + 1];
	ssize_t n = fd < 0 ? -1 : pread(fd, text, STORE_HOLDER_MAX, 0);

	for (int tries = 0; n == 0 && tries < HOLDER_TRIES; tries++) {
		usleep(1000);
		n = pread(fd, text, STORE_HOLDER_MAX, 0);
	}
	return n > 0 ? xstrndup(text, (size_t)n) : xstrdup("");
}

static void write_holder(int fd, const char *who)
{
	char text[STORE_HOLDER_MAX];

	snprintf(text, sizeof(text), "%s (process %ld)", who, (long)getpid());
	if (!ftruncate(fd, 0)) /* what another has left */
		(void)fs_write_full(fd, text, strlen(text));
}

static struct store_key *key_new(const struct store *s, const char *key)
{
	struct store_key *k = xcalloc(1, sizeof(*k));

	assert(is_hex(key));
	k->path = xasprintf("%s/%s", s->lock_dir, key);
	k->fd = -1;
	return k;
}

int store_key_try(struct store *s, const char *key, const char *who, struct store_key **ret,
		  char **ret_holder, struct err **e)
{
	AUTO(store_key) k = key_new(s, key);
	int got = lock_file(k, LOCK_EX | LOCK_NB, e);

	if (got == 0)
		*ret_holder = read_holder(k->path);
	if (got <= 0)
		return got;
	write_holder(k->fd, who);
	*ret = take(k);
	return 1;
}

int store_key_wait(struct store *s, const char *key, const char *who, struct store_key **ret,
		   struct err **e)
{
	AUTO(store_key) k = key_new(s, key);

	if (lock_file(k, LOCK_EX, e) < 0)
		return -1;
	write_holder(k->fd, who);
	*ret = take(k);
	return 0;
}

void store_key_free(struct store_key *k)
{
	if (!k)
		return;
	if (k->fd >= 0) {
		unlink(k->path);
		close(k->fd);
	}
	free(k->path);
	free(k);
}

/* Files of processes that ended without a word. */
void keys_remove_stale(struct store *s)
{
	DIR *stream = opendir(s->lock_dir);
	struct dirent *d;

	while (stream && (d = readdir(stream))) {
		struct store_key k = { .fd = -1 };
		struct err *ignored = NULL;

		if (!is_hex(d->d_name))
			continue;
		k.path = xasprintf("%s/%s", s->lock_dir, d->d_name);
		if (!path_lock(k.path, LOCK_EX | LOCK_NB, &k.fd, &ignored) && k.fd >= 0 &&
		    path_is_still(k.fd, k.path))
			unlink(k.path);
		if (k.fd >= 0)
			close(k.fd);
		free(k.path);
		err_drop(&ignored);
	}
	if (stream)
		closedir(stream);
}
