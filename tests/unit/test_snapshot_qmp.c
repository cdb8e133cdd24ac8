/* QMP: what lines are accepted, and a conversation with a QEMU that is played by the test. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "snapshot/qmp.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"

static void parses_each_kind(void **state)
{
	static const struct {
		const char *line;
		enum qmp_kind kind;
		int64_t id;
		const char *text;
	} cases[] = {
		{ "{\"QMP\":{}}", QMP_GREETING, -1, NULL },
		{ "{\"return\":{},\"id\":3}", QMP_RETURN, 3, NULL },
		{ "{\"return\":[1,2],\"id\":4}\r", QMP_RETURN, 4, NULL },
		{ "{\"return\":\"text\"}", QMP_RETURN, -1, NULL },
		{ "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"},\"id\":7}",
		  QMP_ERROR, 7, "no" },
		{ "{\"event\":\"STOP\",\"timestamp\":{\"seconds\":1,\"microseconds\":2}}",
		  QMP_EVENT, -1, "STOP" },
		{ "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true}}", QMP_EVENT, -1,
		  "SHUTDOWN" },
	};
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qmp_message m;

		assert_ok(qmp_message_parse(cases[i].line, strlen(cases[i].line), &m, &e), e);
		assert_int_equal(m.kind, cases[i].kind);
		assert_int_equal(m.id, cases[i].id);
		if (cases[i].text)
			assert_string_equal(m.text, cases[i].text);
		qmp_message_release(&m);
	}
}

static void refuses_other_lines(void **state)
{
	static const char *const lines[] = {
		"",
		"[]",
		"7",
		"{",
		"{}",
		"{\"QMP\":1}",
		"{\"event\":1}",
		"{\"event\":\"STOP\",\"data\":[]}",
		"{\"error\":\"no\"}",
		"{\"error\":{\"class\":\"GenericError\"}}",
		"{\"return\":{},\"id\":\"text\"}",
		"{\"return\":{}} {\"return\":{}}",
	};
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct qmp_message m;

		assert_fails(qmp_message_parse(lines[i], strlen(lines[i]), &m, &e), e, ERR_VM,
			     "QEMU's control connection: ");
	}
}

/* Both ends of a connection, and what events were heard. */
struct talk {
	int theirs, ours;
	struct qmp *q;
	char heard[256];
};

static void hear(void *arg, const char *name, const struct json *data)
{
	struct talk *t = arg;

	snprintf(t->heard + strlen(t->heard), sizeof(t->heard) - strlen(t->heard), "%s%s ",
		 name, data ? "+" : "");
}

static int talk_setup(void **state)
{
	struct talk *t = xcalloc(1, sizeof(*t));
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	t->ours = pair[0];
	t->theirs = pair[1];
	assert_int_equal(fcntl(t->ours, F_SETFL, O_NONBLOCK), 0);
	t->q = qmp_new(t->ours, hear, t);
	*state = t;
	return 0;
}

static int talk_teardown(void **state)
{
	struct talk *t = *state;

	qmp_free(t->q);
	auto_close_(&t->ours);
	auto_close_(&t->theirs);
	free(t);
	return 0;
}

static void say(struct talk *t, const char *text)
{
	assert_int_equal(write(t->theirs, text, strlen(text)), (ssize_t)strlen(text));
}

static void commands_go_before_the_greeting_comes(void **state)
{
	struct talk *t = *state;
	struct err *e = NULL;
	char buf[512];
	ssize_t n;

	assert_ok(qmp_open(t->q, &e), e);
	assert_ok(qmp_send(t->q, "stop", NULL, -1, &e), e);
	n = read(t->theirs, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n"
				 "{\"execute\":\"stop\",\"id\":2}\n");
	say(t, GREETING "{\"return\":{},\"id\":1}\r\n{\"event\":\"STOP\"}\r\n{\"ret");
	say(t, "urn\":{},\"id\":2}\r\n");
	assert_ok(qmp_wait_all(t->q, &e), e);
	assert_string_equal(t->heard, "STOP ");
}

static void an_answer_has_data(void **state)
{
	struct talk *t = *state;
	struct err *e = NULL;
	AUTO(json) root = NULL;
	const struct json *data = NULL;
	struct json *args = json_object_new();

	json_put(args, "size", json_from_int(3));
	assert_ok(qmp_send(t->q, "ringbuf-read", args, -1, &e), e);
	say(t, GREETING "{\"return\":\"abc\",\"id\":1}\n");
	assert_ok(qmp_wait(t->q, &root, &data, &e), e);
	assert_string_equal(json_as_str(data), "abc");
}

