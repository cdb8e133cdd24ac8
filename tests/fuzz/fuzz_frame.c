/*
 * Frames of the agent protocol, both ways. First byte even: what a guest says to the host,
 * after its greeting. Odd: what a host says to the guest, as far as reading and decoding go.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "builder/agentlink.h"
#include "rootfs/agent/link.h"
#include "rootfs/agent/proto.h"
/* The guest's half isn't in kiln: it is compiled in here. */
#include "rootfs/agent/link.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t seen_bytes;

static void on_output(void *arg, int stream, const char *bytes, size_t n)
{
	(void)arg;
	if ((stream != 1 && stream != 2) || n > PROTO_PAYLOAD_MAX)
		abort();
	for (size_t i = 0; i < n; i++)
		seen_bytes += (unsigned char)bytes[i];
}

static void say(int fd, uint8_t type, uint32_t id, const void *bytes, size_t n)
{
	struct proto_header h = { .bytes = (uint32_t)n, .type = type, .id = id };
	uint8_t at[PROTO_HEADER_BYTES];

	proto_header_encode(&h, at);
	if (write(fd, at, sizeof(at)) != sizeof(at) || (n && write(fd, bytes, n) != (ssize_t)n))
		abort();
}

static void greet(int fd)
{
	uint8_t buf[PROTO_HELLO_BYTES] = PROTO_MAGIC;

	buf[PROTO_MAGIC_BYTES + PROTO_NONCE_BYTES] = PROTO_VERSION;
	say(fd, PROTO_HELLO, 0, buf, sizeof(buf));
	say(fd, PROTO_OK, 1, NULL, 0); /* the command that is started below */
}

/* Each call takes what comes until its answer; the end of the data ends them all. */
static void talk(struct agentlink *l)
{
	autostrv argv = STRV_INIT;
	struct agent_exec x = { .argv = &argv, .has_stdin = true, .on_output = on_output };
	autofree char *seen = NULL, *listening = NULL;
	autostr tail = STR_INIT;
	AUTO(err) e = NULL;
	struct agent_exit end;
	uint32_t id = 0;
	size_t n;

	strv_push(&argv, "x");
	if (agent_start(l, &x, &id, &e) || agent_stdin(l, id, "in", 2, &n, &e) ||
	    agent_probe(l, &(struct agent_probe){ AGENT_PROBE_PORT, "1" }, &seen, &e) < 0 ||
	    agent_service_log(l, &tail, &end, &e) || agent_listening(l, &listening, &e))
		return;
	while (!agent_pump(l, 0, &e))
		;
}

static void from_guest(const uint8_t *data, size_t size)
{
	AUTO(agentlink) l = NULL;
	AUTO(err) e = NULL;
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p))
		abort();
	greet(p[1]);
	if (send(p[1], data, size, MSG_DONTWAIT) < 0 && size)
		size = 0;
	shutdown(p[1], SHUT_WR);
	if (!agentlink_open(&(struct agentlink_opts){ .fd = p[0] }, 1000, &l, &e))
		talk(l);
	close(p[0]);
	close(p[1]);
}

static const char *slots[2][PROTO_STRINGS_MAX + 1];

static void use(const char *s)
{
	seen_bytes += strlen(s);
}

static void use_all(const struct proto_strings *v)
{
	for (size_t i = 0; i < v->n; i++)
		use(v->at[i]);
	if (v->at[v->n])
		abort();
}

static void decode(const struct link_message *m)
{
	struct proto_strings lists[2] = { { slots[0], 0, PROTO_STRINGS_MAX + 1 },
					  { slots[1], 0, PROTO_STRINGS_MAX + 1 } };
	struct proto_exec x = { .argv = lists[0], .env = lists[1] };
	struct proto_copy c = { .from = { .sources = lists[0], .excludes = lists[1] } };
	struct proto_selection selection = { .sources = lists[0], .excludes = lists[1] };
	struct proto_identify i = { .env = lists[0] };
	struct proto_service service;
	struct proto_setup s;
	struct proto_mkdir d;
	struct proto_probe p;

	if (!proto_exec_decode(m->at, m->n, &x)) {
		use_all(&x.argv);
		use_all(&x.env);
		use(x.user);
		for (uint32_t k = 0; k < x.n_mounts; k++) {
			use(x.mounts[k].target);
			use(x.mounts[k].source);
			if (x.mounts[k].content_bytes)
				seen_bytes +=
					x.mounts[k].content[x.mounts[k].content_bytes - 1];
		}
	}
	if (!proto_copy_decode(m->at, m->n, &c)) {
		use_all(&c.from.sources);
		use_all(&c.from.excludes);
		use(c.dest);
	}
	if (!proto_identify_decode(m->at, m->n, &i))
		use_all(&i.env);
	if (!proto_setup_decode(m->at, m->n, &s))
		for (uint32_t k = 0; k < s.n_disks; k++)
			use(s.disks[k].serial);
	if (!proto_selection_decode(m->at, m->n, &selection))
		use_all(&selection.sources);
	if (!proto_mkdir_decode(m->at, m->n, &d))
		use(d.user);
	if (!proto_probe_decode(m->at, m->n, &p))
		use(p.what);
	if (!proto_service_decode(m->at, m->n, &service))
		seen_bytes += service.tail_bytes ? service.tail[service.tail_bytes - 1] : 0;
}

static void from_host(const uint8_t *data, size_t size)
{
	static struct link l;
	struct link_message m;

	l.tx_head = l.tx_tail = l.rx_head = l.rx_tail = l.message_len = 0;
	l.has_header = l.is_continued = l.is_broken = false;
	while (size && !l.is_broken) {
		size_t taken = link_feed(&l, data, size < 1000 ? size : 1000);

		data += taken;
		size -= taken;
		while (link_next(&l, &m) == 1)
			decode(&m);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		from_host(data + 1, size - 1);
	else
		from_guest(data + 1, size - 1);
	return 0;
}
