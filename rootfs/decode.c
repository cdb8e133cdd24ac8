#include "decode.h"

#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zstd.h>

enum { IN_BYTES = 256 << 10 };

struct decode {
	int fd;
	char *path;
	uint8_t *in; /* IN_BYTES; at[0..left) is unread */
	const uint8_t *at;
	size_t left;
	uint64_t done_bytes;
	bool is_eof, is_mid_frame; /* mid: an end of file here means the stream was cut */
	struct sha256 *hash;
	struct inflate_state *gzip;
	ZSTD_DStream *zstd;
};

static int read_some(struct decode *d, uint8_t *out, size_t cap, size_t *ret_n, struct err **e)
{
	ssize_t n;

	do
		n = read(d->fd, out, cap);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "reading %s", d->path);
	d->is_eof = n == 0;
	__atomic_store_n(&d->done_bytes, d->done_bytes + (uint64_t)n, __ATOMIC_RELAXED);
	*ret_n = (size_t)n;
	return 0;
}

/* Replaces the used-up input. At the end of the file left stays 0 and is_eof is set. */
static int refill(struct decode *d, struct err **e)
{
	if (read_some(d, d->in, IN_BYTES, &d->left, e))
		return -1;
	d->at = d->in;
	if (d->hash)
		sha256_add(d->hash, d->in, d->left);
	return 0;
}

