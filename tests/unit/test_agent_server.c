/* Both ends together: the guest's server in a child of the test, the host's link in the test.
 */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "builder/agentlink.h"
#include "rootfs/agent/proto.h"
#include "rootfs/agent/server.h"

static struct agentlink *l;
static struct err *e;
static pid_t server;
static int host;
static struct str out, errs;
static size_t total;
static bool is_counted;

static void on_output(void *arg, int stream, const char *bytes, size_t n)
{
	(void)arg;
	total += n;
	if (!is_counted)
		str_addn(stream == 2 ? &errs : &out, bytes, n);
}

static void set_up_guest(bool is_build)
{
	struct agent_setup s = { .hostname = "h", .is_build = is_build };
	uint64_t bytes;

	assert_ok(agent_setup(l, &s, &bytes, &e), e);
}

static int set_up(void **state)
{
	struct agentlink_opts o;
	int p[2];

	(void)state;
	out = errs = (struct str)STR_INIT;
	total = 0;
	is_counted = false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p))
		return -1;
	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		close(p[0]);
		_exit(server_run(&(struct server_opts){ .fd = p[1], .context = -1 }) != 0);
	}
	close(p[1]);
	host = p[0];
	o = (struct agentlink_opts){ .fd = host };
	if (agentlink_open(&o, 5000, &l, &e))
		return -1;
	set_up_guest(false);
	return 0;
}

static int tear_down(void **state)
{
	int status;

	(void)state;
	agentlink_free(l);
	l = NULL;
	err_drop(&e);
	close(host);
	str_release(&out);
	str_release(&errs);
	if (waitpid(server, &status, 0) != server || status)
		return -1;
	return 0;
}

static struct agent_exec command(struct strv *argv, struct strv *env, const char *script)
{
	strv_push(argv, "/bin/sh");
	strv_push(argv, "-c");
	strv_push(argv, script);
	return (struct agent_exec){
		.argv = argv, .env = env, .user = "", .cwd = "", .on_output = on_output
	};
}

static struct agent_exit run(const char *script)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exec x = command(&argv, &env, script);
	struct agent_exit r = { 0 };

	strv_push(&env, "GREETING=hello");
	str_clear(&out);
	str_clear(&errs);
	assert_ok(agent_run(l, &x, 20000, &r, &e), e);
	assert_true(r.has_ended);
	return r;
}

static void commands_run(void **state)
{
	(void)state;
	assert_int_equal(run("echo $GREETING; echo bad >&2; exit 3").status, 3);
	assert_string_equal(out.at, "hello\n");
	assert_string_equal(errs.at, "bad\n");
	assert_int_equal(run("kill -TERM $$").signal, SIGTERM);
	assert_int_equal(run("pwd; read x || echo eof; echo $HOME; umask").status, 0);
	assert_non_null(strstr(out.at, "/\neof\n"));
	assert_non_null(strstr(out.at, "\n0022\n"));
	for (int i = 0; i < 200; i++)
		assert_int_equal(run("exit 0").status, 0);
}

static void what_cannot_run_says_why(void **state)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exec x = { .argv = &argv, .env = &env, .user = "", .cwd = "" };
	struct agent_exit r;

	(void)state;
	strv_push(&argv, "no-such-program");
	assert_fails(agent_run(l, &x, 5000, &r, &e), e, ERR_NOCMD,
		     "no such program \"no-such-program\" in PATH");
	strv_release(&argv);
	strv_push(&argv, "/etc");
	assert_fails(agent_run(l, &x, 5000, &r, &e), e, ERR_STEP, "cannot run \"/etc\"");
	strv_release(&argv);
	strv_push(&argv, "true");
	x.user = "no-such-user";
	assert_fails(agent_run(l, &x, 5000, &r, &e), e, ERR_USAGE,
		     "unable to find user no-such-user");
	x.user = "";
	x.cwd = "/etc/passwd";
	assert_fails(agent_run(l, &x, 5000, &r, &e), e, ERR_STEP, "/etc/passwd");
	x.cwd = "";
	assert_ok(agent_run(l, &x, 5000, &r, &e), e);
}

