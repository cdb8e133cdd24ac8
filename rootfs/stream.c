#include "stream.h"

#include <pthread.h>
#include <string.h>

#include "decode.h"
#include "input.h"
#include "ring.h"

struct stage {
	pthread_t thread;
	bool is_running;
};

/* Hashes what one reader of a ring sees. */
struct digest {
	struct stage stage;
	struct ring *ring;
	struct sha256 *hash;
};

struct stream {
	struct rootfs_layer from;
	struct input *input;
	struct decode *decode;
	struct ring *stored, *tar;
	struct stage reading, decoding;
	struct digest stored_digest, tar_digest;
};

enum { READER = 0, DIGEST = 1 };

static int stage_start(struct stage *st, void *(*work)(void *), void *arg, struct err **e)
{
	int code = pthread_create(&st->thread, NULL, work, arg);

	if (code) {
		errno = code;
		return err_sys(e, "starting a thread");
	}
	st->is_running = true;
	return 0;
}

static void stage_wait(struct stage *st)
{
	if (st->is_running)
		pthread_join(st->thread, NULL);
	st->is_running = false;
}

static void *read_ahead(void *arg)
{
	struct stream *s = arg;
	struct err *why = NULL;
	uint8_t *room;
	size_t n = 1;

	while (n && (room = ring_room(s->stored))) {
		if (input_read(s->input, room, STREAM_STORED_BYTES, &n, &why))
			break;
		ring_put(s->stored, n);
	}
	ring_end(s->stored, why);
	return NULL;
}

static int next_stored(void *arg, const uint8_t **ret_bytes, size_t *ret_n, struct err **e)
{
	struct stream *s = arg;

	return ring_next(s->stored, READER, ret_bytes, ret_n, e);
}

static void *decode_ahead(void *arg)
{
	struct stream *s = arg;
	struct err *why = NULL;
	uint8_t *room;
	size_t n;

	while ((room = ring_room(s->tar))) {
		if (decode_read(s->decode, room, STREAM_TAR_BYTES, &n, &why) <= 0)
			break;
		ring_put(s->tar, n);
	}
	ring_end(s->tar, why);
	return NULL;
}

static void *hash_all(void *arg)
{
	struct digest *d = arg;
	const uint8_t *bytes;
	size_t n;

	while (ring_next(d->ring, DIGEST, &bytes, &n, NULL) > 0)
		sha256_add(d->hash, bytes, n);
	return NULL;
}

static int digest_start(struct digest *d, struct ring *ring, struct err **e)
{
	d->ring = ring;
	d->hash = sha256_new();
	return stage_start(&d->stage, hash_all, d, e);
}

/* A plain layer has one digest under two names. */
static bool is_digest_wanted(const struct rootfs_layer *from)
{
	return from->digest && !(from->diff_id && streq(from->digest, from->diff_id));
}

static int check_form(const char *digest, struct err **e)
{
	if (digest && (!str_starts(digest, "sha256:") ||
		       strlen(digest) != strlen("sha256:") + SHA256_HEX))
		return err_set(e, ERR_USAGE, "digest '%s' is no sha256 digest", digest);
	return 0;
}

int stream_open(const struct rootfs_layer *from, struct stream **ret, struct err **e)
{
	AUTO(stream) s = xcalloc(1, sizeof(*s));
	struct feed feed = { next_stored, s };
	bool is_hashed = is_digest_wanted(from);

	s->from = *from;
	if (check_form(from->digest, e) || check_form(from->diff_id, e) ||
	    input_open(from, &s->input, e))
		return -1;
	s->decode = decode_new(&feed);
	s->stored = ring_new(STREAM_STORED_BYTES, STREAM_STORED_PIECES, is_hashed ? 2 : 1);
	s->tar = ring_new(STREAM_TAR_BYTES, STREAM_TAR_PIECES, 2);
	if ((is_hashed && digest_start(&s->stored_digest, s->stored, e)) ||
	    digest_start(&s->tar_digest, s->tar, e) ||
	    stage_start(&s->decoding, decode_ahead, s, e) ||
	    stage_start(&s->reading, read_ahead, s, e))
		return -1;
	*ret = take(s);
	return 0;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->stored)
		ring_stop(s->stored);
	if (s->tar)
		ring_stop(s->tar);
	stage_wait(&s->reading);
	stage_wait(&s->decoding);
	stage_wait(&s->stored_digest.stage);
	stage_wait(&s->tar_digest.stage);
	sha256_free(s->stored_digest.hash);
	sha256_free(s->tar_digest.hash);
	ring_free(s->stored);
	ring_free(s->tar);
	decode_free(s->decode);
	input_free(s->input);
	free(s);
}

int stream_next(struct stream *s, const uint8_t **ret_bytes, size_t *ret_n, struct err **e)
{
	return ring_next(s->tar, READER, ret_bytes, ret_n, e);
}

static int compare(const char *what, const char *hex, const char *want, struct err **e)
{
	if (want && !streq(hex, want + strlen("sha256:")))
		return err_set(e, ERR_CORRUPT, "%s is sha256:%s, not %s", what, hex, want);
	return 0;
}

int stream_check(struct stream *s, char ret_tar_hex[SHA256_HEX + 1], struct err **e)
{
	char hex[SHA256_HEX + 1];

	if (s->stored_digest.hash) {
		stage_wait(&s->stored_digest.stage);
		sha256_end_hex(s->stored_digest.hash, hex);
		if (compare("its digest", hex, s->from.digest, e))
			return -1;
	}
	stage_wait(&s->tar_digest.stage);
	sha256_end_hex(s->tar_digest.hash, ret_tar_hex);
	return compare("the digest of its tar", ret_tar_hex, s->from.diff_id, e);
}

uint64_t stream_done_bytes(const struct stream *s)
{
	return input_done_bytes(s->input);
}
