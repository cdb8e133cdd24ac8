/*
 * sysfile.h - small files, whole: /proc, /sys, /etc. Fixed buffers. Nothing here waits for a
 * FIFO or a device that a guest has put where a file was expected.
 */
#ifndef AGENT_SYSFILE_H
#define AGENT_SYSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Opens a regular file for reading, below dir and inside it (AT_FDCWD: anywhere). -1 with
 * errno; EINVAL if it is something else. */
int sysfile_open_at(int dir, const char *path);
/* At most cap - 1 bytes and a NUL. Returns the number, or -1 with errno. */
ssize_t sysfile_read(const char *path, char *ret, size_t cap);
ssize_t sysfile_read_at(int dir, const char *path, char *ret, size_t cap);
/* Writes to a file that exists (flags may have O_CREAT, O_TRUNC). -1 with errno. */
int sysfile_write_at(int dir, const char *path, int flags, const char *text);
int sysfile_write(const char *path, const char *text);
/* All of it, or -1 with errno. */
int sysfile_write_full(int fd, const void *bytes, size_t n);

/* Lines of a file, without their newlines, in a fixed buffer. A line that doesn't fit is cut
 * and marked. */
struct lines {
	int fd;
	bool is_cut; /* of the line given last */
	size_t head, tail;
	char buf[65536];
};
void lines_init(struct lines *l, int fd); /* takes fd */
char *lines_next(struct lines *l);        /* NULL at the end */
void lines_release(struct lines *l);

#endif
