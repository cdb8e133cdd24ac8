#include <assert.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "builder/agentlink.h"
#include "builder/agentlink_internal.h"

/* How long the guest may think. Emulated guests are slow; a copy and a sync move any number of
 * bytes. */
enum {
	REQUEST_MS = 60 * 1000,
	SETUP_MS = 180 * 1000,
	SYNC_MS = 15 * 60 * 1000,
	COPY_MS = 60 * 60 * 1000,
	KILL_MS = 10 * 1000,
};

/* A request being written: the payload goes to o. */
struct request {
	uint8_t *bytes;
	struct proto_out o;
};

static void request_release(struct request *r)
{
	/* Secrets may have been in it. */
	if (r->bytes)
		explicit_bzero(r->bytes, r->o.len);
	free(r->bytes);
}
#define autorequest __attribute__((cleanup(request_release))) struct request

static struct request request_new(void)
{
	struct request r = { .bytes = xmalloc(PROTO_REQUEST_MAX) };

	r.o = (struct proto_out){ .at = r.bytes, .cap = PROTO_REQUEST_MAX };
	return r;
}

/* strv as the protocol has it; borrowed. */
static struct proto_strings strings(const struct strv *v)
{
	if (!v)
		return (struct proto_strings){ 0 };
	return (struct proto_strings){ .at = (const char **)(uintptr_t)v->at, .n = v->n };
}

/* The failure of an earlier agent_identify(), which nobody has waited for. */
static int check_identified(struct agentlink *l, struct err **e)
{
	if (!l->identify_failed)
		return 0;
	*e = take(l->identify_failed);
	return err_wrap(e, "giving the guest its identity");
}

static int send_request(struct agentlink *l, uint8_t type, const struct request *r,
			uint32_t *ret_id, struct err **e)
{
	if (check_identified(l, e))
		return -1;
	if (r->o.is_full)
		return err_set(e, ERR_LIMIT,
			       "that is more than %d bytes or %d words for the guest",
			       PROTO_REQUEST_MAX, PROTO_STRINGS_MAX);
	if (++l->last_id == 0)
		l->last_id = 1;
	*ret_id = l->last_id;
	return agentlink_send(l, type, l->last_id, r->bytes, r->o.len, e);
}

/* Waits for the answer to id, which is then in l->answer. A failure is an error. */
static int await_answer(struct agentlink *l, uint32_t id, int timeout_ms, struct err **e)
{
	int64_t end = agentlink_now_ms() + timeout_ms;

	l->answer.id = id;
	l->answer.has_come = false;
	while (!l->answer.has_come) {
		if (agentlink_turn(l, end, e) < 0 || check_identified(l, e))
			return -1;
		if (!l->answer.has_come && agentlink_now_ms() >= end)
			return err_set(e, ERR_TIMEOUT,
				       "the guest's agent did not answer in %d s",
				       timeout_ms / 1000);
	}
	l->answer.id = 0;
	if (l->answer.type == PROTO_FAIL)
		return agentlink_failure((const uint8_t *)l->answer.payload.at,
					 l->answer.payload.len, e);
	return 0;
}

static int call(struct agentlink *l, uint8_t type, const struct request *r, int timeout_ms,
		struct err **e)
{
	uint32_t id;

	return send_request(l, type, r, &id, e) || await_answer(l, id, timeout_ms, e) ? -1 : 0;
}

static int call_empty(struct agentlink *l, uint8_t type, int timeout_ms, struct err **e)
{
	struct request r = { 0 };

	return call(l, type, &r, timeout_ms, e);
}

static struct proto_in answer_in(const struct agentlink *l)
{
	return (struct proto_in){ .at = (const uint8_t *)l->answer.payload.at,
				  .left = l->answer.payload.len };
}

static int bad_answer(struct err **e)
{
	return err_set(e, ERR_VM, "the guest's agent gives an answer that makes no sense");
}

/* A string from the guest, for people. The caller frees. */
static char *visible(const char *s)
{
	struct str text = STR_INIT;

	str_add_visible(&text, s, strnlen(s, PROTO_SEEN_MAX));
	return str_take(&text);
}

