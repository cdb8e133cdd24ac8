#include "boot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "disks.h"
#include "etcfiles.h"
#include "fsop.h"
#include "mounts.h"
#include "sysfile.h"

#define NEW_ROOT "/root.new"
#define STORE "/etcfiles"
#define DISK_DRIVER "virtio_blk"
#define SECRETS "/files"

enum { DEVICE_WAIT_SEC = 60, DEVICE_PATH_MAX = 64 };

struct mounting {
	const char *type, *where;
	unsigned long flags;
	const char *data;
	bool is_needed;
};

static const struct mounting early[] = {
	{ "devtmpfs", "/dev", MS_NOSUID, NULL, true },
	{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true },
	{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true },
};

/* Kernels are configured without some of the others. */
static const struct mounting late[] = {
	{ "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666", false },
	{ "tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", true },
	{ "mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false },
	{ "cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false },
};

static int uevents = -1;

static int mount_all(const struct mounting *m, size_t n, struct fail *f)
{
	for (; n; n--, m++) {
		mkdir(m->where, 0755);
		if (mount(m->type, m->where, m->type, m->flags, m->data) && errno != EBUSY &&
		    m->is_needed)
			return fail_sys(f, "mounting %s on %s", m->type, m->where);
	}
	return 0;
}

/* Bound before the first driver is loaded, so that no device appears unheard. */
static int listen_for_devices(struct fail *f)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = 1 };

	uevents = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			 NETLINK_KOBJECT_UEVENT);
	if (uevents < 0 || bind(uevents, (struct sockaddr *)&to, sizeof(to)))
		return fail_sys(f, "listening for devices");
	return 0;
}

/* Waits until any device has changed. Events that were lost (ENOBUFS) count as well. */
static int wait_for_device(time_t end, const char *what, struct fail *f)
{
	struct pollfd p = { .fd = uevents, .events = POLLIN };
	struct timespec now;
	char event[4096];

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec >= end || poll(&p, 1, (int)(end - now.tv_sec) * 1000) == 0)
		return fail_set(f, PROTO_FAIL_SYS, "the machine has no %s", what);
	while (recv(uevents, event, sizeof(event), 0) > 0)
		;
	return 0;
}

static time_t deadline(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + DEVICE_WAIT_SEC;
}

static int load_module(const char *name, struct fail *f)
{
	char path[512];
	int fd, done;

	snprintf(path, sizeof(path), "/modules/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_sys(f, "opening %s", path);
	done = (int)syscall(SYS_finit_module, fd, "", 0);
	if (done && errno == EEXIST)
		done = 0;
	if (done)
		fail_sys(f, "loading the kernel module %s", name);
	close(fd);
	unlink(path); /* the initramfs is memory */
	return done;
}

/* The driver of disks waits for SETUP, or all others: a machine may be saved before that and
 * resumed with other disks, whose sizes the driver reads when it is loaded. */
static int load_modules(bool are_for_disks, struct fail *f)
{
	static struct lines l;
	char *name;
	int fd = open("/modules/order", O_RDONLY | O_CLOEXEC), done = 0;

	if (fd < 0)
		return 0; /* a kernel with its drivers built in */
	lines_init(&l, fd);
	while (!done && (name = lines_next(&l)))
		if (*name && are_for_disks == !strncmp(name, DISK_DRIVER, strlen(DISK_DRIVER)))
			done = load_module(name, f);
	lines_release(&l);
	return done;
}

int boot_begin(struct fail *f)
{
	if (mount_all(early, sizeof(early) / sizeof(*early), f) || listen_for_devices(f) ||
	    load_modules(false, f))
		return -1;
	return 0;
}

/* The entry of a /sys folder whose attribute has this value: true with its name. */
static bool find_by_attribute(const char *folder, const char *attribute, const char *value,
			      char ret[DEVICE_PATH_MAX])
{
	char path[512], text[128];
	bool found = false;
	struct dirent *d;
	DIR *dir = opendir(folder);

	while (dir && !found && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || strlen(d->d_name) >= DEVICE_PATH_MAX - 8)
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", folder, d->d_name, attribute);
		if (sysfile_read(path, text, sizeof(text)) < 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		found = !strcmp(text, value);
		if (found)
			snprintf(ret, DEVICE_PATH_MAX, "/dev/%.40s", d->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

int boot_port(int *ret_fd, struct fail *f)
{
	char path[DEVICE_PATH_MAX];
	time_t end = deadline();

	while (!find_by_attribute("/sys/class/virtio-ports", "name", PROTO_PORT, path))
		if (wait_for_device(end, "virtio-serial port " PROTO_PORT, f))
			return -1;
	*ret_fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (*ret_fd < 0)
		return fail_sys(f, "opening the port %s", path);
	return 0;
}

static int find_disk(const char *serial, char ret[DEVICE_PATH_MAX], struct fail *f)
{
	time_t end = deadline();
	char what[96];

	snprintf(what, sizeof(what), "disk '%.32s'", serial);
	while (!find_by_attribute("/sys/block", "serial", serial, ret))
		if (wait_for_device(end, what, f))
			return -1;
	return 0;
}

static int switch_root(struct fail *f)
{
	static const char *const old[] = { "/sys", "/proc", "/dev" };

	for (size_t i = 0; i < sizeof(old) / sizeof(*old); i++)
		umount2(old[i], MNT_DETACH);
	if (chdir(NEW_ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") ||
	    chdir("/"))
		return fail_sys(f, "entering the root disk");
	return 0;
}

static void link_dev_names(void)
{
	static const char *const names[][2] = { { "/proc/self/fd", "/dev/fd" },
						{ "/proc/self/fd/0", "/dev/stdin" },
						{ "/proc/self/fd/1", "/dev/stdout" },
						{ "/proc/self/fd/2", "/dev/stderr" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (symlink(names[i][0], names[i][1]) && errno != EEXIST)
			return;
}

int boot_enter(const struct proto_setup *s, uint64_t *ret_fs_bytes, struct fail *f)
{
	char disk[DEVICE_PATH_MAX];

	mkdir(NEW_ROOT, 0700);
	if (load_modules(true, f) || find_disk("root", disk, f) ||
	    fsop_mount_root(disk, NEW_ROOT, ret_fs_bytes, f) || disks_mount(s, find_disk, f) ||
	    etcfiles_init(STORE, f) || mounts_init(SECRETS, f) || switch_root(f))
		return -1;
	close(uevents);
	if (mount_all(early, sizeof(early) / sizeof(*early), f) ||
	    mount_all(late, sizeof(late) / sizeof(*late), f))
		return -1;
	link_dev_names();
	cgroup_setup();
	/* A kernel thread that looks twice a second whether memory is worth compacting. */
	sysfile_write("/proc/sys/vm/compaction_proactiveness", "0");
	return 0;
}