static void floods_come_whole(void **state)
{
	(void)state;
	is_counted = true;
	assert_int_equal(run("head -c 100000000 /dev/zero").status, 0);
	assert_int_equal(total, 100000000);
}

/* Nobody reads: the command waits, and everything else goes on. */
static void an_unread_command_holds_up_only_itself(void **state)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exec x = command(&argv, &env, "cat");
	static char bytes[PROTO_STDIN_BYTES];
	size_t n, sent = 0;
	uint32_t id;

	(void)state;
	argv.at[0] = (free(argv.at[0]), xstrdup("/bin/sleep"));
	argv.at[1] = (free(argv.at[1]), xstrdup("1000"));
	free(argv.at[--argv.n]);
	argv.at[argv.n] = NULL;
	x.has_stdin = true;
	assert_ok(agent_start(l, &x, &id, &e), e);
	for (int i = 0; i < 20; i++) {
		assert_ok(agent_stdin(l, id, bytes, sizeof(bytes), &n, &e), e);
		sent += n;
		assert_ok(agent_pump(l, 5, &e), e);
	}
	assert_true(sent <= 3 * PROTO_STDIN_BYTES); /* buffer, pipe, and what was under way */
	assert_int_equal(run("exit 4").status, 4);
	assert_ok(agent_signal(l, id, SIGKILL, &e), e);
	while (!agent_exit_of(l, id).has_ended)
		assert_ok(agent_pump(l, 100, &e), e);
	assert_int_equal(agent_exit_of(l, id).signal, SIGKILL);
}

static void stdin_goes_through(void **state)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exec x = command(&argv, &env, "exec sha256sum");
	static char bytes[300000];
	size_t at = 0, n;
	uint32_t id;

	(void)state;
	x.has_stdin = true;
	assert_ok(agent_start(l, &x, &id, &e), e);
	while (at < sizeof(bytes)) {
		assert_ok(agent_stdin(l, id, bytes + at, sizeof(bytes) - at, &n, &e), e);
		at += n;
		if (!n)
			assert_ok(agent_pump(l, 100, &e), e);
	}
	assert_ok(agent_stdin(l, id, NULL, 0, &n, &e), e);
	while (!agent_exit_of(l, id).has_ended)
		assert_ok(agent_pump(l, 100, &e), e);
	assert_memory_equal(out.at, "8f1d19bd9ae1a1c3", 0);
	assert_int_equal(out.len, 64 + 4);
}

static void a_terminal_is_one(void **state)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exec x = command(&argv, &env,
				      "test -t 0 && test -t 1 && test -t 2 && stty size && "
				      "read line && stty size && echo got $line; "
				      "echo x >/dev/tty && exit 5");
	size_t n;
	uint32_t id;

	(void)state;
	x.has_tty = x.has_stdin = true;
	x.rows = 33;
	x.cols = 77;
	assert_ok(agent_start(l, &x, &id, &e), e);
	while (!strstr(out.at, "33 77"))
		assert_ok(agent_pump(l, 1000, &e), e);
	assert_ok(agent_resize(l, id, 44, 88, &e), e);
	assert_ok(agent_stdin(l, id, "word\r", 5, &n, &e), e);
	while (!agent_exit_of(l, id).has_ended)
		assert_ok(agent_pump(l, 1000, &e), e);
	assert_int_equal(agent_exit_of(l, id).status, 5);
	assert_non_null(strstr(out.at, "44 88"));
	assert_non_null(strstr(out.at, "got word"));
}

static void a_timeout_kills(void **state)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exec x = command(&argv, &env, "trap '' TERM; sleep 1000 & sleep 1000");
	struct agent_exit r;

	(void)state;
	assert_fails(agent_run(l, &x, 300, &r, &e), e, ERR_TIMEOUT,
		     "still running after 0.3 s");
	assert_true(r.has_ended);
	assert_int_equal(r.signal, SIGKILL);
}

