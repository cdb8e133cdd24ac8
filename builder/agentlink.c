#include "builder/agentlink.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fs.h"
#include "builder/agentlink_internal.h"

enum {
	PUMP_BYTES = 4 << 20, /* handled per turn at most, so that a flood lets others in */
	JUNK_BYTES = 4 << 20, /* before the greeting */
	DEATH_WAIT_MS = 2000, /* until the VMM's end is seen after its socket's */
	CREDIT_BYTES = PROTO_WINDOW_BYTES / 4,
};

int64_t agentlink_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int broken(struct agentlink *l, const char *why, struct err **e)
{
	l->is_broken = true;
	return err_set(e, ERR_VM, "the guest's agent %s", why);
}

/* The socket ended: the machine died, and on_idle has better words for that than we have. */
static int ended(struct agentlink *l, struct err **e)
{
	int64_t end = agentlink_now_ms() + DEATH_WAIT_MS;

	l->is_broken = true;
	while (l->o.on_idle && agentlink_now_ms() < end) {
		if (l->o.on_idle(l->o.arg, e))
			return -1;
		poll(NULL, 0, 20);
	}
	return broken(l, "has closed its connection", e);
}

/*
 * Sending.
 */

static int flush(struct agentlink *l, struct err **e)
{
	while (l->tx_at < l->tx.len) {
		ssize_t n = send(l->o.fd, l->tx.at + l->tx_at, l->tx.len - l->tx_at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return ended(l, e);
		l->tx_at += (size_t)n;
	}
	l->tx_at = 0;
	str_clear(&l->tx);
	return 0;
}

static void queue(struct agentlink *l, const struct proto_header *h, const void *bytes)
{
	uint8_t header[PROTO_HEADER_BYTES];

	proto_header_encode(h, header);
	str_addn(&l->tx, header, sizeof(header));
	str_addn(&l->tx, bytes, h->bytes);
}

int agentlink_send(struct agentlink *l, uint8_t type, uint32_t id, const void *bytes, size_t n,
		   struct err **e)
{
	const uint8_t *at = bytes;

	if (l->is_broken)
		return err_set(e, ERR_VM, "the connection to the guest's agent is broken");
	do {
		size_t part = n < PROTO_PAYLOAD_MAX ? n : PROTO_PAYLOAD_MAX;
		struct proto_header h = { .bytes = (uint32_t)part,
					  .type = type,
					  .flags = part < n ? PROTO_MORE : 0,
					  .id = id };

		queue(l, &h, at);
		at += part;
		n -= part;
	} while (n);
	return flush(l, e);
}

/*
 * Receiving.
 */

struct agent_command *agentlink_find(struct agentlink *l, uint32_t id)
{
	for (size_t i = 0; id && i < PROTO_PROCESSES_MAX; i++)
		if (l->commands[i].id == id)
			return &l->commands[i];
	return NULL;
}

static const struct {
	uint32_t theirs;
	enum err_code ours;
} codes[] = {
	{ PROTO_FAIL_SYS, ERR_SYS },         { PROTO_FAIL_USAGE, ERR_USAGE },
	{ PROTO_FAIL_STEP, ERR_STEP },       { PROTO_FAIL_NOTFOUND, ERR_NOTFOUND },
	{ PROTO_FAIL_LIMIT, ERR_LIMIT },     { PROTO_FAIL_REQUEST, ERR_BUG },
	{ PROTO_FAIL_NOPROGRAM, ERR_NOCMD },
};

/* The guest's sentence on one line of ours. */
static void add_sentence(struct str *s, const char *text)
{
	size_t n = strnlen(text, PROTO_MSG_MAX);

	str_add_visible(s, text, n);
	for (size_t i = 0; i < s->len; i++)
		if (s->at[i] == '\n')
			s->at[i] = ' ';
}

int agentlink_failure(const uint8_t *at, size_t n, struct err **e)
{
	enum err_code code = ERR_VM;
	autostr msg = STR_INIT;
	struct proto_fail f;

	if (proto_fail_decode(at, n, &f))
		return err_set(e, ERR_VM, "the guest's agent reports a failure, but not which");
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].theirs == f.code)
			code = codes[i].ours;
	add_sentence(&msg, f.msg);
	if (f.sys == ENOSPC)
		str_add(&msg, ": the guest's disk is full, more room comes with --disk");
	return err_set_(e, code, f.sys > 0 && f.sys < 4096 ? f.sys : 0, __FILE__, __LINE__,
			"%s", msg.at);
}

