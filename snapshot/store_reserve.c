/* A little room put aside on the store's file system: removing things needs some (a log record,
 * a directory), and a full disk is when people remove things. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/store_internal.h"

enum { RESERVE_BYTES = 512 << 10 };

void reserve_use(const struct store *s)
{
	autofree char *path = xasprintf("%s/reserve", s->home);
	uint64_t free_bytes = 0;
	struct err *ignored = NULL;

	if (fs_free_bytes(s->home, &free_bytes, &ignored) || free_bytes < RESERVE_BYTES)
		unlink(path);
	err_drop(&ignored);
}

void reserve_keep(const struct store *s)
{
	autofree char *path = xasprintf("%s/reserve", s->home);
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_BYTES))
		unlink(path); /* no room now; the next command tries again */
}
