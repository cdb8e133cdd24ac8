/*
 * fs.h - whole-file operations and directories. Paths are borrowed; errors are ERR_SYS
 * (ERR_NOTFOUND where said) and name the path.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

int fs_mkdirs(const char *path, mode_t mode, struct err **e); /* like mkdir -p */
int fs_remove_tree(const char *path,
		   struct err **e); /* like rm -rf; stays on this side of symlinks */
bool fs_exists(const char *path);   /* lstat succeeds */

/* Reads the whole file. ERR_NOTFOUND if it isn't there, ERR_LIMIT past max_bytes. *ret is added
 * to. */
int fs_read_file(const char *path, size_t max_bytes, struct str *ret, struct err **e);
/* Reads fd to its end, likewise; `what` names it in errors. */
int fs_read_fd(int fd, const char *what, size_t max_bytes, struct str *ret, struct err **e);
/* Writes a temporary name beside path, syncs, renames: path is whole or as it was. */
int fs_write_atomic(const char *path, const void *bytes, size_t n, mode_t mode, struct err **e);
/* All of n bytes, or -1 with errno. They go on after EINTR and short counts. read: 1 done, 0
 * end of file before n. */
int fs_write_full(int fd, const void *bytes, size_t n);
int fs_read_full(int fd, void *bytes, size_t n);
int fs_pwrite_full(int fd, const void *bytes, size_t n, off_t offset);
/* The first n_bytes of `from`, from its start, into `to`, which is empty: holes stay holes, and
 * blocks are shared where the file system can. -1 with errno. */
int fs_copy_data(int from, int to, off_t n_bytes);
/* A file to a name that isn't there, likewise. */
int fs_copy_sparse(const char *from, const char *to, struct err **e);
/* Renames and syncs the directory that holds `to`. */
int fs_rename_synced(const char *from, const char *to, struct err **e);
/* Bytes free for us on the file system that holds path. */
int fs_free_bytes(const char *path, uint64_t *ret_bytes, struct err **e);
/* n random bytes from the kernel; aborts if there are none. */
void fs_random(void *bytes, size_t n);

#endif
