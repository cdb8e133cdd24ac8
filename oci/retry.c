#include "oci/retry.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

int retry_pause_ms(int backoff_ms, int n, unsigned random)
{
	int64_t ms = backoff_ms ? backoff_ms : RETRY_BACKOFF_MS;

	for (; n > 1 && ms < RETRY_MAX_PAUSE_MS; n--)
		ms *= 2;
	if (ms > RETRY_MAX_PAUSE_MS)
		ms = RETRY_MAX_PAUSE_MS;
	return (int)(ms / 2 + (int64_t)(random % (uint64_t)(ms + 1)));
}

static int sink_add(void *arg, const void *bytes, size_t n, struct err **e)
{
	struct retry *t = arg;

	if (t->sink.add(t->sink.arg, bytes, n, e))
		return -1;
	t->done_bytes += (int64_t)n;
	return 0;
}

static void begin_try(struct retry *t, struct http_request *r)
{
	if (t->whole) {
		str_clear(t->whole);
		t->done_bytes = 0;
		t->mark_bytes = 0;
	}
	if (!t->mark_ms)
		t->mark_ms = clock_ms();
	t->n_tries++;
	r->sink = (struct http_sink){ .add = sink_add, .arg = t };
	r->from_bytes = t->done_bytes;
	r->size_bytes = t->size_bytes;
	r->is_decoded = t->is_decoded;
	r->max_idle_sec = (int)(RETRY_IDLE_SEC - (clock_ms() - t->mark_ms) / 1000);
	if (r->max_idle_sec < 1)
		r->max_idle_sec = 1;
	if (t->is_probe && r->max_idle_sec > RETRY_PROBE_SEC)
		r->max_idle_sec = RETRY_PROBE_SEC;
}

static void note_progress(struct retry *t)
{
	if (t->done_bytes - t->mark_bytes < RETRY_PROGRESS_BYTES)
		return;
	t->mark_bytes = t->done_bytes;
	t->mark_ms = clock_ms();
	t->n_in_row = 0;
}

bool retry_is_passing(long status)
{
	return status == 408 || status == 429 || status == 500 || status == 502 ||
	       status == 503 || status == 504;
}

/* Can the same request end otherwise? */
static bool is_worth_it(const struct retry *t, int failed, const struct http_response *response)
{
	if (failed)
		return response->fault == HTTP_BROKEN ||
		       (response->fault == HTTP_UNREACHABLE && t->done_bytes > 0);
	if (response->status == 206)
		return t->done_bytes < t->size_bytes; /* less than was asked for */
	return retry_is_passing(response->status);
}

/* Waits for the next try: true. false: that was the last one. */
static bool next_try(struct http *h, struct retry *t, const struct http_response *response)
{
	long long wait_ms = response->fields.retry_after_sec * 1000;
	int64_t idle_ms = clock_ms() - t->mark_ms;
	unsigned random;

	fs_random(&random, sizeof(random));
	if (response->fields.retry_after_sec < 0)
		wait_ms = retry_pause_ms(t->backoff_ms, t->n_in_row + 1, random);
	if (t->is_single || t->is_probe || ++t->n_in_row >= RETRY_TRIES ||
	    t->n_tries >= RETRY_MAX_TRIES ||
	    response->fields.retry_after_sec > RETRY_IDLE_SEC ||
	    idle_ms + wait_ms >= RETRY_IDLE_SEC * 1000LL)
		return false;
	log_debug("try %d failed (status %ld); again in %lld ms", t->n_tries, response->status,
		  wait_ms);
	return http_pause(h, (int)wait_ms);
}

int retry_get(struct http *h, struct retry *t, struct http_request *r,
	      struct http_response *ret, struct err **e)
{
	for (;;) {
		int failed;

		begin_try(t, r);
		failed = http_get(h, r, ret, e);
		note_progress(t);
		if (failed && ret->fault == HTTP_ENCODED && !t->is_decoded) {
			t->is_decoded = true;
			err_drop(e);
			continue;
		}
		/* Cut off behind the last byte. */
		if (failed && ret->fault == HTTP_BROKEN && t->size_bytes >= 0 &&
		    t->done_bytes == t->size_bytes && http_is_success(ret->status)) {
			err_drop(e);
			return 0;
		}
		if ((ret->is_other_protocol && !t->is_settled) ||
		    !is_worth_it(t, failed, ret) || !next_try(h, t, ret))
			return failed;
		err_drop(e);
	}
}
