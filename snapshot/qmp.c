#include "snapshot/qmp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"

struct qmp {
	int fd; /* borrowed */
	void (*on_event)(void *arg, const char *name, const struct json *data);
	void *arg;
	struct str in; /* received; the first `taken` bytes are handled */
	size_t taken;
	size_t scanned;    /* no newline in in[taken..scanned) */
	int64_t sent_id;   /* of the newest command */
	int64_t waited_id; /* of the newest command whose answer was taken */
	bool has_greeted, is_closed;
};

static int parse_error(const struct json *root, struct qmp_message *m, struct err **e)
{
	const struct json *error;

	m->kind = QMP_ERROR;
	if (json_get_object(root, "error", &error, e))
		return -1;
	return json_get_str(error, "desc", &m->text, e);
}

/* The member of any type that `return` may hold. */
static const struct json *member(const struct json *object, const char *name)
{
	const struct json *value;
	const char *key;

	for (size_t i = 0; json_member(object, i, &key, &value); i++)
		if (streq(key, name))
			return value;
	return NULL;
}

static int parse_root(struct qmp_message *m, struct err **e)
{
	const struct json *root = m->root;

	if (!json_holds_object(root))
		return err_set(e, ERR_VM, "no object");
	if (json_opt_int(root, "id", &m->id, e))
		return -1;
	if (member(root, "event")) {
		m->kind = QMP_EVENT;
		return json_get_str(root, "event", &m->text, e) ||
				       json_opt_object(root, "data", &m->data, e)
			       ? -1
			       : 0;
	}
	if (member(root, "error"))
		return parse_error(root, m, e);
	m->data = member(root, "return");
	if (m->data) {
		m->kind = QMP_RETURN;
		return 0;
	}
	m->kind = QMP_GREETING;
	return json_get_object(root, "QMP", &m->data, e);
}

int qmp_message_parse(const char *line, size_t n, struct qmp_message *ret, struct err **e)
{
	struct qmp_message m = QMP_MESSAGE_INIT;
	AUTO(err) cause = NULL;

	if (json_parse(line, n, "QEMU's answer", &m.root, &cause) || parse_root(&m, &cause)) {
		autofree char *text = err_text(cause);

		json_free(m.root);
		return err_set(e, ERR_VM, "QEMU's control connection: %s", text);
	}
	*ret = m;
	return 0;
}

void qmp_message_release(struct qmp_message *m)
{
	json_free(m->root);
	*m = (struct qmp_message)QMP_MESSAGE_INIT;
}

struct qmp *qmp_new(int fd,
		    void (*on_event)(void *arg, const char *name, const struct json *data),
		    void *arg)
{
	struct qmp *q = xcalloc(1, sizeof(*q));

	q->fd = fd;
	q->on_event = on_event;
	q->arg = arg;
	q->in = (struct str)STR_INIT;
	return q;
}

void qmp_free(struct qmp *q)
{
	if (!q)
		return;
	str_release(&q->in);
	free(q);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 1 ready, 0 the deadline has passed, -1 with errno. */
static int wait_ready(int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = deadline_ms - now_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return 1;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0 && left <= 0)
			return 0;
	}
}

static ssize_t send_with_fd(int to, const char *bytes, size_t n, int fd)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = n };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL);
}

static int send_all(struct qmp *q, const char *bytes, size_t n, int fd, struct err **e)
{
	int64_t deadline = now_ms() + QMP_TIMEOUT_MS;

	while (n) {
		ssize_t sent = send_with_fd(q->fd, bytes, n, fd);
		int ready;

		if (sent > 0) {
			bytes += sent;
			n -= (size_t)sent;
			fd = -1; /* it went with the first bytes */
			continue;
		}
		if (errno == EINTR)
			continue;
		q->is_closed = errno == EPIPE || errno == ECONNRESET;
		if (errno != EAGAIN)
			return err_set(e, ERR_VM, "QEMU's control connection: %s",
				       strerror(errno));
		ready = wait_ready(q->fd, POLLOUT, deadline);
		if (ready <= 0)
			return err_set(e, ERR_TIMEOUT, "QEMU takes no commands");
	}
	return 0;
}

int qmp_send(struct qmp *q, const char *command, struct json *args, int fd, struct err **e)
{
	AUTO(json) o = json_object_new();
	autofree char *text = NULL;
	autostr line = STR_INIT;

	json_put(o, "execute", json_from_str(command));
	if (args)
		json_put(o, "arguments", args);
	json_put(o, "id", json_from_int(++q->sent_id));
	text = json_text(o);
	str_addf(&line, "%s\n", text);
	log_debug("qmp > %s", text);
	return send_all(q, line.at, line.len, fd, e);
}

int qmp_open(struct qmp *q, struct err **e)
{
	return qmp_send(q, "qmp_capabilities", NULL, -1, e);
}

