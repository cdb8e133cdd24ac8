#include "builder/ssh.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/proc.h"
#include "base/vec.h"
#include "builder/ssh_wire.h"

struct ssh_agent {
	char *id, *socket;
	char *dir; /* of our own agent's socket; NULL: it isn't ours */
	pid_t pid;
	int on_interrupt; /* dir is removed then, too */
};
struct ssh_agents {
	VEC(struct ssh_agent) all;
};

enum { START_MS = 5000 };

static void remove_dir(void *arg)
{
	struct err *ignored = NULL;

	if (fs_remove_tree(arg, &ignored))
		err_drop(&ignored);
}

void ssh_agents_free(struct ssh_agents *a)
{
	if (!a)
		return;
	vec_each (agent, &a->all) {
		proc_kill(agent->pid);
		interrupt_pop(agent->on_interrupt);
		if (agent->dir)
			remove_dir(agent->dir);
		free(agent->id);
		free(agent->socket);
		free(agent->dir);
	}
	vec_release(&a->all);
	free(a);
}

static const struct ssh_agent *find(const struct ssh_agents *a, const char *id)
{
	for (size_t i = a ? a->all.n : 0; i > 0; i--)
		if (streq(a->all.at[i - 1].id, id))
			return &a->all.at[i - 1];
	return NULL;
}

bool ssh_agents_has(const struct ssh_agents *a, const char *id)
{
	return find(a, id) != NULL;
}

const char *ssh_agents_socket(const struct ssh_agents *a, const char *id)
{
	const struct ssh_agent *agent = find(a, id);

	return agent ? agent->socket : NULL;
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

/* ---- keys ---- */

static int add_key(const struct ssh_agent *agent, const char *key, struct err **e)
{
	static const char *const words[] = { "env",         "-u",      "DISPLAY", "-u",
					     "SSH_ASKPASS", "ssh-add", "-q",      "--" };
	autostrv argv = STRV_INIT;
	autostr out = STR_INIT;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (streq(words[i], "ssh-add"))
			strv_pushf(&argv, "SSH_AUTH_SOCK=%s", agent->socket);
		strv_push(&argv, words[i]);
	}
	strv_push(&argv, key);
	if (proc_run(argv.at, 65536, &out, e))
		return err_wrap(e, "loading the ssh key %s", key);
	return 0;
}

static int await_socket(const struct ssh_agent *agent, struct err **e)
{
	for (int waited = 0; !fs_exists(agent->socket); waited += 10) {
		if (waited > START_MS)
			return err_set(e, ERR_TIMEOUT, "ssh-agent did not start");
		poll(NULL, 0, 10);
	}
	return 0;
}

static int start_own(struct ssh_agent *agent, const struct strv *keys, struct err **e)
{
	char dir[] = "/tmp/kiln-ssh.XXXXXX";
	autostrv argv = STRV_INIT;

	if (!mkdtemp(dir))
		return err_sys(e, "making a directory for ssh-agent");
	agent->dir = xstrdup(dir);
	agent->on_interrupt = interrupt_push(remove_dir, agent->dir);
	agent->socket = xasprintf("%s/socket", dir);
	strv_push(&argv, "ssh-agent");
	strv_push(&argv, "-D");
	strv_push(&argv, "-a");
	strv_push(&argv, agent->socket);
	if (proc_spawn(&(struct proc_opts){ .argv = argv.at, .has_own_group = true },
		       &agent->pid, e))
		return err_wrap(e, "starting ssh-agent (package openssh-client) for --ssh %s",
				agent->id);
	if (await_socket(agent, e))
		return -1;
	for (size_t i = 0; i < keys->n; i++)
		if (add_key(agent, keys->at[i], e))
			return -1;
	return 0;
}

static int open_value(struct ssh_agent *agent, const char *value, struct err **e)
{
	autostrv paths = STRV_INIT;
	struct stat st;

	for (const char *at = value; *at;) {
		size_t n = strcspn(at, ",");
		autofree char *path = xstrndup(at, n);

		strv_push(&paths, path);
		at += n + (at[n] == ',');
	}
	for (size_t i = 0; i < paths.n; i++) {
		if (stat(paths.at[i], &st))
			return err_set(e, ERR_NOTFOUND, "--ssh %s: there is no file %s",
				       agent->id, paths.at[i]);
		if (!S_ISSOCK(st.st_mode))
			continue;
		if (paths.n > 1)
			return err_set(
				e, ERR_USAGE,
				"--ssh %s takes one socket, or keys, not several sockets",
				agent->id);
		agent->socket = xstrdup(paths.at[i]);
		return 0;
	}
	return start_own(agent, &paths, e);
}

static int open_one(struct ssh_agent *agent, const char *spec, struct err **e)
{
	const char *equals = strchr(spec, '=');
	const char *standard = getenv("SSH_AUTH_SOCK");

	agent->id = equals ? xstrndup(spec, (size_t)(equals - spec)) : xstrdup(spec);
	if (!*agent->id)
		return err_set(e, ERR_USAGE, "--ssh takes ID[=SOCKET|KEY[,KEY]], not \"%s\"",
			       spec);
	if (equals && equals[1])
		return open_value(agent, equals + 1, e);
	if (!standard || !*standard)
		return err_set(
			e, ERR_USAGE,
			"--ssh %s: SSH_AUTH_SOCK isn't set: start an ssh agent, or name a "
			"socket or key: --ssh %s=PATH",
			agent->id, agent->id);
	agent->socket = xstrdup(standard);
	return 0;
}

int ssh_agents_open(const struct strv *specs, struct ssh_agents **ret, struct err **e)
{
	AUTO(ssh_agents) a = NULL;

	if (!specs->n)
		return 0;
	a = xcalloc(1, sizeof(*a));
	for (size_t i = 0; i < specs->n; i++) {
		struct ssh_agent agent = { .pid = -1, .on_interrupt = -1 };
		int failed = open_one(&agent, specs->at[i], e);

		vec_push(&a->all, agent);
		if (failed)
			return -1;
	}
	*ret = take(a);
	return 0;
}

/* ---- the relay ---- */

enum { HEADER_BYTES = 8, LENGTH_BYTES = 4 };

struct ssh_connection {
	int fd;             /* to the host's agent; -1: none */
	struct str request; /* a message that is coming */
};

struct ssh_relay {
	const struct ssh_agent *agent;
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

	r->agent = find(a, id);
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

	if (c->fd < 0 && connect_to(r->agent->socket, &c->fd, &why)) {
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
