/* The host's end of the agent link, against a guest that the test plays: also a lying one. */
#include "unit.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "builder/agentlink.h"
#include "rootfs/agent/proto.h"

static int guest = -1, host = -1;
static struct agentlink *l;
static struct err *e;
static int idle_calls, idle_fails_at;
static struct str output;

static int on_idle(void *arg, struct err **err)
{
	(void)arg;
	if (++idle_calls == idle_fails_at)
		return err_set(err, ERR_VM, "the machine has died");
	return 0;
}

static void on_output(void *arg, int stream, const char *bytes, size_t n)
{
	(void)arg;
	str_addf(&output, "%d:", stream);
	str_addn(&output, bytes, n);
}

static void say_raw(const void *bytes, size_t n)
{
	assert_int_equal(fs_write_full(guest, bytes, n), 0);
}

static void say_header(uint32_t bytes, uint8_t type, uint8_t stream, uint16_t flags,
		       uint32_t id)
{
	struct proto_header h = {
		.bytes = bytes, .type = type, .stream = stream, .flags = flags, .id = id
	};
	uint8_t at[PROTO_HEADER_BYTES];

	proto_header_encode(&h, at);
	say_raw(at, sizeof(at));
}

static void say(uint8_t type, uint8_t stream, uint32_t id, const void *bytes, size_t n)
{
	say_header((uint32_t)n, type, stream, 0, id);
	say_raw(bytes, n);
}

static void say_hello(const uint8_t nonce[PROTO_NONCE_BYTES], uint32_t version)
{
	uint8_t buf[PROTO_HELLO_BYTES];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };

	proto_put(&o, PROTO_MAGIC, PROTO_MAGIC_BYTES);
	proto_put(&o, nonce, PROTO_NONCE_BYTES);
	proto_put_u32(&o, version);
	say(PROTO_HELLO, 0, 0, buf, o.len);
}

static void say_fail(uint32_t id, uint32_t code, int sys, const char *msg)
{
	uint8_t buf[2048];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };

	proto_fail_encode(&o, &(struct proto_fail){ code, sys, msg });
	say(PROTO_FAIL, 0, id, buf, o.len);
}

static void say_exit(uint32_t id, int status, int signo, uint32_t flags)
{
	uint8_t buf[12];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };

	proto_exit_encode(&o, &(struct proto_exit){ status, signo, flags });
	say(PROTO_EXIT, 0, id, buf, o.len);
}

static struct agentlink_opts opts(void)
{
	return (struct agentlink_opts){ .fd = host, .on_idle = on_idle };
}

static int set_up(void **state)
{
	int p[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p))
		return -1;
	host = p[0];
	guest = p[1];
	idle_calls = 0;
	idle_fails_at = -1;
	output = (struct str)STR_INIT;
	return 0;
}

static int set_up_open(void **state)
{
	static const uint8_t zeros[PROTO_NONCE_BYTES];
	struct agentlink_opts o;

	if (set_up(state))
		return -1;
	say_hello(zeros, PROTO_VERSION);
	o = opts();
	return agentlink_open(&o, 1000, &l, &e);
}

static int tear_down(void **state)
{
	(void)state;
	agentlink_free(l);
	l = NULL;
	err_drop(&e);
	str_release(&output);
	if (guest >= 0)
		close(guest);
	close(host);
	guest = host = -1;
	return 0;
}

static void greeting_may_follow_junk(void **state)
{
	static const uint8_t zeros[PROTO_NONCE_BYTES];
	struct agentlink_opts o = opts();

	(void)state;
	say_raw("junk KILNAGNT junk", 18);
	say_hello(zeros, PROTO_VERSION);
	assert_ok(agentlink_open(&o, 1000, &l, &e), e);
	assert_ok(agent_pump(l, 0, &e), e);
}

static void other_versions_are_refused(void **state)
{
	static const uint8_t zeros[PROTO_NONCE_BYTES];
	struct agentlink_opts o = opts();

	(void)state;
	say_hello(zeros, 99);
	assert_fails(agentlink_open(&o, 1000, &l, &e), e, ERR_VM, "version 99");
}

static void silence_is_a_timeout(void **state)
{
	struct agentlink_opts o = opts();

	(void)state;
	assert_fails(agentlink_open(&o, 300, &l, &e), e, ERR_TIMEOUT,
		     "did not answer in 0.3 s");
	assert_true(idle_calls >= 1);
}

static void chatter_without_greeting_ends(void **state)
{
	struct agentlink_opts o = opts();
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		static char junk[65536];

		while (fs_write_full(guest, junk, sizeof(junk)) == 0)
			;
		_exit(0);
	}
	close(guest);
	guest = -1;
	assert_fails(agentlink_open(&o, 20000, &l, &e), e, ERR_VM, "doesn't greet");
	shutdown(host, SHUT_RDWR);
	waitpid(pid, NULL, 0);
}

