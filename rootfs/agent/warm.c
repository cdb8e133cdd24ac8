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
	DIRS_MAX = 16,
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

static void warm_folder(int fd, struct budget *b)
{
	DIR *dir = fdopendir(fd);
	struct dirent *ent;

	if (!dir) {
		close(fd);
		return;
	}
	for (; b->left_files && (ent = readdir(dir)); b->left_files--)
		warm_file(dirfd(dir), ent->d_name, b);
	closedir(dir);
}

/* /bin and /usr/bin are often one. */
static bool is_new(int fd, struct stat *seen, size_t *n)
{
	struct stat st;

	if (fstat(fd, &st) || *n == DIRS_MAX)
		return false;
	for (size_t i = 0; i < *n; i++)
		if (seen[i].st_dev == st.st_dev && seen[i].st_ino == st.st_ino)
			return false;
	seen[(*n)++] = st;
	return true;
}

void warm_programs(void)
{
	static const char *const folders[] = {
		"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin",
	};
	struct budget b = { WARM_TOTAL_BYTES, WARM_FILES };
	struct stat seen[DIRS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		int fd = open(folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && is_new(fd, seen, &n))
			warm_folder(fd, &b);
		else if (fd >= 0)
			close(fd);
	}
}
