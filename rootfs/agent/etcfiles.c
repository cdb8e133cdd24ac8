#include "etcfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.h"
#include "sysfile.h"

enum { FILES = 3 };

static const char *const names[FILES] = { "hosts", "resolv.conf", "hostname" };

/* A stub that we made: removed only if it is still the same, empty file. */
struct stub {
	bool is_made;
	dev_t dev;
	ino_t ino;
};

static int store = -1;
static struct stub stubs[FILES];
static bool is_etc_made;
static unsigned steps;

void etcfiles_init(int store_fd)
{
	store = store_fd;
}

int etcfiles_write(const char *hostname, bool has_network, struct fail *f)
{
	char text[FILES][1024];

	snprintf(text[0], sizeof(text[0]),
		 "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
		 "fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\n"
		 "ff02::2\tip6-allrouters\n%s\t%s\n",
		 has_network ? NET_ADDRESS : "127.0.1.1", hostname);
	snprintf(text[1], sizeof(text[1]), "%s",
		 has_network ? "nameserver " NET_NAMESERVER "\n" : "");
	snprintf(text[2], sizeof(text[2]), "%s\n", hostname);
	for (int i = 0; i < FILES && store >= 0; i++)
		if (sysfile_write_at(store, names[i], O_CREAT | O_TRUNC, text[i]))
			return fail_sys(f, "writing the guest's /etc/%s", names[i]);
	return 0;
}

static void make_stub(int etc, int i)
{
	int fd = openat(etc, names[i], O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0644);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		stubs[i] = (struct stub){ .is_made = true, .dev = st.st_dev, .ino = st.st_ino };
	close(fd);
}

static int open_etc(void)
{
	return open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void etcfiles_begin_step(void)
{
	int etc;

	if (store < 0 || steps++)
		return;
	is_etc_made = mkdir("/etc", 0755) == 0;
	etc = open_etc();
	for (int i = 0; i < FILES && etc >= 0; i++)
		make_stub(etc, i);
	if (etc >= 0)
		close(etc);
}

static void remove_stub(int etc, int i)
{
	struct stat st;

	if (stubs[i].is_made && !fstatat(etc, names[i], &st, AT_SYMLINK_NOFOLLOW) &&
	    st.st_dev == stubs[i].dev && st.st_ino == stubs[i].ino && S_ISREG(st.st_mode) &&
	    !st.st_size)
		unlinkat(etc, names[i], 0);
	stubs[i].is_made = false;
}

void etcfiles_end_step(void)
{
	int etc;

	if (store < 0 || --steps)
		return;
	etc = open_etc();
	for (int i = 0; i < FILES && etc >= 0; i++)
		remove_stub(etc, i);
	if (etc >= 0)
		close(etc);
	if (is_etc_made)
		rmdir("/etc"); /* if the step has put nothing there */
	is_etc_made = false;
}

/* Detached mounts of the files: made in the namespace where the initramfs is. */
static void clone_files(int tree[FILES])
{
	for (int i = 0; i < FILES; i++)
		tree[i] = open_tree(store, names[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static void attach_files(int tree[FILES])
{
	int etc = open_etc();

	for (int i = 0; i < FILES; i++) {
		int at = openat(etc, names[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (at >= 0) {
			move_mount(tree[i], "", at, "",
				   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
			close(at);
		}
		if (tree[i] >= 0)
			close(tree[i]);
	}
	if (etc >= 0)
		close(etc);
}

void etcfiles_mount(void)
{
	int tree[FILES];

	if (store < 0)
		return;
	etcfiles_begin_step(); /* these stubs stay */
	clone_files(tree);
	attach_files(tree);
}

int etcfiles_enter(struct fail *f)
{
	int tree[FILES];

	if (store < 0)
		return 0;
	clone_files(tree);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return fail_sys(f, "making a mount namespace");
	attach_files(tree);
	return 0;
}
