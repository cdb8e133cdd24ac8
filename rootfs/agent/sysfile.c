#include "sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int sysfile_open_at(int dir, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	struct stat st;
	int fd;

	if (dir == AT_FDCWD)
		fd = open(path, (int)how.flags);
	else
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

ssize_t sysfile_read_at(int dir, const char *path, char *ret, size_t cap)
{
	int fd = sysfile_open_at(dir, path);
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	while (len + 1 < cap) {
		n = read(fd, ret + len, cap - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	ret[len] = '\0';
	return n < 0 ? -1 : (ssize_t)len;
}

ssize_t sysfile_read(const char *path, char *ret, size_t cap)
{
	return sysfile_read_at(AT_FDCWD, path, ret, cap);
}

int sysfile_write_full(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int sysfile_write_at(int dir, const char *path, int flags, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0644);
	int done, saved;

	if (fd < 0)
		return -1;
	done = sysfile_write_full(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return done;
}

int sysfile_write(const char *path, const char *text)
{
	return sysfile_write_at(AT_FDCWD, path, 0, text);
}

void lines_init(struct lines *l, int fd)
{
	l->fd = fd;
	l->is_cut = false;
	l->head = l->tail = 0;
}

void lines_release(struct lines *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/* More bytes behind the ones that are there: false at the end. */
static bool fill(struct lines *l)
{
	ssize_t n;

	memmove(l->buf, l->buf + l->head, l->tail - l->head);
	l->tail -= l->head;
	l->head = 0;
	do
		n = read(l->fd, l->buf + l->tail, sizeof(l->buf) - 1 - l->tail);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		l->tail += (size_t)n;
	return n > 0;
}

/* Gives the line that ends before `end`, and goes on after it. */
static char *give(struct lines *l, size_t end)
{
	char *line = l->buf + l->head;

	l->buf[end] = '\0';
	l->head = end < l->tail ? end + 1 : l->tail;
	return line;
}

static void skip_line(struct lines *l)
{
	char *nl;

	do {
		nl = memchr(l->buf + l->head, '\n', l->tail - l->head);
		l->head = nl ? (size_t)(nl - l->buf) + 1 : l->tail;
	} while (!nl && fill(l));
}

char *lines_next(struct lines *l)
{
	if (l->is_cut)
		skip_line(l);
	l->is_cut = false;
	for (;;) {
		char *nl = memchr(l->buf + l->head, '\n', l->tail - l->head);

		if (nl)
			return give(l, (size_t)(nl - l->buf));
		if (l->tail - l->head == sizeof(l->buf) - 1) {
			/* The NUL stands behind the last byte, where there is room for it. */
			l->is_cut = true;
			return give(l, l->tail);
		}
		if (!fill(l))
			return l->head < l->tail ? give(l, l->tail) : NULL;
	}
}
