#include "probe.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "httpget.h"
#include "sysfile.h"

enum { URL_TIMEOUT_MS = 5000, ADDRESSES_MAX = 8, TCP_LISTEN = 0x0a };

/* Text in a fixed buffer; what doesn't fit any more is left out whole, and "..." stands for it.
 */
struct text {
	char *at;
	size_t len;
	bool has_items, is_cut;
};

static void begin(struct text *t, char *at, const char *prefix)
{
	*t = (struct text){ .at = at, .len = strlen(prefix) };
	memcpy(at, prefix, t->len + 1);
}

/* Is it there already, between separators? */
static bool has(const struct text *t, const char *item)
{
	size_t n = strlen(item);

	for (const char *at = t->at; (at = strstr(at, item)); at += n)
		if (at[n] == '\0' || at[n] == ',')
			return true;
	return false;
}

static void add(struct text *t, const char *item)
{
	size_t n = strlen(item);

	if (t->is_cut)
		return;
	if (t->len + n + 8 > PROTO_SEEN_MAX) {
		t->is_cut = true;
		item = "...";
	}
	t->len += (size_t)snprintf(t->at + t->len, PROTO_SEEN_MAX - t->len, "%s%s",
				   t->has_items ? ", " : "", item);
	t->has_items = true;
}

struct listener {
	int family;
	uint8_t address[16];
	uint16_t port;
};

/*
 * One line of /proc/net/tcp{,6} (Linux Documentation/networking/proc_net_tcp.rst): the address
 * is in hexadecimal words of the host's byte order, the port in plain hexadecimal.
 */
static bool parse_listener(const char *line, int family, struct listener *ret)
{
	size_t words = family == AF_INET ? 1 : 4;
	char hex[9] = "";
	unsigned port, state;
	const char *at = strchr(line, ':');

	if (!at)
		return false;
	at += 1 + strspn(at + 1, " ");
	ret->family = family;
	for (size_t i = 0; i < words; i++) {
		uint32_t word;

		if (strspn(at, "0123456789ABCDEFabcdef") < 8)
			return false;
		memcpy(hex, at, 8);
		word = (uint32_t)strtoul(hex, NULL, 16);
		memcpy(ret->address + 4 * i, &word, 4);
		at += 8;
	}
	if (sscanf(at, ":%4x %*[0-9A-Fa-f]:%*x %2x", &port, &state) != 2)
		return false;
	ret->port = (uint16_t)port;
	return state == TCP_LISTEN;
}

/* Calls fn for each listening socket until it returns true: then true. */
static bool each_listener(bool (*fn)(void *arg, const struct listener *l), void *arg)
{
	static const struct {
		const char *path;
		int family;
	} files[] = { { "/proc/net/tcp", AF_INET }, { "/proc/net/tcp6", AF_INET6 } };
	static struct lines l;
	struct listener found;
	bool is_done = false;
	char *line;

	for (size_t i = 0; i < 2 && !is_done; i++) {
		lines_init(&l, open(files[i].path, O_RDONLY | O_CLOEXEC));
		while (l.fd >= 0 && !is_done && (line = lines_next(&l)))
			is_done = parse_listener(line, files[i].family, &found) &&
				  fn(arg, &found);
		lines_release(&l);
	}
	return is_done;
}

static bool has_port(void *arg, const struct listener *l)
{
	return l->port == *(const uint16_t *)arg;
}

static bool add_listener(void *arg, const struct listener *l)
{
	char address[INET6_ADDRSTRLEN] = "?", item[INET6_ADDRSTRLEN + 32];
	bool is_v6 = l->family == AF_INET6;
	struct text *t = arg;

	inet_ntop(l->family, l->address, address, sizeof(address));
	snprintf(item, sizeof(item), "tcp %s%s%s:%u", is_v6 ? "[" : "", address,
		 is_v6 ? "]" : "", l->port);
	/* One socket per worker of a server is common. */
	if (!has(t, item))
		add(t, item);
	return false;
}

static void describe_listeners(char *seen, const char *prefix)
{
	struct text t;

	begin(&t, seen, prefix);
	each_listener(add_listener, &t);
	if (!t.has_items)
		add(&t, "nothing");
}

void probe_listening(char ret_seen[PROTO_SEEN_MAX])
{
	describe_listeners(ret_seen, "");
}