int agent_setup(struct agentlink *l, const struct agent_setup *s, uint64_t *ret_fs_bytes,
		struct err **e)
{
	struct proto_setup x = {
		.flags = (s->has_network ? PROTO_SETUP_NETWORK : 0) |
			 (s->is_build ? PROTO_SETUP_BUILD : 0),
		.hostname = s->hostname,
		.n_disks = (uint32_t)s->n_disks,
	};
	autorequest r = request_new();
	struct proto_in in;

	assert(s->n_disks <= PROTO_DISKS_MAX);
	for (size_t i = 0; i < s->n_disks; i++) {
		const struct vm_disk *d = &s->disks[i];

		x.disks[i] = (struct proto_disk){
			d->is_writable || d->overlay_path ? PROTO_DISK_WRITABLE : 0, d->serial
		};
	}
	proto_setup_encode(&r.o, &x);
	if (call(l, PROTO_SETUP, &r, SETUP_MS, e))
		return -1;
	in = answer_in(l);
	*ret_fs_bytes = proto_get_u64(&in);
	return proto_end(&in) ? bad_answer(e) : 0;
}

/* A free place; the oldest command that has ended makes room. */
static struct agent_command *new_command(struct agentlink *l, struct err **e)
{
	struct agent_command *oldest = NULL;

	for (size_t i = 0; i < PROTO_PROCESSES_MAX; i++) {
		struct agent_command *c = &l->commands[i];

		if (!c->id)
			return c;
		if (c->exit.has_ended && (!oldest || c->id < oldest->id))
			oldest = c;
	}
	if (!oldest)
		err_set(e, ERR_LIMIT, "%d commands are running in the guest already",
			PROTO_PROCESSES_MAX);
	return oldest;
}

static void encode_exec(struct proto_out *o, const struct agent_exec *x)
{
	struct proto_exec p = {
		.flags = (x->has_stdin ? PROTO_EXEC_STDIN : 0) |
			 (x->has_tty ? PROTO_EXEC_TTY : 0) |
			 (x->is_service ? PROTO_EXEC_SERVICE : 0) |
			 (x->has_no_network ? PROTO_EXEC_NO_NETWORK : 0) |
			 (x->is_relay ? PROTO_EXEC_RELAY : 0),
		.rows = x->rows,
		.cols = x->cols,
		.user = x->user,
		.cwd = x->cwd,
		.argv = strings(x->argv),
		.env = strings(x->env),
		.n_mounts = (uint32_t)x->n_mounts,
	};

	assert(x->n_mounts <= PROTO_MOUNTS_MAX);
	for (size_t i = 0; i < x->n_mounts; i++)
		p.mounts[i] = x->mounts[i];
	proto_exec_encode(o, &p);
}

int agent_start(struct agentlink *l, const struct agent_exec *x, uint32_t *ret_id,
		struct err **e)
{
	struct agent_command *c = new_command(l, e);
	autorequest r = request_new();
	uint32_t id;

	if (!c)
		return -1;
	if (!x->argv->n)
		return err_set(e, ERR_STEP, "there is no command to run");
	encode_exec(&r.o, x);
	if (send_request(l, PROTO_EXEC, &r, &id, e))
		return -1;
	*c = (struct agent_command){
		.id = id,
		.is_service = x->is_service,
		.on_output = x->on_output,
		.arg = x->arg,
		.window = { PROTO_WINDOW_BYTES, PROTO_WINDOW_BYTES },
		.stdin_credit = x->has_stdin ? PROTO_STDIN_BYTES : 0,
	};
	if (await_answer(l, id, REQUEST_MS, e)) {
		c->id = 0;
		return -1;
	}
	*ret_id = id;
	return 0;
}

int agent_stdin(struct agentlink *l, uint32_t id, const char *bytes, size_t n, size_t *ret_n,
		struct err **e)
{
	struct agent_command *c = agentlink_find(l, id);

	*ret_n = 0;
	if (!c || c->exit.has_ended) {
		*ret_n = n; /* nobody reads it any more */
		return 0;
	}
	if (!n)
		return agentlink_send(l, PROTO_STDIN, id, NULL, 0, e);
	if (n > c->stdin_credit)
		n = c->stdin_credit;
	if (!n || l->tx.len - l->tx_at > PROTO_PAYLOAD_MAX)
		return 0;
	c->stdin_credit -= (uint32_t)n;
	*ret_n = n;
	return agentlink_send(l, PROTO_STDIN, id, bytes, n, e);
}

