#include "decode.h"

#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <string.h>
#include <zstd.h>

struct decode {
	struct feed from;
	const uint8_t *at; /* left bytes that were lent and not used */
	size_t left;
	bool is_begun, is_eof, is_mid_frame; /* mid: an end here means the stream was cut */
	struct inflate_state *gzip;
	ZSTD_DStream *zstd;
};

/* At the end left stays 0 and is_eof is set. */
static int refill(struct decode *d, struct err **e)
{
	int more = d->from.next(d->from.arg, &d->at, &d->left, e);

	if (more < 0)
		return -1;
	if (!more)
		d->left = 0;
	d->is_eof = !more;
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
	d->is_begun = true;
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
	}
	return 0;
}

struct decode *decode_new(const struct feed *from)
{
	struct decode *d = xcalloc(1, sizeof(*d));

	d->from = *from;
	return d;
}

void decode_free(struct decode *d)
{
	if (!d)
		return;
	ZSTD_freeDStream(d->zstd);
	free(d->gzip);
	free(d);
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
	if (!d->left && !d->is_eof && refill(d, e))
		return -1;
	*ret_n = d->left < cap ? d->left : cap;
	if (!*ret_n)
		return 0;
	memcpy(out, d->at, *ret_n);
	d->at += *ret_n;
	d->left -= *ret_n;
	return 0;
}

int decode_read(struct decode *d, void *out, size_t cap, size_t *ret_n, struct err **e)
{
	uint8_t *p = out;
	size_t n = 0;

	if (!d->is_begun && choose_format(d, e))
		return -1;
	while (n < cap) {
		bool is_plain = !d->gzip && !d->zstd;
		size_t more = 0;

		if (is_plain ? copy_some(d, p + n, cap - n, &more, e)
			     : decode_some(d, p + n, cap - n, &more, e))
			return -1;
		n += more;
		if (!d->left && d->is_eof && !d->is_mid_frame)
			break;
	}
	*ret_n = n;
	return n > 0;
}