static int take_answer(struct agentlink *l, const struct proto_header *h, const uint8_t *at)
{
	if (h->id && h->id == l->answer.id && !l->answer.has_come) {
		l->answer.has_come = true;
		l->answer.type = h->type;
		str_clear(&l->answer.payload);
		str_addn(&l->answer.payload, at, h->bytes);
	} else if (h->id && h->id == l->identify_id) {
		l->identify_id = 0;
		if (h->type == PROTO_FAIL && !l->identify_failed)
			agentlink_failure(at, h->bytes, &l->identify_failed);
	}
	return 0; /* else: an answer that a time-out has given up on */
}

static int give_credit(struct agentlink *l, struct agent_command *c, int i, struct err **e)
{
	struct proto_header h = {
		.bytes = 4, .type = PROTO_CREDIT, .stream = (uint8_t)(i + 1), .id = c->id
	};
	uint8_t buf[4];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };

	if (c->owed[i] < CREDIT_BYTES || c->exit.has_ended)
		return 0;
	proto_put_u32(&o, c->owed[i]);
	queue(l, &h, buf);
	c->window[i] += c->owed[i];
	c->owed[i] = 0;
	return flush(l, e);
}

static int take_output(struct agentlink *l, const struct proto_header *h, const uint8_t *at,
		       struct err **e)
{
	struct agent_command *c = agentlink_find(l, h->id);
	int i = h->stream - 1;

	if (!h->stream)
		return broken(l, "sends output of no stream", e);
	if (!c || c->exit.has_ended)
		return 0;
	if (h->bytes > c->window[i])
		return broken(l, "sends more output than it was allowed to", e);
	c->window[i] -= h->bytes;
	if (c->on_output && h->bytes)
		c->on_output(c->arg, h->stream, (const char *)at, h->bytes);
	c->owed[i] += h->bytes;
	return give_credit(l, c, i, e);
}

static int take_credit(struct agentlink *l, const struct proto_header *h, const uint8_t *at,
		       struct err **e)
{
	struct agent_command *c = agentlink_find(l, h->id);
	struct proto_in in = { .at = at, .left = h->bytes };
	uint32_t bytes = proto_get_u32(&in);

	if (proto_end(&in))
		return broken(l, "sends a credit of the wrong size", e);
	if (!c)
		return 0;
	if (bytes > PROTO_STDIN_BYTES - c->stdin_credit)
		return broken(l, "takes more input than it was given", e);
	c->stdin_credit += bytes;
	return 0;
}

static int take_exit(struct agentlink *l, const struct proto_header *h, const uint8_t *at,
		     struct err **e)
{
	struct agent_command *c = agentlink_find(l, h->id);
	struct proto_exit x;

	if (proto_exit_decode(at, h->bytes, &x) || x.status < 0 || x.status > 255 ||
	    x.signal < 0 || x.signal > 127)
		return broken(l, "reports an end that cannot be", e);
	if (c && !c->exit.has_ended)
		c->exit = (struct agent_exit){ .has_ended = true,
					       .status = x.status,
					       .signal = x.signal,
					       .is_oom = x.flags & PROTO_EXIT_OOM };
	return 0;
}

