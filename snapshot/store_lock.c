#include "snapshot/store_lock.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/store_internal.h"

struct store_key {
	char *path;
	int fd;
};

/* The holder unlinks the file before it lets the lock go: one may have waited for a file that
 * is none any more. */
static int try_once(struct store_key *k, int how, struct err **e)
{
	autoclose int made = open(k->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (made < 0)
		return err_sys(e, "opening %s", k->path);
	if (path_lock(k->path, how, &k->fd, e))
		return -1;
	if (k->fd >= 0 && !path_is_still(k->fd, k->path))
		close(take_fd(k->fd));
	return 0;
}

/* Who has it, for messages: not being able to tell is no failure. */
static char *read_holder(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[STORE_HOLDER_MAX + 1];
	ssize_t n = fd < 0 ? -1 : read(fd, text, STORE_HOLDER_MAX);

	return n > 0 ? xstrndup(text, (size_t)n) : xstrdup("");
}

static void write_holder(const char *path, const char *who)
{
	autoclose int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
	char text[STORE_HOLDER_MAX];

	snprintf(text, sizeof(text), "%s (process %ld)", who, (long)getpid());
	if (fd >= 0)
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

	if (try_once(k, LOCK_EX | LOCK_NB, e))
		return -1;
	if (k->fd < 0) {
		*ret_holder = read_holder(k->path);
		return 0;
	}
	write_holder(k->path, who);
	*ret = take(k);
	return 1;
}

int store_key_wait(struct store *s, const char *key, const char *who, struct store_key **ret,
		   struct err **e)
{
	AUTO(store_key) k = key_new(s, key);

	while (k->fd < 0)
		if (try_once(k, LOCK_EX, e))
			return -1;
	write_holder(k->path, who);
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