static void a_daemon_does_not_keep_its_command(void **state)
{
	(void)state;
	assert_int_equal(run("sleep 3 & echo started").status, 0);
	assert_string_equal(out.at, "started\n");
}

static void a_service_outlives_the_conversation(void **state)
{
	autostrv argv = STRV_INIT, env = STRV_INIT, identity_env = STRV_INIT;
	struct agent_exec x =
		command(&argv, &env,
			"echo one; echo two >&2; while ! test -e $STOP; do sleep "
			"0.05; done; head -c 200000 /dev/zero; echo three; exit 6");
	struct agent_identity i = { .hostname = "n", .machine_id = "", .env = &identity_env };
	char stop[] = "/tmp/test-agent-stop.XXXXXX";
	struct agentlink_opts o = { .fd = host };
	autostr tail = STR_INIT;
	struct agent_exit end;
	uint32_t id;

	(void)state;
	close(mkstemp(stop));
	unlink(stop);
	strv_pushf(&env, "STOP=%s", stop);
	x.is_service = true;
	assert_ok(agent_start(l, &x, &id, &e), e);
	while (!strstr(out.at, "two"))
		assert_ok(agent_pump(l, 1000, &e), e);
	assert_ok(agent_quiesce(l, &e), e);
	agentlink_free(l);
	l = NULL;
	close(open(stop, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_ok(agentlink_reopen(&o, 5000, &l, &e), e);
	strv_push(&identity_env, "GREETING=bonjour");
	assert_ok(agent_identify(l, &i, &e), e);
	assert_int_equal(run("echo $GREETING").status, 0);
	assert_string_equal(out.at, "bonjour\n");
	do {
		str_clear(&tail);
		assert_ok(agent_service_log(l, &tail, &end, &e), e);
	} while (!end.has_ended);
	unlink(stop);
	assert_int_equal(end.status, 6);
	assert_int_equal(tail.len, 60 << 10);
	assert_string_equal(tail.at + tail.len - 6, "three\n");
}

static void nothing_runs_before_the_identity(void **state)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exec x = command(&argv, &env, "true");
	struct agentlink_opts o = { .fd = host };
	struct agent_exit r;

	(void)state;
	assert_ok(agent_quiesce(l, &e), e);
	agentlink_free(l);
	l = NULL;
	assert_ok(agentlink_reopen(&o, 5000, &l, &e), e);
	assert_fails(agent_run(l, &x, 5000, &r, &e), e, ERR_BUG, "no identity yet");
}

/* As a clone has it: the conversation begins anew. */
static void restore_guest(void)
{
	autostrv env = STRV_INIT;
	struct agent_identity i = { .hostname = "n", .machine_id = "", .env = &env };
	struct agentlink_opts o = { .fd = host };

	assert_ok(agent_quiesce(l, &e), e);
	agentlink_free(l);
	l = NULL;
	assert_ok(agentlink_reopen(&o, 5000, &l, &e), e);
	assert_ok(agent_identify(l, &i, &e), e);
}

/* A process number that is given out now. */
static pid_t next_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void the_first_command_has_its_process_already(void **state)
{
	pid_t pid;

	(void)state;
	restore_guest();
	pid = next_pid();
	assert_int_equal(run("echo $$ $GREETING; echo bad >&2; ls /proc/$$/fd; exit 3").status,
			 3);
	assert_true(atoi(out.at) < pid);
	assert_non_null(strstr(out.at, " hello\n"));
	assert_string_equal(errs.at, "bad\n");
	assert_non_null(strstr(out.at, "\n0\n1\n2\n"));
	assert_null(strstr(out.at, "\n3\n"));
	assert_int_equal(run("echo $$").status, 0);
	assert_true(atoi(out.at) > pid);
}

static void its_process_takes_any_ordinary_command(void **state)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exec x = command(&argv, &env, "read line && echo got $line");
	size_t n;
	uint32_t id;

	(void)state;
	restore_guest();
	x.has_stdin = true;
	assert_ok(agent_start(l, &x, &id, &e), e);
	assert_ok(agent_stdin(l, id, "word\n", 5, &n, &e), e);
	while (!agent_exit_of(l, id).has_ended)
		assert_ok(agent_pump(l, 1000, &e), e);
	assert_int_equal(agent_exit_of(l, id).status, 0);
	assert_non_null(strstr(out.at, "got word\n"));
	/* Or one that needs another kind of process, and then an ordinary one. */
	restore_guest();
	x.has_tty = true;
	x.has_stdin = false;
	free(argv.at[2]);
	argv.at[2] = xstrdup("test -t 1");
	assert_ok(agent_start(l, &x, &id, &e), e);
	while (!agent_exit_of(l, id).has_ended)
		assert_ok(agent_pump(l, 1000, &e), e);
	assert_int_equal(agent_exit_of(l, id).status, 0);
	assert_int_equal(run("test ! -t 1 && kill -KILL $$").signal, SIGKILL);
}