int agent_signal(struct agentlink *l, uint32_t id, int signo, struct err **e)
{
	uint8_t buf[4];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };

	proto_put_u32(&o, (uint32_t)signo);
	return agentlink_send(l, PROTO_SIGNAL, id, buf, o.len, e);
}

int agent_resize(struct agentlink *l, uint32_t id, unsigned short rows, unsigned short cols,
		 struct err **e)
{
	uint8_t buf[4];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };

	proto_put_u16(&o, rows);
	proto_put_u16(&o, cols);
	return agentlink_send(l, PROTO_RESIZE, id, buf, o.len, e);
}

int agent_pump(struct agentlink *l, int timeout_ms, struct err **e)
{
	int64_t end = agentlink_now_ms() + timeout_ms;
	int came;

	do
		came = agentlink_turn(l, end, e);
	while (came == 0 && agentlink_now_ms() < end);
	return came < 0 ? -1 : check_identified(l, e);
}

struct agent_exit agent_exit_of(struct agentlink *l, uint32_t id)
{
	struct agent_command *c = agentlink_find(l, id);

	return c ? c->exit : (struct agent_exit){ 0 };
}

/* Until it has ended: 1, or the time is over: 0. */
static int await_end(struct agentlink *l, uint32_t id, int64_t end_ms, struct err **e)
{
	while (!agent_exit_of(l, id).has_ended) {
		if (agentlink_turn(l, end_ms, e) < 0 || check_identified(l, e))
			return -1;
		if (end_ms >= 0 && agentlink_now_ms() >= end_ms)
			return agent_exit_of(l, id).has_ended;
	}
	return 1;
}

void agent_mute(struct agentlink *l, uint32_t id)
{
	struct agent_command *c = agentlink_find(l, id);

	if (c)
		c->on_output = NULL;
}

int agent_stop(struct agentlink *l, uint32_t id, struct err **e)
{
	int ended = agent_signal(l, id, SIGKILL, e)
			    ? -1
			    : await_end(l, id, agentlink_now_ms() + KILL_MS, e);

	agent_mute(l, id);
	return ended < 0 ? -1 : 0;
}

int agent_run(struct agentlink *l, const struct agent_exec *x, int timeout_ms,
	      struct agent_exit *ret, struct err **e)
{
	int64_t end = timeout_ms < 0 ? -1 : agentlink_now_ms() + timeout_ms;
	uint32_t id;
	int ended;

	if (agent_start(l, x, &id, e))
		return -1;
	ended = await_end(l, id, end, e);
	if (ended == 0) {
		if (agent_signal(l, id, SIGKILL, e) ||
		    await_end(l, id, agentlink_now_ms() + KILL_MS, e) < 0)
			ended = -1;
		else
			ended = err_set(e, ERR_TIMEOUT, "still running after %g s",
					timeout_ms / 1000.0);
	}
	agent_mute(l, id);
	*ret = agent_exit_of(l, id);
	return ended < 0 ? -1 : 0;
}

static struct proto_selection selection(const struct agent_selection *s)
{
	return (struct proto_selection){
		.flags = (s->has_parents ? PROTO_SELECT_PARENTS : 0) |
			 (s->is_literal ? PROTO_SELECT_LITERAL : 0),
		.disk = s->disk,
		.root = s->root,
		.sources = strings(s->sources),
		.excludes = strings(s->excludes),
	};
}

int agent_digest(struct agentlink *l, const struct agent_selection *s, char ret[SHA256_HEX + 1],
		 struct err **e)
{
	struct proto_selection x = selection(s);
	autorequest r = request_new();
	struct proto_in in;
	const uint8_t *digest;