static void an_error_has_qemus_words(void **state)
{
	struct talk *t = *state;
	struct err *e = NULL;

	say(t, "{\"error\":{\"class\":\"GenericError\",\"desc\":\"Node 'x' not "
	       "found\"},\"id\":1}\n"
	       "{\"error\":{\"class\":\"GenericError\",\"desc\":\"second\"},\"id\":2}\n"
	       "{\"return\":{},\"id\":3}\n");
	assert_ok(qmp_send(t->q, "a", NULL, -1, &e), e);
	assert_ok(qmp_send(t->q, "b", NULL, -1, &e), e);
	assert_fails(qmp_wait_all(t->q, &e), e, ERR_VM, "QEMU: Node 'x' not found");
	assert_ok(qmp_send(t->q, "c", NULL, -1, &e), e);
	assert_ok(qmp_wait_all(t->q, &e), e);
	assert_false(qmp_is_closed(t->q));
}

static void answers_out_of_order_end_it(void **state)
{
	struct talk *t = *state;
	struct err *e = NULL;

	say(t, "{\"return\":{},\"id\":2}\n");
	assert_ok(qmp_send(t->q, "a", NULL, -1, &e), e);
	assert_fails(qmp_wait(t->q, NULL, NULL, &e), e, ERR_VM, "out of order");
	say(t, "{\"return\":{},\"id\":9}\n");
	assert_fails(qmp_poll(t->q, 0, &e), e, ERR_VM, "nobody had asked");
}

static void a_closed_connection_is_known(void **state)
{
	struct talk *t = *state;
	struct err *e = NULL;

	say(t, "{\"event\":\"SHUTDOWN\",\"data\":{}}\n");
	auto_close_(&t->theirs);
	t->theirs = -1;
	assert_fails(qmp_poll(t->q, 0, &e), e, ERR_VM, "closed");
	assert_string_equal(t->heard, "SHUTDOWN+ ");
	assert_true(qmp_is_closed(t->q));
	assert_fails(qmp_send(t->q, "a", NULL, -1, &e), e, ERR_VM, "Broken pipe");
}

static void events_are_heard_without_waiting(void **state)
{
	struct talk *t = *state;
	struct err *e = NULL;

	assert_ok(qmp_poll(t->q, 0, &e), e);
	say(t, "{\"event\":\"A\"}\n{\"event\":\"B\"}\n{\"event\":");
	assert_ok(qmp_poll(t->q, 5000, &e), e);
	assert_string_equal(t->heard, "A B ");
	say(t, "\"C\"}\n");
	assert_ok(qmp_poll(t->q, 5000, &e), e);
	assert_string_equal(t->heard, "A B C ");
}

/* More than the socket's buffer holds: the reader has to be a process of its own. */
static void a_line_without_end_is_refused(void **state)
{
	struct talk *t = *state;
	struct err *e = NULL;
	pid_t pid = fork();

	if (pid == 0) {
		autofree char *text = xmalloc(2 * QMP_MAX_LINE_BYTES);

		memset(text, 'x', 2 * QMP_MAX_LINE_BYTES);
		close(t->ours);
		for (size_t n = 0; n < 2 * QMP_MAX_LINE_BYTES;) {
			ssize_t got = send(t->theirs, text + n, 2 * QMP_MAX_LINE_BYTES - n,
					   MSG_NOSIGNAL);

			if (got <= 0)
				_exit(0);
			n += (size_t)got;
		}
		_exit(0);
	}
	assert_fails(qmp_poll(t->q, 20000, &e), e, ERR_VM, "a line of more than");
	auto_close_(&t->ours);
	t->ours = -1;
	auto_close_(&t->theirs);
	t->theirs = -1;
}

/* The QEMU of the next test: takes a command with its descriptor and writes to it. */
static void take_descriptor(struct talk *t)
{
	char bytes[256], control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd;

	assert_true(recvmsg(t->theirs, &m, 0) > 0);
	assert_non_null(CMSG_FIRSTHDR(&m));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	assert_int_equal(write(fd, "state", 5), 5);
	close(fd);
}

static void a_descriptor_travels(void **state)
{
	struct talk *t = *state;
	struct err *e = NULL;
	int pipe_ends[2];
	char got[8] = "";

	assert_int_equal(pipe(pipe_ends), 0);
	assert_ok(qmp_send(t->q, "getfd", NULL, pipe_ends[1], &e), e);
	take_descriptor(t);
	assert_int_equal(read(pipe_ends[0], got, sizeof(got)), 5);
	assert_string_equal(got, "state");
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

#define TALK(f) cmocka_unit_test_setup_teardown(f, talk_setup, talk_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_each_kind),
		cmocka_unit_test(refuses_other_lines),
		TALK(commands_go_before_the_greeting_comes),
		TALK(an_answer_has_data),
		TALK(an_error_has_qemus_words),
		TALK(answers_out_of_order_end_it),
		TALK(a_closed_connection_is_known),
		TALK(events_are_heard_without_waiting),
		TALK(a_line_without_end_is_refused),
		TALK(a_descriptor_travels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
