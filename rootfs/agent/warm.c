#include "warm.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sysfile.h"

enum {
	WARM_FILE_BYTES = 64 << 10, /* larger ones are left out: most of coreutils is smaller */
	WARM_TOTAL_BYTES = 8 << 20, /* less than one percent of 1 GiB */
	WARM_FILES = 2048,          /* looked at, in all directories together */
	FOLDERS_MAX = 8,
};

/* Those of the usual PATH that are there. */
struct folders {
	int fd[FOLDERS_MAX];
	struct stat seen[FOLDERS_MAX];
	size_t n;
};

struct budget {
	size_t left_bytes;
	unsigned left_files;
};

static void warm_file(int dir, const char *name, struct budget *b)
{
	static char bytes[WARM_FILE_BYTES];
	struct stat st;
	ssize_t n;
	int fd;

	if (fstatat(dir, name, &st, 0) || !S_ISREG(st.st_mode) || !(st.st_mode & 0111) ||
	    st.st_size > WARM_FILE_BYTES || (size_t)st.st_size > b->left_bytes)
		return;
	fd = sysfile_open_at(dir, name);
	if (fd < 0)
		return;
	n = read(fd, bytes, sizeof(bytes));
	if (n > 0)
		b->left_bytes -= (size_t)n < b->left_bytes ? (size_t)n : b->left_bytes;
	close(fd);
}

/* Whoever looks for a program in PATH looks for it in other folders first: that it isn't there
 * is remembered as well. */
static void miss(const struct folders *f, int dir, const char *name)
{
	struct stat st;

	for (size_t i = 0; i < f->n; i++)
		if (f->fd[i] != dir)
			fstatat(f->fd[i], name, &st, AT_SYMLINK_NOFOLLOW);
}

static void warm_folder(const struct folders *f, int fd, struct budget *b)
{
	DIR *dir = fdopendir(dup(fd));
	struct dirent *ent;

	if (!dir)
		return;
	for (; b->left_files && (ent = readdir(dir)); b->left_files--) {
		warm_file(fd, ent->d_name, b);
		miss(f, fd, ent->d_name);
	}
	closedir(dir);
}

/* /bin and /usr/bin are often one. */
static void add_folder(struct folders *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	bool is_new = fd >= 0 && fstat(fd, &st) == 0 && f->n < FOLDERS_MAX;

	for (size_t i = 0; is_new && i < f->n; i++)
		is_new = st.st_dev != f->seen[i].st_dev || st.st_ino != f->seen[i].st_ino;
	if (is_new) {
		f->fd[f->n] = fd;
		f->seen[f->n++] = st;
	} else if (fd >= 0) {
		close(fd);
	}
}

void warm_programs(void)
{
	static const char *const paths[] = {
		"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin",
	};
	struct budget b = { WARM_TOTAL_BYTES, WARM_FILES };
	struct folders f = { .n = 0 };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		add_folder(&f, paths[i]);
	for (size_t i = 0; i < f.n; i++)
		warm_folder(&f, f.fd[i], &b);
	for (size_t i = 0; i < f.n; i++)
		close(f.fd[i]);
}
