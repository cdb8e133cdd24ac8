#include "builder/ssh_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "builder/ssh_wire.h"

enum { HEADER_BYTES = 8, LENGTH_BYTES = 4 };

struct ssh_connection {
	int fd;             /* to the host's agent; -1: none */
	struct str request; /* a message that is coming */
};

struct ssh_relay {
	const char *socket; /* of the host's agent; lent */
	struct agentlink *link;
	struct strv argv;
	uint32_t id;
	struct str in;  /* frames from the guest that were not looked at */
	struct str out; /* frames for it */
	struct ssh_connection connections[PROTO_RELAY_CONNECTIONS];
};

static void collect(void *arg, int stream, const char *bytes, size_t n)
{
	struct ssh_relay *r = arg;

	if (stream == 1)
		str_addn(&r->in, bytes, n);
}

int ssh_relay_start(const struct ssh_agents *a, const char *id, const char *name,
		    struct agentlink *link, struct ssh_relay **ret, struct err **e)
{
	AUTO(ssh_relay) r = xcalloc(1, sizeof(*r));
	struct agent_exec x = { .argv = &r->argv,
				.user = "",
				.cwd = "",
				.has_stdin = true,
				.is_relay = true,
				.on_output = collect,
				.arg = r };

	r->socket = ssh_agents_socket(a, id);
	r->link = link;
	r->in = r->out = (struct str)STR_INIT;
	for (int i = 0; i < PROTO_RELAY_CONNECTIONS; i++)
		r->connections[i] = (struct ssh_connection){ -1, STR_INIT };
	strv_push(&r->argv, name);
	if (agent_start(link, &x, &r->id, e))
		return err_wrap(e, "forwarding the ssh agent");
	*ret = take(r);
	return 0;
}

static void put_frame(struct ssh_relay *r, uint32_t connection, const char *bytes, size_t n)
{
	do {
		size_t part = n < PROTO_RELAY_MAX ? n : PROTO_RELAY_MAX;
		char header[HEADER_BYTES];

		for (int i = 0; i < 4; i++) {
			header[i] = (char)(connection >> (8 * i));
			header[4 + i] = (char)(part >> (8 * i));
		}
		str_addn(&r->out, header, sizeof(header));
		str_addn(&r->out, bytes, part);
		bytes += part;
		n -= part;
	} while (n);
}

static void end_connection(struct ssh_relay *r, uint32_t i, bool is_told)
{
	struct ssh_connection *c = &r->connections[i];

	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	str_clear(&c->request);
	if (is_told)
		put_frame(r, i, "", 0);
}

static int connect_to(const char *path, int *ret_fd, struct err **e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(to.sun_path))
		return err_set(e, ERR_USAGE,
			       "the path of the ssh agent's socket %s is too long", path);
	strcpy(to.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return err_sys(e, "connecting to the ssh agent at %s", path);
	*ret_fd = take_fd(fd);
	return 0;
}

static int read_in_time(int fd, char *at, size_t n)
{
	while (n) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, SSH_ANSWER_MS) <= 0)
			return -1;
		got = read(fd, at, n);
		if (got <= 0)
			return -1;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

/* From its first LENGTH_BYTES: of the whole message; -1: it is too long. */
static ssize_t answer_length(const char *at)
{
	return ssh_message_next(at, LENGTH_BYTES + SSH_MESSAGE_MAX);
}

/* One request, whole, to the host's agent, and its answer to the guest. -1: no answer. */
static int ask(struct ssh_relay *r, uint32_t i, const char *message, size_t n)
{
	struct ssh_connection *c = &r->connections[i];
	autofree char *answer = NULL;
	struct err *why = NULL;
	ssize_t whole;

	if (c->fd < 0 && connect_to(r->socket, &c->fd, &why)) {
		err_drop(&why);
		return -1;
	}
	answer = xmalloc(LENGTH_BYTES + SSH_MESSAGE_MAX);
	if (fs_write_full(c->fd, message, n) || read_in_time(c->fd, answer, LENGTH_BYTES))
		return -1;
	whole = answer_length(answer);
	if (whole < 0 ||
	    read_in_time(c->fd, answer + LENGTH_BYTES, (size_t)whole - LENGTH_BYTES))
		return -1;
	put_frame(r, i, answer, (size_t)whole);
	return 0;
}

static void take_bytes(struct ssh_relay *r, uint32_t i, const char *bytes, size_t n)
{
	struct str *request = &r->connections[i].request;
	size_t at = 0;
	ssize_t whole;

	str_addn(request, bytes, n);
	while ((whole = ssh_message_next(request->at + at, request->len - at)) > 0) {
		if (ask(r, i, request->at + at, (size_t)whole))
			whole = -1;
		if (whole < 0)
			break;
		at += (size_t)whole;
	}
	if (whole < 0) {
		end_connection(r, i, true);
		return;
	}
	if (!at)
		return;
	memmove(request->at, request->at + at, request->len - at);
	request->len -= at;
}

static int take_frames(struct ssh_relay *r, struct err **e)
{
	struct ssh_frame frame;
	size_t at = 0;
	ssize_t whole;

	while ((whole = ssh_frame_next(r->in.at + at, r->in.len - at, &frame)) > 0) {
		if (frame.n)
			take_bytes(r, frame.connection, frame.bytes, frame.n);
		else
			end_connection(r, frame.connection, false);
		at += (size_t)whole;
	}
	if (whole < 0)
		return err_set(e, ERR_VM, "the guest's ssh relay sends what is no frame");
	if (!at)
		return 0;
	memmove(r->in.at, r->in.at + at, r->in.len - at);
	r->in.len -= at;
	return 0;
}

int ssh_relay_serve(struct ssh_relay *r, struct err **e)
{
	size_t sent = 1;

	if (take_frames(r, e))
		return -1;
	while (r->out.len && sent) {
		if (agent_stdin(r->link, r->id, r->out.at, r->out.len, &sent, e))
			return -1;
		memmove(r->out.at, r->out.at + sent, r->out.len - sent);
		r->out.len -= sent;
	}
	return 0;
}

void ssh_relay_free(struct ssh_relay *r)
{
	struct err *ignored = NULL;

	if (!r)
		return;
	if (r->id) {
		agent_stop(r->link, r->id, &ignored);
		err_drop(&ignored);
	}
	for (int i = 0; i < PROTO_RELAY_CONNECTIONS; i++) {
		if (r->connections[i].fd >= 0)
			close(r->connections[i].fd);
		str_release(&r->connections[i].request);
	}
	str_release(&r->in);
	str_release(&r->out);
	strv_release(&r->argv);
	free(r);
}