static bool is_gzip(const uint8_t *p, size_t n)
{
	return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

/* RFC 8878: 3.1.1 (a frame) and 3.1.2 (a skippable frame: 0x184D2A5?). */
static bool is_zstd(const uint8_t *p, size_t n)
{
	if (n < 4)
		return false;
	return (p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd) ||
	       ((p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18);
}

static void start_member(struct decode *d)
{
	isal_inflate_reset(d->gzip);
	d->gzip->crc_flag = ISAL_GZIP; /* reads header and trailer, checks CRC and length */
	d->is_mid_frame = true;
}

static int choose_format(struct decode *d, struct err **e)
{
	/* The first read of a regular file brings more than the magic, or the whole file. */
	if (refill(d, e))
		return -1;
	if (is_gzip(d->at, d->left)) {
		d->gzip = xmalloc(sizeof(*d->gzip));
		isal_inflate_init(d->gzip);
		start_member(d);
	} else if (is_zstd(d->at, d->left)) {
		d->zstd = ZSTD_createDStream();
		if (!d->zstd)
			abort();
		d->is_mid_frame = true;
	} else if (d->hash) {
		sha256_free(d->hash);
		d->hash = NULL;
	}
	return 0;
}

int decode_open(const char *path, bool is_hashed, struct decode **ret, struct err **e)
{
	AUTO(decode) d = xcalloc(1, sizeof(*d));

	d->path = xstrdup(path);
	d->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (d->fd < 0)
		return err_sys(e, "opening %s", path);
	posix_fadvise(d->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	d->in = xmalloc(IN_BYTES);
	if (is_hashed)
		d->hash = sha256_new();
	if (choose_format(d, e))
		return -1;
	*ret = take(d);
	return 0;
}

void decode_free(struct decode *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	ZSTD_freeDStream(d->zstd);
	sha256_free(d->hash);
	free(d->gzip);
	free(d->in);
	free(d->path);
	free(d);
}

bool decode_is_plain(const struct decode *d)
{
	return !d->gzip && !d->zstd;
}

static const char *isal_text(int code)
{
	switch (code) {
	case ISAL_INCORRECT_CHECKSUM:
		return "its checksum is wrong";
	case ISAL_INVALID_WRAPPER:
	case ISAL_UNSUPPORTED_METHOD:
		return "its header is malformed";
	default:
		return "its compressed data is malformed";
	}
}

/* One step with input at hand. */
static int inflate_some(struct decode *d, uint8_t *out, size_t cap, size_t *ret_n,
			struct err **e)
{
	struct inflate_state *z = d->gzip;
	int code;

	*ret_n = 0;
	if (!d->is_mid_frame) {
		/* Between members. The magic may be split over two reads: one byte decides,
		 * and the header parser sees the other. */
		if (d->at[0] != 0x1f)
			return err_set(e, ERR_CORRUPT, "bytes follow the gzip stream");
		start_member(d);
	}
	z->next_in = (uint8_t *)d->at;
	z->avail_in = (uint32_t)d->left;
	z->next_out = out;
	z->avail_out = (uint32_t)cap;
	code = isal_inflate(z);
	if (code < 0 || code == ISAL_NEED_DICT)
		return err_set(e, ERR_CORRUPT, "damaged gzip stream: %s", isal_text(code));
	d->at = z->next_in;
	d->left = z->avail_in;
	*ret_n = cap - z->avail_out;
	if (z->block_state == ISAL_BLOCK_FINISH)
		d->is_mid_frame = false;
	return 0;
}

static int unzstd_some(struct decode *d, uint8_t *out, size_t cap, size_t *ret_n,
		       struct err **e)
{
	ZSTD_inBuffer in = { .src = d->at, .size = d->left };
	ZSTD_outBuffer to = { .dst = out, .size = cap };
	size_t code = ZSTD_decompressStream(d->zstd, &to, &in);

	if (ZSTD_isError(code)) {
		bool is_window = strstr(ZSTD_getErrorName(code), "too much memory");

		return err_set(e, is_window ? ERR_LIMIT : ERR_CORRUPT,
			       "damaged zstd stream: %s", ZSTD_getErrorName(code));
	}
	d->at += in.pos;
	d->left -= in.pos;
	d->is_mid_frame = code != 0;
	*ret_n = to.pos;
	return 0;
}

/* Both decoders may hold output back when there is no room for it: at the end of the input
 * they are asked once more before the stream counts as cut. */
static int decode_some(struct decode *d, uint8_t *out, size_t cap, size_t *ret_n,
		       struct err **e)
{
	size_t before;

	*ret_n = 0;
	if (!d->left && !d->is_eof && refill(d, e))
		return -1;
	if (!d->left && !d->is_mid_frame)
		return 0;
	before = d->left;
	if (d->gzip ? inflate_some(d, out, cap, ret_n, e) : unzstd_some(d, out, cap, ret_n, e))
		return -1;
	if (before && d->left == before && !*ret_n)
		return err_set(e, ERR_CORRUPT, "damaged %s stream: it leads nowhere",
			       d->gzip ? "gzip" : "zstd");
	if (!d->left && d->is_eof && d->is_mid_frame && !*ret_n)
		return err_set(e, ERR_CORRUPT, "truncated %s stream",
			       d->gzip ? "gzip" : "zstd");
	return 0;
}

static int copy_some(struct decode *d, uint8_t *out, size_t cap, size_t *ret_n, struct err **e)
{
	/* What choose_format() read comes first; all else goes straight to the caller. */
	if (!d->left && !d->is_eof)
		return read_some(d, out, cap, ret_n, e);
	*ret_n = d->left < cap ? d->left : cap;
	memcpy(out, d->at, *ret_n);
	d->at += *ret_n;
	d->left -= *ret_n;
	return 0;
}

int decode_read(struct decode *d, void *out, size_t cap, size_t *ret_n, struct err **e)
{
	uint8_t *p = out;
	size_t n = 0;

	while (n < cap) {
		size_t more = 0;

		if (decode_is_plain(d) ? copy_some(d, p + n, cap - n, &more, e)
				       : decode_some(d, p + n, cap - n, &more, e))
			return -1;
		n += more;
		if (!d->left && d->is_eof && !d->is_mid_frame)
			break;
	}
	*ret_n = n;
	return n > 0;
}

uint64_t decode_done_bytes(const struct decode *d)
{
	return __atomic_load_n(&d->done_bytes, __ATOMIC_RELAXED);
}

void decode_file_hash(struct decode *d, char ret[SHA256_HEX + 1])
{
	sha256_end_hex(d->hash, ret);
}