static void a_dead_machine_ends_the_wait(void **state)
{
	struct agentlink_opts o = opts();

	(void)state;
	idle_fails_at = 1;
	assert_fails(agentlink_open(&o, 10000, &l, &e), e, ERR_VM, "the machine has died");
	idle_fails_at = 3;
	close(guest);
	guest = -1;
	assert_fails(agentlink_open(&o, 10000, &l, &e), e, ERR_VM, "the machine has died");
}

static void resume_takes_only_its_own_nonce(void **state)
{
	struct agentlink_opts o = opts();
	uint8_t frame[PROTO_HEADER_BYTES + PROTO_NONCE_BYTES], other[PROTO_NONCE_BYTES] = "no";
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (fs_read_full(guest, frame, sizeof(frame)) != 1 || frame[4] != PROTO_RESUME)
			_exit(1);
		say(PROTO_OUTPUT, 1, 9, "of the time before", 18);
		say_hello(other, PROTO_VERSION);
		say_hello(frame + PROTO_HEADER_BYTES, PROTO_VERSION);
		_exit(0);
	}
	assert_ok(agentlink_reopen(&o, 2000, &l, &e), e);
	waitpid(pid, NULL, 0);
}

/*
 * Commands.
 */

/* The guest's answers are written before the request: it is a stream, and ids count from 1. */
static int start(uint32_t *ret_id)
{
	static char *words[] = { "true", NULL };
	static struct strv argv = { words, 1, 0 }, env = STRV_INIT;
	struct agent_exec x = { .argv = &argv,
				.env = &env,
				.user = "",
				.cwd = "",
				.has_stdin = true,
				.on_output = on_output };

	return agent_start(l, &x, ret_id, &e);
}

static void output_and_end_arrive(void **state)
{
	struct agent_exit x;
	uint32_t id;

	(void)state;
	say(PROTO_OK, 0, 1, "", 0);
	say(PROTO_OUTPUT, 1, 1, "out", 3);
	say(PROTO_OUTPUT, 2, 1, "err", 3);
	say(PROTO_OUTPUT, 1, 77, "nobody's", 8);
	say_exit(77, 1, 0, 0);
	say_exit(1, 0, 9, PROTO_EXIT_OOM);
	assert_ok(start(&id), e);
	assert_ok(agent_pump(l, 0, &e), e);
	assert_string_equal(output.at, "1:out2:err");
	x = agent_exit_of(l, id);
	assert_true(x.has_ended && x.is_oom);
	assert_int_equal(x.signal, 9);
	assert_false(agent_exit_of(l, 77).has_ended);
}

static void failures_carry_the_guests_words(void **state)
{
	static const struct {
		uint32_t theirs;
		enum err_code ours;
	} codes[] = { { PROTO_FAIL_SYS, ERR_SYS },
		      { PROTO_FAIL_USAGE, ERR_USAGE },
		      { PROTO_FAIL_STEP, ERR_STEP },
		      { PROTO_FAIL_NOTFOUND, ERR_NOTFOUND },
		      { PROTO_FAIL_LIMIT, ERR_LIMIT },
		      { PROTO_FAIL_REQUEST, ERR_BUG },
		      { 12345, ERR_VM } };
	uint32_t id;

	(void)state;
	for (uint32_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		say_fail(i + 1, codes[i].theirs, 0, "no such \x1b[31mthing\n");
		assert_fails(start(&id), e, codes[i].ours, "no such \\x1b[31mthing ");
	}
	say_fail(8, PROTO_FAIL_SYS, ENOSPC, "writing /x");
	assert_fails(agent_mkdir(l, "/x", "", &e), e, ERR_SYS, "more room comes with --disk");
	say(PROTO_FAIL, 0, 9, "?", 1);
	assert_fails(agent_mkdir(l, "/x", "", &e), e, ERR_VM, "but not which");
}

static void identify_is_not_waited_for(void **state)
{
	struct agent_identity i = { .hostname = "h", .machine_id = "" };
	uint32_t id;

	(void)state;
	assert_ok(agent_identify(l, &i, &e), e);
	say_fail(1, PROTO_FAIL_SYS, EPERM, "setting the guest's clock");
	say_fail(2, PROTO_FAIL_REQUEST, 0, "the restored guest has no identity yet");
	assert_fails(start(&id), e, ERR_SYS,
		     "giving the guest its identity: setting the guest");
	say(PROTO_OK, 0, 3, "", 0);
	assert_ok(start(&id), e);
}

