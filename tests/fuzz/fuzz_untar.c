/*
 * Archives from outside: unpacked as a context, and as files of an image. Beside the directory
 * that is given lies nothing afterwards but what lay there before.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "context/archivetree.h"
#include "context/untar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct err *e)
{
	if (e && e->code == ERR_BUG)
		abort();
}

static int count(const char *dir)
{
	DIR *stream = opendir(dir);
	int n = 0;

	while (stream && readdir(stream))
		n++;
	closedir(stream);
	return n;
}

static void as_context(int fd, const char *top)
{
	autofree char *root = xasprintf("%s/root", top);
	autofree char *scratch = xasprintf("%s/scratch1", top);
	AUTO(untar) u = NULL;
	AUTO(err) e = NULL;

	if (fs_mkdirs(root, 0700, &e))
		abort();
	if (untar_open(fd, scratch, &u, &e) == 0)
		(void)untar_into(u, root, &e);
	check_error(e);
}

static void as_tree(int fd, const char *top)
{
	autofree char *blobs = xasprintf("%s/blobs", top);
	autofree char *scratch = xasprintf("%s/scratch2", top);
	AUTO(packlist) list = packlist_new();
	AUTO(untar) u = NULL;
	AUTO(err) e = NULL;
	autoclose int blob_fd = -1;

	if (fs_mkdirs(blobs, 0700, &e))
		abort();
	blob_fd = open(blobs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (untar_open(fd, scratch, &u, &e) == 0)
		(void)archivetree_add(untar_layer(u), "p", blob_fd, 1, list, &e);
	check_error(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char top[] = "/tmp/kiln-untar.XXXXXX";
	autoclose int fd = memfd_create("archive", MFD_CLOEXEC);
	struct err *e = NULL;

	if (!mkdtemp(top) || fs_write_full(fd, data, size))
		abort();
	as_context(fd, top);
	as_tree(fd, top);
	/* ".", "..", root, blobs, two scratch files. */
	if (count(top) != 6)
		abort();
	if (fs_remove_tree(top, &e))
		err_drop(&e);
	return 0;
}
