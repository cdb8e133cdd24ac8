#include "etcfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.h"
#include "sysfile.h"

enum { HOSTS, RESOLV_CONF, HOSTNAME, STEP_FILES, MACHINE_ID = STEP_FILES, FILES };
enum { TEXT_MAX = 1024 };

static const char *const names[FILES] = {
	[HOSTS] = "hosts",
	[RESOLV_CONF] = "resolv.conf",
	[HOSTNAME] = "hostname",
	[MACHINE_ID] = "machine-id",
};

/* A stub that we made: removed only if it is still the same, empty file. */
struct stub {
	bool is_made;
	dev_t dev;
	ino_t ino;
};

static int store = -1;
static int files[FILES]; /* open for writing; with what they hold: */
static char texts[FILES][TEXT_MAX];
static char *maps[FILES]; /* their first page, or NULL */
static struct stub stubs[FILES];
static bool is_etc_made;
static unsigned steps;

int etcfiles_init(const char *path, struct fail *f)
{
	mkdir(path, 0755);
	store = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (store < 0)
		return fail_sys(f, "opening %s", path);
	for (int i = 0; i < FILES; i++) {
		files[i] = openat(store, names[i], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (files[i] < 0)
			return fail_sys(f, "making %s/%s", path, names[i]);
		maps[i] = mmap(NULL, TEXT_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, files[i], 0);
		if (maps[i] == MAP_FAILED)
			maps[i] = NULL;
	}
	return 0;
}

/* As little as possible: this stands between a restore and its first command. Text of the same
 * length goes straight into the file's page. */
static int set(int i, const char *text, struct fail *f)
{
	size_t n = strlen(text), old = strlen(texts[i]);

	if (store < 0 || !strcmp(text, texts[i]))
		return 0;
	if (n == old && maps[i])
		memcpy(maps[i], text, n);
	else if (pwrite(files[i], text, n, 0) != (ssize_t)n ||
		 (n < old && ftruncate(files[i], (off_t)n)))
		return fail_sys(f, "writing the guest's /etc/%s", names[i]);
	memcpy(texts[i], text, n + 1);
	return 0;
}

int etcfiles_set_hostname(const char *hostname, bool has_network, struct fail *f)
{
	char hosts[TEXT_MAX], line[TEXT_MAX];

	snprintf(hosts, sizeof(hosts),
		 "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
		 "fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\n"
		 "ff02::2\tip6-allrouters\n%s\t%s\n",
		 has_network ? NET_ADDRESS : "127.0.1.1", hostname);
	snprintf(line, sizeof(line), "%s\n", hostname);
	if (set(HOSTS, hosts, f) || set(HOSTNAME, line, f))
		return -1;
	return set(RESOLV_CONF, has_network ? "nameserver " NET_NAMESERVER "\n" : "", f);
}

int etcfiles_set_machine_id(const char *id, struct fail *f)
{
	char line[TEXT_MAX];

	snprintf(line, sizeof(line), "%s\n", id);
	return set(MACHINE_ID, line, f);
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

static void make_stubs(int n)
{
	int etc;

	is_etc_made = mkdir("/etc", 0755) == 0;
	etc = open_etc();
	for (int i = 0; i < n && etc >= 0; i++)
		make_stub(etc, i);
	if (etc >= 0)
		close(etc);
}

void etcfiles_begin_step(void)
{
	if (store >= 0 && !steps++)
		make_stubs(STEP_FILES);
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

/* What a step has written to it is for that step: the next one may run in this machine or in
 * another, and has to see the same. */
static void reset(int i)
{
	size_t n = strlen(texts[i]);

	if (pwrite(files[i], texts[i], n, 0) != (ssize_t)n || ftruncate(files[i], (off_t)n) ||
	    fchown(files[i], 0, 0) || fchmod(files[i], 0644))
		return; /* memory is all it takes */
}

void etcfiles_end_step(void)
{
	int etc;

	if (store < 0 || --steps)
		return;
	for (int i = 0; i < STEP_FILES; i++)
		reset(i);
	etc = open_etc();
	for (int i = 0; i < STEP_FILES && etc >= 0; i++)
		remove_stub(etc, i);
	if (etc >= 0)
		close(etc);
	if (is_etc_made)
		rmdir("/etc"); /* if the step has put nothing there */
	is_etc_made = false;
}

/* Detached mounts of the files: made in the namespace where the initramfs is. */
static void clone_files(int tree[FILES], int n)
{
	for (int i = 0; i < n; i++)
		tree[i] = open_tree(store, names[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static void attach_files(int tree[FILES], int n)
{
	int etc = open_etc();

	for (int i = 0; i < n; i++) {
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
	make_stubs(FILES);
	clone_files(tree, FILES);
	attach_files(tree, FILES);
}

int etcfiles_enter(struct fail *f)
{
	int tree[FILES];

	if (store < 0)
		return 0;
	clone_files(tree, STEP_FILES);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return fail_sys(f, "making a mount namespace");
	attach_files(tree, STEP_FILES);
	return 0;
}