static void liars_are_cut_off(void **state)
{
	static const struct {
		uint32_t bytes;
		uint8_t type, stream;
		uint16_t flags;
		const char *text;
	} lies[] = {
		{ PROTO_PAYLOAD_MAX + 1, PROTO_OUTPUT, 1, 0, "no frame" },
		{ UINT32_MAX, PROTO_OK, 0, 0, "no frame" },
		{ 0, PROTO_OK, 0, PROTO_MORE, "no frame" },
		{ 0, PROTO_OUTPUT, 3, 0, "no frame" },
		{ 0, PROTO_OUTPUT, 0, 0, "output of no stream" },
		{ 0, PROTO_EXEC, 0, 0, "what no agent sends" },
		{ 0, PROTO_HELLO, 0, 0, "what no agent sends" },
		{ 0, 250, 0, 0, "what no agent sends" },
		{ 0, PROTO_EXIT, 0, 0, "an end that cannot be" },
		{ 0, PROTO_CREDIT, 0, 0, "a credit of the wrong size" },
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		say_header(lies[i].bytes, lies[i].type, lies[i].stream, lies[i].flags, 1);
		assert_fails(agent_pump(l, 0, &e), e, ERR_VM, lies[i].text);
		assert_fails(agent_pump(l, 0, &e), e, ERR_VM, "broken");
		tear_down(state);
		assert_int_equal(set_up_open(state), 0);
	}
}

/* Every quarter of the window that was read is credited; nothing is taken beyond. */
static void a_flood_within_the_window_goes_on(void **state)
{
	static char bytes[32768];
	uint32_t id;

	(void)state;
	say(PROTO_OK, 0, 1, "", 0);
	assert_ok(start(&id), e);
	for (int i = 0; i < 64; i++) {
		say(PROTO_OUTPUT, 1, 1, bytes, sizeof(bytes));
		assert_ok(agent_pump(l, 0, &e), e);
	}
	assert_int_equal(output.len, 64 * (2 + sizeof(bytes)));
}

static void too_much_credit_is_a_lie(void **state)
{
	uint32_t id;

	(void)state;
	say(PROTO_OK, 0, 1, "", 0);
	assert_ok(start(&id), e);
	say(PROTO_CREDIT, 0, 1, "\1\0\0\0", 4);
	assert_fails(agent_pump(l, 0, &e), e, ERR_VM, "takes more input than it was given");
}

static void stdin_waits_for_credit(void **state)
{
	static char bytes[PROTO_STDIN_BYTES + 10];
	size_t n;
	uint32_t id;

	(void)state;
	say(PROTO_OK, 0, 1, "", 0);
	assert_ok(start(&id), e);
	assert_ok(agent_stdin(l, id, bytes, sizeof(bytes), &n, &e), e);
	assert_int_equal(n, PROTO_STDIN_BYTES);
	assert_ok(agent_stdin(l, id, bytes, 10, &n, &e), e);
	assert_int_equal(n, 0);
	say(PROTO_CREDIT, 0, 1, "\3\0\0\0", 4);
	assert_ok(agent_pump(l, 0, &e), e);
	assert_ok(agent_stdin(l, id, bytes, 10, &n, &e), e);
	assert_int_equal(n, 3);
	say_exit(1, 0, 0, 0);
	assert_ok(agent_pump(l, 0, &e), e);
	assert_ok(agent_stdin(l, id, bytes, 10, &n, &e), e);
	assert_int_equal(n, 10);
}

static void too_many_commands(void **state)
{
	uint32_t id;

	(void)state;
	for (uint32_t i = 1; i <= PROTO_PROCESSES_MAX; i++) {
		say(PROTO_OK, 0, i, "", 0);
		assert_ok(start(&id), e);
	}
	assert_fails(start(&id), e, ERR_LIMIT, "running in the guest already");
	say_exit(5, 0, 0, 0);
	assert_ok(agent_pump(l, 0, &e), e);
	say(PROTO_OK, 0, PROTO_PROCESSES_MAX + 1, "", 0);
	assert_ok(start(&id), e);
}

static void requests_have_a_size(void **state)
{
	autostrv sources = STRV_INIT;
	struct agent_copy c = { .from = { .root = "", .sources = &sources },
				.dest = "/x",
				.chown = "",
				.chmod = "" };

	(void)state;
	for (int i = 0; i <= PROTO_STRINGS_MAX; i++)
		strv_push(&sources, "a");
	assert_fails(agent_copy(l, &c, &e), e, ERR_LIMIT, "16384 words");
}

int main(void)
{
#define FRESH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
#define OPEN(t) cmocka_unit_test_setup_teardown(t, set_up_open, tear_down)
	const struct CMUnitTest tests[] = {
		FRESH(greeting_may_follow_junk),
		FRESH(other_versions_are_refused),
		FRESH(silence_is_a_timeout),
		FRESH(chatter_without_greeting_ends),
		FRESH(a_dead_machine_ends_the_wait),
		FRESH(resume_takes_only_its_own_nonce),
		OPEN(output_and_end_arrive),
		OPEN(failures_carry_the_guests_words),
		OPEN(identify_is_not_waited_for),
		OPEN(liars_are_cut_off),
		OPEN(a_flood_within_the_window_goes_on),
		OPEN(too_much_credit_is_a_lie),
		OPEN(stdin_waits_for_credit),
		OPEN(too_many_commands),
		OPEN(requests_have_a_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
