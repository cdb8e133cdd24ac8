#include "disks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fsop.h"

static int dirs[PROTO_DISKS_MAX];
static uint32_t n_dirs;
static bool is_writable[PROTO_DISKS_MAX];

static int mount_one(const struct proto_disk *d, uint32_t i, const char *device, struct fail *f)
{
	char where[32];

	snprintf(where, sizeof(where), "/disk.%u", i);
	mkdir(where, 0700);
	if (d->flags & PROTO_DISK_WRITABLE ? fsop_mount_root(device, where, NULL, f)
					   : fsop_mount_read_only(device, where, f))
		return -1;
	is_writable[i] = d->flags & PROTO_DISK_WRITABLE;
	dirs[i] = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dirs[i] < 0 ? fail_sys(f, "opening the disk '%.32s'", d->serial) : 0;
}

int disks_mount(const struct proto_setup *s,
		int (*find)(const char *serial, char ret[64], struct fail *f), struct fail *f)
{
	char device[64];

	for (uint32_t i = 0; i < s->n_disks; i++) {
		if (find(s->disks[i].serial, device, f) ||
		    mount_one(&s->disks[i], i, device, f))
			return -1;
		n_dirs = i + 1;
	}
	return 0;
}

void disks_set(int dir)
{
	dirs[0] = dir;
	n_dirs = dir >= 0;
}

void disks_sync(void)
{
	for (uint32_t i = 0; i < n_dirs; i++) {
		int fd = is_writable[i] ? openat(dirs[i], ".", O_RDONLY | O_CLOEXEC) : -1;

		if (fd >= 0) {
			syncfs(fd);
			close(fd);
		}
	}
}

bool disks_has_fd(int fd)
{
	for (uint32_t i = 0; i < n_dirs; i++)
		if (dirs[i] == fd)
			return true;
	return false;
}

int disks_get(uint32_t i, int *ret_fd, struct fail *f)
{
	static int own_root = -1;

	if (i == PROTO_NO_DISK) {
		if (own_root < 0)
			own_root =
				open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		*ret_fd = own_root;
		return own_root < 0 ? fail_sys(f, "opening the root directory") : 0;
	}
	if (i >= n_dirs)
		return fail_set(f, PROTO_FAIL_REQUEST, "the guest has no disk %u", i);
	*ret_fd = dirs[i];
	return 0;
}

static int open_in(int dir, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));
}

int disks_open(uint32_t disk, const char *root, const char *path, int flags, struct fail *f)
{
	int dir, top, fd, saved;

	if (disks_get(disk, &dir, f))
		return -1;
	top = open_in(dir, root, O_PATH | O_DIRECTORY);
	if (top < 0)
		return fail_sys(f, "opening '%.256s' of a disk", root);
	fd = open_in(top, path, flags);
	saved = errno;
	close(top);
	errno = saved;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail_set(f, PROTO_FAIL_NOTFOUND, "\"/%.512s\": not found", path);
	return fd < 0 ? fail_sys(f, "opening '%.512s'", path) : fd;
}