static int take_frame(struct agentlink *l, const struct proto_header *h, const uint8_t *at,
		      struct err **e)
{
	switch (h->type) {
	case PROTO_OK:
	case PROTO_FAIL:
		return take_answer(l, h, at);
	case PROTO_OUTPUT:
		return take_output(l, h, at, e);
	case PROTO_CREDIT:
		return take_credit(l, h, at, e);
	case PROTO_EXIT:
		return take_exit(l, h, at, e);
	}
	return broken(l, "sends what no agent sends", e);
}

/* All whole frames in the buffer. */
static int take_frames(struct agentlink *l, struct err **e)
{
	size_t at = 0;
	int failed = 0;

	while (!failed && l->rx_len - at >= PROTO_HEADER_BYTES) {
		struct proto_header h;

		if (proto_header_decode(l->rx + at, &h) || h.flags) {
			failed = broken(l, "sends what is no frame", e);
			break;
		}
		if (l->rx_len - at - PROTO_HEADER_BYTES < h.bytes)
			break;
		failed = take_frame(l, &h, l->rx + at + PROTO_HEADER_BYTES, e);
		at += PROTO_HEADER_BYTES + h.bytes;
	}
	memmove(l->rx, l->rx + at, l->rx_len - at);
	l->rx_len -= at;
	return failed;
}