static int probe_port(const char *what, char *seen, struct fail *f)
{
	char *end;
	unsigned long n = strtoul(what, &end, 10);
	uint16_t port = (uint16_t)n;

	if (what[0] < '0' || what[0] > '9' || *end || !n || n > 65535)
		return fail_set(f, PROTO_FAIL_USAGE, "'%.64s' is no port", what);
	if (each_listener(has_port, &port))
		return 1;
	describe_listeners(seen, "listening: ");
	return 0;
}

static int probe_url(const char *what, char *seen, struct fail *f)
{
	struct sockaddr_storage to[ADDRESSES_MAX];
	static struct http_url u;
	char last[HTTP_SEEN_MAX] = "";
	size_t n;
	int root, status = 0;

	if (http_url_parse(what, &u, f))
		return -1;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	n = http_resolve(root, u.host, u.port, to, ADDRESSES_MAX);
	close(root);
	if (!n)
		return fail_set(
			f, PROTO_FAIL_USAGE,
			"'%.256s': the guest's /etc/hosts has no '%s', and no other names "
			"can be waited for",
			what, u.host);
	for (size_t i = 0; i < n && !status; i++)
		status = http_ask(&u, &to[i], URL_TIMEOUT_MS, last);
	snprintf(seen, PROTO_SEEN_MAX, "%s", last);
	return status >= 200 && status < 400;
}

static int probe_file(const char *what, char *seen, struct fail *f)
{
	struct stat st;

	if (what[0] != '/')
		return fail_set(f, PROTO_FAIL_USAGE, "'%.256s' is no absolute path", what);
	if (stat(what, &st) == 0)
		return 1;
	snprintf(seen, PROTO_SEEN_MAX, "%.2048s: %s", what, strerror(errno));
	return 0;
}

/* Its name as people know it: the base name of argv[0]. Kernel threads and zombies have none.
 */
static bool name_process(const char *pid, char comm[64], char argv0[PATH_MAX])
{
	char path[300], *slash;

	snprintf(path, sizeof(path), "/proc/%.32s/cmdline", pid);
	if (sysfile_read(path, argv0, PATH_MAX) <= 0)
		return false;
	/* Programs write there what they like: "nginx: worker process". */
	argv0[strcspn(argv0, " :")] = '\0';
	slash = strrchr(argv0, '/');
	if (slash)
		memmove(argv0, slash + 1, strlen(slash + 1) + 1);
	snprintf(path, sizeof(path), "/proc/%.32s/comm", pid);
	if (sysfile_read(path, comm, 64) < 0)
		comm[0] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
	return true;
}

/* PID 1 and the helper that we are: not what anybody waits for. */
static bool is_ours(const char *pid)
{
	long n = strtol(pid, NULL, 10);

	return n == 1 || n == getpid();
}

static int probe_process(const char *what, char *seen, struct fail *f)
{
	static char argv0[PATH_MAX];
	struct text t;
	bool found = false;
	struct dirent *d;
	char comm[64];
	DIR *dir = opendir("/proc");

	if (!dir)
		return fail_sys(f, "opening the guest's /proc");
	begin(&t, seen, "running: ");
	while (!found && (d = readdir(dir))) {
		if (d->d_name[0] < '0' || d->d_name[0] > '9' || is_ours(d->d_name) ||
		    !name_process(d->d_name, comm, argv0))
			continue;
		found = !strcmp(comm, what) || !strcmp(argv0, what);
		if (!has(&t, comm))
			add(&t, comm);
	}
	closedir(dir);
	return found;
}

int probe_run(const struct proto_probe *p, char ret_seen[PROTO_SEEN_MAX], struct fail *f)
{
	ret_seen[0] = '\0';
	switch (p->kind) {
	case PROTO_PROBE_PORT:
		return probe_port(p->what, ret_seen, f);
	case PROTO_PROBE_URL:
		return probe_url(p->what, ret_seen, f);
	case PROTO_PROBE_FILE:
		return probe_file(p->what, ret_seen, f);
	case PROTO_PROBE_PROCESS:
		return probe_process(p->what, ret_seen, f);
	}
	return fail_set(f, PROTO_FAIL_REQUEST, "no such kind of probe");
}