	_Static_assert((int)PROTO_DIGEST_BYTES == (int)SHA256_BYTES, "theirs is a SHA-256 too");
	proto_selection_encode(&r.o, &x);
	if (call(l, PROTO_DIGEST, &r, COPY_MS, e))
		return -1;
	in = answer_in(l);
	digest = proto_get(&in, PROTO_DIGEST_BYTES);
	if (!digest || proto_end(&in))
		return bad_answer(e);
	for (size_t i = 0; i < PROTO_DIGEST_BYTES; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int agent_copy(struct agentlink *l, const struct agent_copy *c, struct err **e)
{
	struct proto_copy x = {
		.flags = c->is_link ? PROTO_COPY_LINK : 0,
		.chmod = c->chmod,
		.dest = c->dest,
		.chown = c->chown,
		.from = selection(&c->from),
	};
	autorequest r = request_new();

	proto_copy_encode(&r.o, &x);
	return call(l, PROTO_COPY, &r, COPY_MS, e);
}

int agent_mkdir(struct agentlink *l, const char *path, const char *user, struct err **e)
{
	autorequest r = request_new();

	proto_mkdir_encode(&r.o, &(struct proto_mkdir){ path, user });
	return call(l, PROTO_MKDIR, &r, REQUEST_MS, e);
}

int agent_probe(struct agentlink *l, const struct agent_probe *p, char **ret_seen,
		struct err **e)
{
	static const uint8_t kinds[] = {
		[AGENT_PROBE_PORT] = PROTO_PROBE_PORT,
		[AGENT_PROBE_URL] = PROTO_PROBE_URL,
		[AGENT_PROBE_FILE] = PROTO_PROBE_FILE,
		[AGENT_PROBE_PROCESS] = PROTO_PROBE_PROCESS,
	};
	autorequest r = request_new();
	struct proto_in in;
	const char *seen;
	bool is_ready;

	proto_probe_encode(&r.o, &(struct proto_probe){ kinds[p->kind], p->what });
	if (call(l, PROTO_PROBE, &r, REQUEST_MS, e))
		return -1;
	in = answer_in(l);
	is_ready = proto_get_u8(&in);
	seen = proto_get_string(&in);
	if (proto_end(&in))
		return bad_answer(e);
	if (!is_ready)
		*ret_seen = visible(seen);
	return is_ready;
}

int agent_listening(struct agentlink *l, char **ret, struct err **e)
{
	struct proto_in in;
	const char *seen;

	if (call_empty(l, PROTO_LISTENING, REQUEST_MS, e))
		return -1;
	in = answer_in(l);
	seen = proto_get_string(&in);
	if (proto_end(&in))
		return bad_answer(e);
	*ret = visible(seen);
	return 0;
}

int agent_service_log(struct agentlink *l, struct str *ret_tail, struct agent_exit *ret_exit,
		      struct err **e)
{
	struct proto_service s;

	if (call_empty(l, PROTO_SERVICE, REQUEST_MS, e))
		return -1;
	if (proto_service_decode((const uint8_t *)l->answer.payload.at, l->answer.payload.len,
				 &s))
		return bad_answer(e);
	str_addn(ret_tail, s.tail, s.tail_bytes);
	*ret_exit = (struct agent_exit){ .has_ended = s.flags & PROTO_SERVICE_ENDED,
					 .status = s.exit.status,
					 .signal = s.exit.signal,
					 .is_oom = s.exit.flags & PROTO_EXIT_OOM };
	return 0;
}

int agent_freeze(struct agentlink *l, struct err **e)
{
	return call_empty(l, PROTO_FREEZE, SYNC_MS, e);
}

int agent_thaw(struct agentlink *l, struct err **e)
{
	return call_empty(l, PROTO_THAW, REQUEST_MS, e);
}

int agent_quiesce(struct agentlink *l, struct err **e)
{
	return call_empty(l, PROTO_QUIESCE, SYNC_MS, e);
}

int agent_identify(struct agentlink *l, const struct agent_identity *i, struct err **e)
{
	struct proto_identify x = {
		.now_sec = i->now_sec,
		.now_nsec = i->now_nsec,
		.hostname = i->hostname,
		.machine_id = i->machine_id,
		.env = strings(i->env),
	};
	autorequest r = request_new();

	_Static_assert(sizeof(x.seed) == sizeof(i->seed), "the seed is as long as theirs");
	memcpy(x.seed, i->seed, sizeof(x.seed));
	proto_identify_encode(&r.o, &x);
	return send_request(l, PROTO_IDENTIFY, &r, &l->identify_id, e);
}
