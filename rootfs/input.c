#include "input.h"

#include <fcntl.h>
#include <stdatomic.h>

struct input {
	int (*read)(void *arg, void *buf, size_t cap, size_t *ret_n, struct err **e);
	void *arg;
	/* The file, if there is no function: */
	int fd;
	char *path;
	uint64_t left_bytes; /* of the part */
	atomic_uint_fast64_t done_bytes;
};

static int read_file(void *arg, void *buf, size_t cap, size_t *ret_n, struct err **e)
{
	struct input *in = arg;
	ssize_t n;

	if (cap > in->left_bytes)
		cap = (size_t)in->left_bytes;
	do
		n = cap ? read(in->fd, buf, cap) : 0;
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "reading %s", in->path);
	in->left_bytes -= (uint64_t)n;
	*ret_n = (size_t)n;
	return 0;
}

static int open_file(struct input *in, const struct rootfs_layer *from, struct err **e)
{
	in->path = xstrdup(from->path);
	in->fd = open(from->path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 ||
	    (from->offset_bytes && lseek(in->fd, (off_t)from->offset_bytes, SEEK_SET) < 0))
		return err_sys(e, "opening %s", from->path);
	posix_fadvise(in->fd, (off_t)from->offset_bytes, (off_t)from->size_bytes,
		      POSIX_FADV_SEQUENTIAL);
	in->left_bytes = from->size_bytes ? from->size_bytes : UINT64_MAX;
	in->read = read_file;
	in->arg = in;
	return 0;
}

int input_open(const struct rootfs_layer *from, struct input **ret, struct err **e)
{
	AUTO(input) in = xcalloc(1, sizeof(*in));

	in->fd = -1;
	in->read = from->read;
	in->arg = from->arg;
	if (!from->read && open_file(in, from, e))
		return -1;
	*ret = take(in);
	return 0;
}

void input_free(struct input *in)
{
	if (!in)
		return;
	if (in->fd >= 0)
		close(in->fd);
	free(in->path);
	free(in);
}

int input_read(struct input *in, void *out, size_t cap, size_t *ret_n, struct err **e)
{
	size_t n = 0, some = 1;

	while (n < cap && some) {
		if (in->read(in->arg, (uint8_t *)out + n, cap - n, &some, e))
			return -1;
		n += some;
		atomic_fetch_add(&in->done_bytes, some);
	}
	*ret_n = n;
	return 0;
}

uint64_t input_done_bytes(const struct input *in)
{
	return atomic_load(&in->done_bytes);
}
