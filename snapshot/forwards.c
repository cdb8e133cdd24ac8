#include "snapshot/forwards.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/vec.h"

struct forward {
	char *addr;
	uint16_t host_port, guest_port;
	bool is_udp;
	int held; /* -1: QEMU has it */
};

struct forwards {
	VEC(struct forward) all;
};

void forwards_free(struct forwards *f)
{
	if (!f)
		return;
	vec_each (one, &f->all) {
		auto_close_(&one->held);
		free(one->addr);
	}
	vec_release(&f->all);
	free(f);
}

uint16_t forwards_port(const struct forwards *f, size_t i)
{
	return f && i < f->all.n ? f->all.at[i].host_port : 0;
}

static int reserve(struct forward *f, struct err **e)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(f->host_port) };
	socklen_t n = sizeof(a);
	int on = f->host_port != 0;

	if (inet_pton(AF_INET, f->addr, &a.sin_addr) != 1)
		return err_set(e, ERR_USAGE, "'%s' is no IPv4 address to publish on", f->addr);
	f->held = socket(AF_INET, (f->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	/* As QEMU does, so that a connection of an earlier machine in TIME_WAIT is no obstacle
	 * to a port that is asked for. */
	if (f->held < 0 ||
	    (!f->is_udp && setsockopt(f->held, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))) ||
	    bind(f->held, (struct sockaddr *)&a, n) ||
	    getsockname(f->held, (struct sockaddr *)&a, &n))
		return err_sys(e, "publishing %s:%u", f->addr, f->host_port);
	f->host_port = ntohs(a.sin_port);
	return 0;
}

int forwards_reserve(const struct vm_forward *f, size_t n, struct forwards **ret,
		     struct err **e)
{
	AUTO(forwards) all = xcalloc(1, sizeof(*all));

	for (size_t i = 0; i < n; i++) {
		struct forward one = { .addr = xstrdup(f[i].host_addr ? f[i].host_addr
								      : "127.0.0.1"),
				       .host_port = f[i].host_port,
				       .guest_port = f[i].guest_port,
				       .is_udp = f[i].is_udp,
				       .held = -1 };

		vec_push(&all->all, one);
		if (reserve(&all->all.at[i], e))
			return -1;
	}
	*ret = take(all);
	return 0;
}

/* Only the monitor for people has this command; it is silent when all is well. */
static int open_one(struct forward *f, struct qmp *qmp, struct err **e)
{
	autofree char *line =
		xasprintf("hostfwd_add net %s:%s:%u-:%u", f->is_udp ? "udp" : "tcp", f->addr,
			  f->host_port, f->guest_port);
	struct json *args = json_object_new();
	const struct json *data = NULL;
	AUTO(json) answer = NULL;
	autostr words = STR_INIT;
	const char *text;

	json_put(args, "command-line", json_from_str(line));
	auto_close_(&f->held);
	if (qmp_send(qmp, "human-monitor-command", args, -1, e) ||
	    qmp_wait(qmp, &answer, &data, e))
		return -1;
	text = json_as_str(data);
	if (!text || !*text)
		return 0;
	str_add_visible(&words, text, strcspn(text, "\r\n"));
	return err_set(e, ERR_SYS, "publishing %s:%u: QEMU says: %s", f->addr, f->host_port,
		       words.at);
}

int forwards_open(struct forwards *f, struct qmp *qmp, struct err **e)
{
	vec_each (one, &f->all)
		if (open_one(one, qmp, e))
			return -1;
	return 0;
}
