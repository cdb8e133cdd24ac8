#include "httpget.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "sysfile.h"

static int bad_url(const char *text, struct fail *f)
{
	return fail_set(f, PROTO_FAIL_USAGE, "'%.256s' is no URL that can be waited for", text);
}

/* "[v6]", "v4" or "name": the length up to the port or path. */
static size_t take_host(const char *at, struct http_url *u)
{
	bool is_v6 = *at == '[';
	size_t n = is_v6 ? strcspn(at, "]") : strcspn(at, ":/?#");

	if (is_v6 && at[n] != ']')
		return 0;
	if (n - is_v6 >= sizeof(u->host) || n == (size_t)is_v6)
		return 0;
	memcpy(u->host, at + is_v6, n - is_v6);
	u->host[n - is_v6] = '\0';
	return n + is_v6;
}

int http_url_parse(const char *text, struct http_url *ret, struct fail *f)
{
	const char *at = text;
	size_t n;

	if (!strncasecmp(text, "https://", 8))
		return fail_set(f, PROTO_FAIL_USAGE,
				"'%.256s': https cannot be waited for; use http, or a ready "
				"command",
				text);
	if (strncasecmp(text, "http://", 7))
		return bad_url(text, f);
	at += 7;
	n = take_host(at, ret);
	if (!n)
		return bad_url(text, f);
	at += n;
	ret->port = 80;
	if (*at == ':') {
		unsigned long port;
		char *end;

		if (at[1] < '0' || at[1] > '9')
			return bad_url(text, f);
		port = strtoul(at + 1, &end, 10);
		if (!port || port > 65535)
			return bad_url(text, f);
		ret->port = (uint16_t)port;
		at = end;
	}
	n = strcspn(at, "#");
	if (n + 2 > sizeof(ret->path) || (*at && !strchr("/?#", *at)) ||
	    strcspn(at, " \r\n\t") < n)
		return bad_url(text, f);
	snprintf(ret->path, sizeof(ret->path), "%s%.*s", *at == '/' ? "" : "/", (int)n, at);
	return 0;
}

static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(ret, &v4, sizeof(v4));
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
		memcpy(ret, &v6, sizeof(v6));
		return true;
	}
	return false;
}

/* The address of a hosts(5) line that has this name, or NULL. */
static const char *address_in(char *line, const char *host)
{
	char *rest, *address, *name;

	line[strcspn(line, "#")] = '\0';
	address = strtok_r(line, " \t\r", &rest);
	while (address && (name = strtok_r(NULL, " \t\r", &rest)))
		if (!strcasecmp(name, host))
			return address;
	return NULL;
}

size_t http_resolve(int root, const char *host, uint16_t port, struct sockaddr_storage *ret,
		    size_t max)
{
	static struct lines l;
	size_t n = 0;
	char *line;

	if (!max || parse_address(host, port, ret))
		return max ? 1 : 0;
	lines_init(&l, sysfile_open_at(root, "etc/hosts"));
	while (l.fd >= 0 && n < max && (line = lines_next(&l))) {
		const char *address = address_in(line, host);

		if (address && parse_address(address, port, ret + n))
			n++;
	}
	lines_release(&l);
	if (!n && !strcasecmp(host, "localhost")) {
		parse_address("127.0.0.1", port, ret + n++);
		if (n < max)
			parse_address("::1", port, ret + n++);
	}
	return n;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 0: ready for events; -1 with errno, ETIMEDOUT when the time is over. */
static int wait_for(int fd, short events, int64_t end)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = end - now_ms();
	int n = left > 0 ? poll(&p, 1, (int)left) : 0;

	if (n == 0)
		errno = ETIMEDOUT;
	return n == 1 || (n < 0 && errno == EINTR) ? 0 : -1;
}

static int connect_to(const struct sockaddr_storage *to, int64_t end)
{
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), sys = 0;
	socklen_t n = to->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					       : sizeof(struct sockaddr_in6);

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)to, n) == 0)
		return fd;
	if (errno == EINPROGRESS && wait_for(fd, POLLOUT, end) == 0) {
		n = sizeof(sys);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n);
		if (!sys)
			return fd;
		errno = sys;
	}
	sys = errno;
	close(fd);
	errno = sys;
	return -1;
}

static int send_request(int fd, const struct http_url *u, int64_t end)
{
	char request[HTTP_PATH_MAX + HTTP_HOST_MAX + 256];
	bool is_v6 = strchr(u->host, ':');
	int n = snprintf(request, sizeof(request),
			 "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: kiln\r\n"
			 "Accept: */*\r\nConnection: close\r\n\r\n",
			 u->path, is_v6 ? "[" : "", u->host, is_v6 ? "]" : "", u->port);
	const char *at = request;

	while (n > 0) {
		ssize_t done = send(fd, at, (size_t)n, MSG_NOSIGNAL);

		if (done < 0 && errno == EAGAIN) {
			if (wait_for(fd, POLLOUT, end))
				return -1;
			continue;
		}
		if (done < 0)
			return -1;
		at += done;
		n -= (int)done;
	}
	return 0;
}

/* The first line of the answer, as far as it fits. */
static int read_line(int fd, char ret[HTTP_SEEN_MAX], int64_t end)
{
	size_t len = 0;

	while (len < HTTP_SEEN_MAX - 1) {
		ssize_t n = recv(fd, ret + len, HTTP_SEEN_MAX - 1 - len, 0);

		if (n < 0 && errno == EAGAIN) {
			if (wait_for(fd, POLLIN, end))
				return -1;
			continue;
		}
		if (n < 0)
			return -1;
		len += (size_t)n;
		ret[len] = '\0';
		if (n == 0 || strchr(ret, '\n'))
			break;
	}
	ret[len] = '\0';
	ret[strcspn(ret, "\r\n")] = '\0';
	return 0;
}

static int status_of(const char *line)
{
	int status = 0;

	if (strncmp(line, "HTTP/1.", 7) || strlen(line) < 12 || line[8] != ' ')
		return 0;
	for (int i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return 0;
		status = status * 10 + (line[i] - '0');
	}
	return status >= 100 && status < 600 ? status : 0;
}

int http_ask(const struct http_url *u, const struct sockaddr_storage *to, int timeout_ms,
	     char ret_seen[HTTP_SEEN_MAX])
{
	int64_t end = now_ms() + timeout_ms;
	int fd = connect_to(to, end), status = 0;
	char line[HTTP_SEEN_MAX];

	if (fd < 0 || send_request(fd, u, end) || read_line(fd, line, end)) {
		snprintf(ret_seen, HTTP_SEEN_MAX, "%s", strerror(errno));
	} else {
		status = status_of(line);
		if (status)
			snprintf(ret_seen, HTTP_SEEN_MAX, "answered %s", line + 9);
		else
			snprintf(ret_seen, HTTP_SEEN_MAX, "answered, but not in HTTP");
	}
	if (fd >= 0)
		close(fd);
	return status;
}