static void its_process_can_fail(void **state)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exec x = { .argv = &argv, .env = &env, .user = "", .cwd = "" };
	struct agent_exit r;
	char kill_it[128];

	(void)state;
	strv_push(&argv, "no-such-program");
	restore_guest();
	assert_fails(agent_run(l, &x, 5000, &r, &e), e, ERR_NOCMD,
		     "no such program \"no-such-program\" in PATH");
	restore_guest();
	x.user = "no-such-user";
	assert_fails(agent_run(l, &x, 5000, &r, &e), e, ERR_USAGE,
		     "unable to find user no-such-user");
	assert_int_equal(run("exit 5").status, 5);
	/* Somebody in the guest kills it: the server's only child. */
	restore_guest();
	snprintf(kill_it, sizeof(kill_it),
		 "pkill -KILL -P %d; while pgrep -P %d >/dev/null; do sleep 0.01; done",
		 (int)server, (int)server);
	assert_int_equal(system(kill_it), 0);
	assert_int_equal(run("exit 6").status, 6);
}

static void long_requests_arrive(void **state)
{
	autostr script = STR_INIT;

	(void)state;
	for (int i = 0; i < 2000; i++)
		str_addf(&script, "x%d='%*s'\n", i, 40, "");
	str_add(&script, "exit 9");
	assert_true(script.len > PROTO_PAYLOAD_MAX);
	assert_int_equal(run(script.at).status, 9);
}

static void probes_look(void **state)
{
	autofree char *seen = NULL, *path = xasprintf("/tmp/test-agent-%d", (int)getpid());
	struct agent_probe file = { AGENT_PROBE_FILE, path };
	struct agent_probe port = { AGENT_PROBE_PORT, "no" };
	struct agent_probe process = { AGENT_PROBE_PROCESS, "no-such-process" };

	(void)state;
	assert_int_equal(agent_probe(l, &file, &seen, &e), 0);
	assert_non_null(strstr(seen, "No such file"));
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(agent_probe(l, &file, &seen, &e), 1);
	unlink(path);
	assert_fails(agent_probe(l, &port, &seen, &e), e, ERR_USAGE, "is no port");
	free(take(seen));
	assert_int_equal(agent_probe(l, &process, &seen, &e), 0);
	assert_non_null(strstr(seen, "running: "));
	free(take(seen));
	assert_ok(agent_listening(l, &seen, &e), e);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(commands_run),
		TEST(what_cannot_run_says_why),
		TEST(floods_come_whole),
		TEST(an_unread_command_holds_up_only_itself),
		TEST(stdin_goes_through),
		TEST(a_terminal_is_one),
		TEST(a_timeout_kills),
		TEST(a_daemon_does_not_keep_its_command),
		TEST(a_service_outlives_the_conversation),
		TEST(nothing_runs_before_the_identity),
		TEST(the_first_command_has_its_process_already),
		TEST(its_process_takes_any_ordinary_command),
		TEST(its_process_can_fail),
		TEST(long_requests_arrive),
		TEST(probes_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
