#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mounts.h"
#include "sysfile.h"

enum { HEADER_BYTES = 8 };

static int connections[PROTO_RELAY_CONNECTIONS];

/* Through /proc: the directory has no path in our root. */
static int make_address(const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s",
			mounts_store(), name) < (int)sizeof(ret->sun_path)
		       ? 0
		       : -1;
}

int relay_listen(const char *name, int *ret_fd, struct fail *f)
{
	struct sockaddr_un to;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (mounts_store() < 0 || strchr(name, '/') || make_address(name, &to))
		return fail_set(f, PROTO_FAIL_REQUEST, "no socket can be made");
	unlinkat(mounts_store(), name, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    listen(fd, PROTO_RELAY_CONNECTIONS))
		return fail_sys(f, "making a socket");
	*ret_fd = fd;
	return 0;
}

static void put_u32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static int read_full(int fd, uint8_t *at, size_t n)
{
	while (n) {
		ssize_t got = read(fd, at, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

static void drop(uint32_t i)
{
	close(connections[i]);
	connections[i] = -1;
}

static void accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	for (uint32_t i = 0; fd >= 0 && i < PROTO_RELAY_CONNECTIONS; i++) {
		if (connections[i] < 0) {
			connections[i] = fd;
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

/* What a connection says, or its end, to the host. */
static int to_host(uint32_t i)
{
	static uint8_t frame[HEADER_BYTES + PROTO_RELAY_MAX];
	ssize_t n = read(connections[i], frame + HEADER_BYTES, PROTO_RELAY_MAX);

	if (n < 0)
		n = 0;
	put_u32(frame, i);
	put_u32(frame + 4, (uint32_t)n);
	if (!n)
		drop(i);
	return sysfile_write_full(1, frame, HEADER_BYTES + (size_t)n);
}

/* -1: the host has no more to say. */
static int from_host(void)
{
	static uint8_t header[HEADER_BYTES], bytes[PROTO_RELAY_MAX];
	uint32_t i, n;

	if (read_full(0, header, sizeof(header)))
		return -1;
	i = get_u32(header);
	n = get_u32(header + 4);
	if (n > sizeof(bytes) || read_full(0, bytes, n))
		return -1;
	if (i >= PROTO_RELAY_CONNECTIONS || connections[i] < 0)
		return 0;
	if (!n || sysfile_write_full(connections[i], bytes, n))
		drop(i);
	return 0;
}

static int serve_once(int listener)
{
	struct pollfd p[2 + PROTO_RELAY_CONNECTIONS] = { { .fd = 0, .events = POLLIN },
							 { .fd = listener, .events = POLLIN } };

	for (int i = 0; i < PROTO_RELAY_CONNECTIONS; i++)
		p[2 + i] = (struct pollfd){ .fd = connections[i], .events = POLLIN };
	if (poll(p, 2 + PROTO_RELAY_CONNECTIONS, -1) < 0)
		return errno == EINTR ? 0 : -1;
	if (p[1].revents)
		accept_one(listener);
	for (uint32_t i = 0; i < PROTO_RELAY_CONNECTIONS; i++)
		if (p[2 + i].fd >= 0 && p[2 + i].revents && to_host(i))
			return -1;
	return p[0].revents ? from_host() : 0;
}

void relay_serve(const char *name, int listener)
{
	for (int i = 0; i < PROTO_RELAY_CONNECTIONS; i++)
		connections[i] = -1;
	while (!serve_once(listener))
		;
	unlinkat(mounts_store(), name, 0);
}
