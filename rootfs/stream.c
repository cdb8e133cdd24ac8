#include "stream.h"

#include <pthread.h>

struct stream {
	struct decode *decode;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Pieces [n_read, n_filled) are the reader's; the one it was lent last is n_read - 1,
	 * and stays its own until it asks for the next. */
	uint8_t *pieces[STREAM_PIECES];
	size_t sizes[STREAM_PIECES];
	uint64_t n_filled, n_read;
	bool is_ended, is_stopped;
	struct err *err; /* the thread's; handed over with is_ended */
};

static bool is_full(const struct stream *s)
{
	uint64_t n_given_back = s->n_read ? s->n_read - 1 : 0;

	return s->n_filled - n_given_back >= STREAM_PIECES;
}

/* Waits for a piece that the reader has done with. False: it wants no more. */
static bool wait_for_room(struct stream *s)
{
	bool is_stopped;

	pthread_mutex_lock(&s->lock);
	while (!s->is_stopped && is_full(s))
		pthread_cond_wait(&s->changed, &s->lock);
	is_stopped = s->is_stopped;
	pthread_mutex_unlock(&s->lock);
	return !is_stopped;
}

static void *fill(void *arg)
{
	struct stream *s = arg;
	int more = 1;

	while (more > 0 && wait_for_room(s)) {
		size_t slot = s->n_filled % STREAM_PIECES;
		struct err *err = NULL;

		more = decode_read(s->decode, s->pieces[slot], STREAM_PIECE_BYTES,
				   &s->sizes[slot], &err);
		pthread_mutex_lock(&s->lock);
		if (more > 0)
			s->n_filled++;
		else
			s->is_ended = true;
		s->err = err;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

int stream_open(const char *path, bool is_hashed, struct stream **ret, struct err **e)
{
	AUTO(stream) s = xcalloc(1, sizeof(*s));
	int code;

	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (decode_open(path, is_hashed, &s->decode, e))
		return -1;
	for (int i = 0; i < STREAM_PIECES; i++)
		s->pieces[i] = xmalloc(STREAM_PIECE_BYTES);
	code = pthread_create(&s->thread, NULL, fill, s);
	if (code) {
		errno = code;
		return err_sys(e, "starting a thread");
	}
	s->has_thread = true;
	*ret = take(s);
	return 0;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->has_thread) {
		pthread_mutex_lock(&s->lock);
		s->is_stopped = true;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	for (int i = 0; i < STREAM_PIECES; i++)
		free(s->pieces[i]);
	decode_free(s->decode);
	err_free(s->err);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int stream_next(struct stream *s, const uint8_t **ret_bytes, size_t *ret_n, struct err **e)
{
	int more = 0;

	pthread_mutex_lock(&s->lock);
	while (s->n_read == s->n_filled && !s->is_ended)
		pthread_cond_wait(&s->changed, &s->lock);
	if (s->n_read < s->n_filled) {
		*ret_bytes = s->pieces[s->n_read % STREAM_PIECES];
		*ret_n = s->sizes[s->n_read % STREAM_PIECES];
		s->n_read++; /* which gives back the piece before it */
		pthread_cond_broadcast(&s->changed);
		more = 1;
	} else if (s->err) {
		*e = take(s->err);
		more = -1;
	}
	pthread_mutex_unlock(&s->lock);
	return more;
}

struct decode *stream_decode(struct stream *s)
{
	return s->decode;
}