/* Reads what is there into q->in. 1 something came, 0 the deadline has passed. */
static int receive(struct qmp *q, int64_t deadline_ms, struct err **e)
{
	char buf[16384];

	/* Handled bytes go only now and then, so that many short lines aren't moved each. */
	if (q->taken == q->in.len) {
		str_clear(&q->in);
		q->taken = q->scanned = 0;
	} else if (q->taken > QMP_MAX_LINE_BYTES) {
		q->in.len -= q->taken;
		memmove(q->in.at, q->in.at + q->taken, q->in.len);
		q->scanned -= q->taken;
		q->taken = 0;
	}
	for (;;) {
		ssize_t n = recv(q->fd, buf, sizeof(buf), 0);
		int ready;

		if (n > 0) {
			str_addn(&q->in, buf, (size_t)n);
			return 1;
		}
		if (n == 0 || errno == ECONNRESET) {
			q->is_closed = true;
			return err_set(e, ERR_VM, "QEMU has closed its control connection");
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return err_set(e, ERR_VM, "QEMU's control connection: %s",
				       strerror(errno));
		ready = wait_ready(q->fd, POLLIN, deadline_ms);
		if (ready < 0)
			return err_sys(e, "waiting for QEMU");
		if (ready == 0)
			return 0;
	}
}

/* 1 with the next whole line (without newline, alive until receive()), 0 if there is none. */
static int next_line(struct qmp *q, const char **ret_line, size_t *ret_n, struct err **e)
{
	const char *from = q->in.at + q->scanned;
	const char *end = memchr(from, '\n', q->in.len - q->scanned);

	if (!end) {
		q->scanned = q->in.len;
		if (q->in.len - q->taken > QMP_MAX_LINE_BYTES)
			return err_set(e, ERR_VM, "QEMU sent a line of more than %d bytes",
				       QMP_MAX_LINE_BYTES);
		return 0;
	}
	*ret_line = q->in.at + q->taken;
	*ret_n = (size_t)(end - *ret_line);
	q->taken = q->scanned = (size_t)(end + 1 - q->in.at);
	return 1;
}

/* 1 with the next message, 0 when time is up. The one greeting is passed over. */
static int next_message(struct qmp *q, int64_t deadline_ms, struct qmp_message *ret,
			struct err **e)
{
	for (;;) {
		const char *line = NULL;
		size_t n = 0;
		int got = next_line(q, &line, &n, e);

		if (got < 0)
			return -1;
		if (!got) {
			got = receive(q, deadline_ms, e);
			if (got <= 0)
				return got;
			continue;
		}
		log_debug("qmp < %.*s", (int)(n < 400 ? n : 400), line);
		if (qmp_message_parse(line, n, ret, e))
			return -1;
		if (ret->kind != QMP_GREETING || q->has_greeted)
			return 1;
		q->has_greeted = true;
		qmp_message_release(ret);
	}
}

static void give_event(struct qmp *q, struct qmp_message *m)
{
	if (q->on_event)
		q->on_event(q->arg, m->text, m->data);
	qmp_message_release(m);
}

/* 1 with the next message that is no event, 0 when time is up. */
static int next_answer(struct qmp *q, int64_t deadline_ms, struct qmp_message *ret,
		       struct err **e)
{
	int got;

	while ((got = next_message(q, deadline_ms, ret, e)) == 1 && ret->kind == QMP_EVENT)
		give_event(q, ret);
	return got;
}

int qmp_wait(struct qmp *q, struct json **ret_root, const struct json **ret_data,
	     struct err **e)
{
	struct qmp_message m = QMP_MESSAGE_INIT;
	int64_t id = ++q->waited_id;
	int got = next_answer(q, now_ms() + QMP_TIMEOUT_MS, &m, e);

	if (got < 0)
		return -1;
	if (!got)
		return err_set(e, ERR_TIMEOUT, "QEMU did not answer for %d seconds",
			       QMP_TIMEOUT_MS / 1000);
	if (m.kind == QMP_ERROR) {
		err_set(e, ERR_VM, "QEMU: %s", m.text);
	} else if (m.kind != QMP_RETURN || m.id != id) {
		err_set(e, ERR_VM, "QEMU answered out of order");
	} else {
		if (ret_data)
			*ret_data = m.data;
		if (ret_root)
			*ret_root = take(m.root);
		qmp_message_release(&m);
		return 0;
	}
	qmp_message_release(&m);
	return -1;
}

int qmp_wait_all(struct qmp *q, struct err **e)
{
	struct err *first = NULL;

	while (q->waited_id < q->sent_id) {
		AUTO(err) next = NULL;

		if (qmp_wait(q, NULL, NULL, &next) && !first)
			first = take(next);
	}
	if (!first)
		return 0;
	*e = first;
	return -1;
}

int qmp_poll(struct qmp *q, int timeout_ms, struct err **e)
{
	int64_t deadline = now_ms() + timeout_ms;

	for (;;) {
		struct qmp_message m = QMP_MESSAGE_INIT;
		int got = next_message(q, deadline, &m, e);

		if (got <= 0)
			return got;
		if (m.kind != QMP_EVENT) {
			qmp_message_release(&m);
			return err_set(e, ERR_VM, "QEMU answered what nobody had asked");
		}
		give_event(q, &m);
		deadline = 0; /* the others that are here, but no waiting */
	}
}

bool qmp_is_closed(const struct qmp *q)
{
	return q->is_closed;
}
