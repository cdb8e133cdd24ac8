#include "snapshot/memory.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20 };

/* A run of zero pages that isn't punched yet. */
struct run {
	off_t start, end; /* empty: start == end */
};

static bool is_zero(const uint64_t *page)
{
	/* A page in use nearly always differs in its first words. */
	for (size_t i = 0; i < MEMORY_PAGE_BYTES / 8; i += 8)
		if (page[i] | page[i + 1] | page[i + 2] | page[i + 3] | page[i + 4] |
		    page[i + 5] | page[i + 6] | page[i + 7])
			return false;
	return true;
}

static int punch(int fd, struct run *r, struct err **e)
{
	if (r->start < r->end && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					   r->start, r->end - r->start)) {
		/* A file system without holes keeps the zeros: correct, only larger. */
		if (errno != EOPNOTSUPP)
			return err_sys(e, "making holes in the memory file");
	}
	r->start = r->end = 0;
	return 0;
}

static int punch_chunk(int fd, const uint64_t *words, off_t at, size_t n, struct run *r,
		       uint64_t *data_bytes, struct err **e)
{
	for (size_t i = 0; i < n; i += MEMORY_PAGE_BYTES) {
		off_t page = at + (off_t)i;

		if (is_zero(words + i / 8)) {
			if (r->end != page && punch(fd, r, e))
				return -1;
			if (r->start == r->end)
				r->start = page;
			r->end = page + MEMORY_PAGE_BYTES;
		} else {
			*data_bytes += MEMORY_PAGE_BYTES;
		}
	}
	return 0;
}

/* Reads n bytes; what lies behind the end of the file is zero. */
static int read_chunk(int fd, void *buf, size_t n, off_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, (char *)buf + done, n - done, at + (off_t)done);

		if (got < 0 && errno != EINTR)
			return -1;
		if (got == 0) {
			memset((char *)buf + done, 0, n - done);
			break;
		}
		if (got > 0)
			done += (size_t)got;
	}
	return 0;
}

/* One extent of data, [at, end). */
static int punch_extent(int fd, uint64_t *buf, off_t at, off_t end, struct run *r,
			uint64_t *data_bytes, struct err **e)
{
	for (; at < end; at += CHUNK_BYTES) {
		size_t n = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;

		n = (n + MEMORY_PAGE_BYTES - 1) & ~((size_t)MEMORY_PAGE_BYTES - 1);
		if (read_chunk(fd, buf, n, at))
			return err_sys(e, "reading the memory file");
		if (punch_chunk(fd, buf, at, n, r, data_bytes, e))
			return -1;
	}
	return 0;
}

int memory_punch_zeros(int fd, uint64_t *ret_data_bytes, struct err **e)
{
	autofree uint64_t *buf = xmalloc(CHUNK_BYTES);
	uint64_t data_bytes = 0;
	struct run r = { 0 };
	off_t at = 0;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(fd, at, SEEK_HOLE);

		if (end < 0)
			return err_sys(e, "reading the memory file");
		if (punch_extent(fd, buf, at, end, &r, &data_bytes, e))
			return -1;
		at = end;
	}
	if (errno != ENXIO) /* ENXIO: no data behind here */
		return err_sys(e, "reading the memory file");
	if (punch(fd, &r, e))
		return -1;
	if (ret_data_bytes)
		*ret_data_bytes = data_bytes;
	return 0;
}
