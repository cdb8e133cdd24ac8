#include "ring.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

enum { PIECES_MAX = 64 };

struct ring {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t piece_bytes;
	unsigned n_pieces, n_readers;
	uint8_t *pieces[PIECES_MAX];
	size_t sizes[PIECES_MAX];
	/* Counts since the beginning; piece i lies in slot i % n_pieces. */
	uint64_t n_put;
	uint64_t n_lent[RING_READERS_MAX]; /* the last one of them is in use */
	bool is_ended, is_stopped;
	struct err *why;
};

struct ring *ring_new(size_t piece_bytes, unsigned n_pieces, unsigned n_readers)
{
	struct ring *r = xcalloc(1, sizeof(*r));

	assert(n_pieces <= PIECES_MAX && n_readers <= RING_READERS_MAX);
	r->piece_bytes = piece_bytes;
	r->n_pieces = n_pieces;
	r->n_readers = n_readers;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	return r;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->n_pieces; i++)
		free(r->pieces[i]);
	err_free(r->why);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static bool is_full(const struct ring *r)
{
	for (unsigned i = 0; i < r->n_readers; i++) {
		uint64_t n_done = r->n_lent[i] ? r->n_lent[i] - 1 : 0;

		if (r->n_put - n_done >= r->n_pieces)
			return true;
	}
	return false;
}

uint8_t *ring_room(struct ring *r)
{
	size_t slot;
	bool is_stopped;

	pthread_mutex_lock(&r->lock);
	while (!r->is_stopped && is_full(r))
		pthread_cond_wait(&r->changed, &r->lock);
	is_stopped = r->is_stopped;
	slot = r->n_put % r->n_pieces;
	pthread_mutex_unlock(&r->lock);
	if (is_stopped)
		return NULL;
	if (!r->pieces[slot]) /* short layers need few */
		r->pieces[slot] = xmalloc(r->piece_bytes);
	return r->pieces[slot];
}

void ring_put(struct ring *r, size_t n)
{
	if (!n)
		return;
	pthread_mutex_lock(&r->lock);
	r->sizes[r->n_put++ % r->n_pieces] = n;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

void ring_end(struct ring *r, struct err *why)
{
	pthread_mutex_lock(&r->lock);
	r->is_ended = true;
	r->why = why;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

int ring_next(struct ring *r, unsigned reader, const uint8_t **ret_bytes, size_t *ret_n,
	      struct err **e)
{
	uint64_t *n_lent = &r->n_lent[reader];
	int more = 0;

	pthread_mutex_lock(&r->lock);
	while (*n_lent == r->n_put && !r->is_ended && !r->is_stopped)
		pthread_cond_wait(&r->changed, &r->lock);
	if (*n_lent < r->n_put && !r->is_stopped) {
		*ret_bytes = r->pieces[*n_lent % r->n_pieces];
		*ret_n = r->sizes[*n_lent % r->n_pieces];
		++*n_lent; /* which gives back the piece before it */
		pthread_cond_broadcast(&r->changed);
		more = 1;
	} else if (r->why && reader == 0) {
		*e = take(r->why);
		more = -1;
	}
	pthread_mutex_unlock(&r->lock);
	return more;
}

void ring_stop(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	r->is_stopped = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}