/* Bytes that came, 0 if none are there now, -1. */
static ssize_t receive(struct agentlink *l, struct err **e)
{
	ssize_t n;

	do
		n = recv(l->o.fd, l->rx + l->rx_len, AGENTLINK_RX_BYTES - l->rx_len,
			 MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return ended(l, e);
	l->rx_len += (size_t)n;
	return n;
}

static int receive_frames(struct agentlink *l, struct err **e)
{
	size_t total = 0;
	ssize_t n;

	while (total < PUMP_BYTES && (n = receive(l, e))) {
		if (n < 0 || take_frames(l, e))
			return -1;
		total += (size_t)n;
	}
	return 0;
}

/*
 * Waiting.
 */

static int check_idle(struct agentlink *l, struct err **e)
{
	int64_t now = agentlink_now_ms();

	if (!l->o.on_idle || now - l->idle_checked_ms < AGENTLINK_IDLE_MS)
		return 0;
	l->idle_checked_ms = now;
	return l->o.on_idle(l->o.arg, e);
}

/* 1: the socket has something for us or takes something; 0: not in time; -1. */
static int wait_socket(struct agentlink *l, int64_t end_ms, struct err **e)
{
	struct pollfd p = { .fd = l->o.fd, .events = POLLIN };
	int64_t left = end_ms < 0 ? AGENTLINK_IDLE_MS : end_ms - agentlink_now_ms();
	int n;

	if (l->is_broken)
		return err_set(e, ERR_VM, "the connection to the guest's agent is broken");
	if (l->tx_at < l->tx.len)
		p.events |= POLLOUT;
	if (left < 0)
		left = 0;
	n = poll(&p, 1, (int)(left < AGENTLINK_IDLE_MS ? left : AGENTLINK_IDLE_MS));
	if (n < 0 && errno != EINTR)
		return err_sys(e, "waiting for the guest's agent");
	if (check_idle(l, e))
		return -1;
	if (n > 0 && p.revents & POLLOUT && flush(l, e))
		return -1;
	return n > 0;
}

int agentlink_turn(struct agentlink *l, int64_t end_ms, struct err **e)
{
	int n = wait_socket(l, end_ms, e);

	if (n <= 0)
		return n;
	return receive_frames(l, e) ? -1 : 1;
}

/*
 * Beginning.
 */

/* HELLO with our nonce, up to its version, as it must come. */
static void expected_hello(const uint8_t nonce[PROTO_NONCE_BYTES], struct str *ret)
{
	struct proto_header h = { .bytes = PROTO_HELLO_BYTES, .type = PROTO_HELLO };
	uint8_t header[PROTO_HEADER_BYTES];

	proto_header_encode(&h, header);
	str_addn(ret, header, sizeof(header));
	str_addn(ret, PROTO_MAGIC, PROTO_MAGIC_BYTES);
	str_addn(ret, nonce, PROTO_NONCE_BYTES);
}

/* 1: it was there, and what follows it stays in the buffer; 0: not yet; -1. */
static int find_hello(struct agentlink *l, const struct str *hello, struct err **e)
{
	uint8_t *at = memmem(l->rx, l->rx_len, hello->at, hello->len);
	size_t keep = at ? l->rx_len - (size_t)(at - l->rx) : hello->len - 1;
	struct proto_in in;
	uint32_t version;

	if (keep > l->rx_len)
		keep = l->rx_len;
	memmove(l->rx, l->rx + l->rx_len - keep, keep);
	l->rx_len = keep;
	if (!at || keep < hello->len + 4)
		return 0;
	in = (struct proto_in){ .at = l->rx + hello->len, .left = 4 };
	version = proto_get_u32(&in);
	if (version != PROTO_VERSION)
		return err_set(e, ERR_VM,
			       "the guest's agent speaks version %u of the protocol, this kiln "
			       "version %d: it is of another release",
			       version, PROTO_VERSION);
	l->rx_len -= hello->len + 4;
	memmove(l->rx, l->rx + hello->len + 4, l->rx_len);
	return 1;
}

static int await_hello(struct agentlink *l, const uint8_t nonce[PROTO_NONCE_BYTES],
		       int timeout_ms, struct err **e)
{
	int64_t end = agentlink_now_ms() + timeout_ms;
	autostr hello = STR_INIT;
	size_t total = 0;
	ssize_t n;
	int found;

	expected_hello(nonce, &hello);
	for (;;) {
		if (wait_socket(l, end, e) < 0)
			return -1;
		n = receive(l, e);
		if (n < 0)
			return -1;
		total += (size_t)n;
		found = find_hello(l, &hello, e);
		if (found)
			return found < 0 ? -1 : take_frames(l, e);
		if (total > JUNK_BYTES)
			return broken(l, "talks, but doesn't greet", e);
		if (agentlink_now_ms() >= end)
			return err_set(e, ERR_TIMEOUT,
				       "the guest's agent did not answer in %g s",
				       timeout_ms / 1000.0);
	}
}

static struct agentlink *new_link(const struct agentlink_opts *o)
{
	struct agentlink *l = xcalloc(1, sizeof(*l));

	l->o = *o;
	l->rx = xmalloc(AGENTLINK_RX_BYTES);
	l->tx = (struct str)STR_INIT;
	l->answer.payload = (struct str)STR_INIT;
	l->idle_checked_ms = agentlink_now_ms();
	return l;
}

int agentlink_open(const struct agentlink_opts *o, int timeout_ms, struct agentlink **ret,
		   struct err **e)
{
	static const uint8_t no_nonce[PROTO_NONCE_BYTES];
	AUTO(agentlink) l = new_link(o);

	if (await_hello(l, no_nonce, timeout_ms, e))
		return -1;
	*ret = take(l);
	return 0;
}

int agentlink_reopen(const struct agentlink_opts *o, int timeout_ms, struct agentlink **ret,
		     struct err **e)
{
	AUTO(agentlink) l = new_link(o);
	uint8_t nonce[PROTO_NONCE_BYTES];

	fs_random(nonce, sizeof(nonce));
	if (agentlink_send(l, PROTO_RESUME, 0, nonce, sizeof(nonce), e) ||
	    await_hello(l, nonce, timeout_ms, e))
		return -1;
	*ret = take(l);
	return 0;
}

void agentlink_free(struct agentlink *l)
{
	if (!l)
		return;
	free(l->rx);
	str_release(&l->tx);
	str_release(&l->answer.payload);
	err_free(l->identify_failed);
	free(l);
}

int agentlink_fd(const struct agentlink *l)
{
	return l->o.fd;
}
