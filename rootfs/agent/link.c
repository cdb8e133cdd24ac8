#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

int link_open(struct link *l, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	struct stat st;

	l->fd = fd;
	if (fstat(fd, &st) || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -1;
	l->is_port = S_ISCHR(st.st_mode);
	l->can_read = l->can_write = true;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -1;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

void link_poll(struct link *l)
{
	struct epoll_event ev;

	if (epoll_wait(l->epoll_fd, &ev, 1, 0) != 1)
		return;
	if (ev.events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		l->can_read = true;
	if (ev.events & EPOLLOUT)
		l->can_write = true;
}

void link_receive(struct link *l)
{
	if (l->rx_head == l->rx_tail)
		l->rx_head = l->rx_tail = 0;
	while (l->can_read && l->rx_tail < sizeof(l->rx)) {
		ssize_t n = read(l->fd, l->rx + l->rx_tail, sizeof(l->rx) - l->rx_tail);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* A port without its host reads as end of file. It isn't: epoll tells
			 * when one is back. */
			l->can_read = false;
			if (!l->is_port && (n == 0 || errno != EAGAIN))
				l->is_ended = true;
			return;
		}
		l->rx_tail += (size_t)n;
	}
}

size_t link_feed(struct link *l, const uint8_t *bytes, size_t n)
{
	if (l->rx_head == l->rx_tail)
		l->rx_head = l->rx_tail = 0;
	if (n > sizeof(l->rx) - l->rx_tail)
		n = sizeof(l->rx) - l->rx_tail;
	memcpy(l->rx + l->rx_tail, bytes, n);
	l->rx_tail += n;
	return n;
}

static void begin_frame(struct link *l)
{
	struct proto_header h;

	if (proto_header_decode(l->rx + l->rx_head, &h) ||
	    (l->is_continued && (h.type != l->header.type || h.id != l->header.id)) ||
	    h.bytes > sizeof(l->message) - l->message_len) {
		l->is_broken = true;
		return;
	}
	l->rx_head += PROTO_HEADER_BYTES;
	l->header = h;
	l->left = h.bytes;
	l->has_header = true;
}

/* The header needs its bytes in one piece. */
static bool has_whole_header(struct link *l)
{
	size_t n = l->rx_tail - l->rx_head;

	if (n >= PROTO_HEADER_BYTES)
		return true;
	memmove(l->rx, l->rx + l->rx_head, n);
	l->rx_head = 0;
	l->rx_tail = n;
	return false;
}

static void take_payload(struct link *l)
{
	size_t n = l->rx_tail - l->rx_head;

	if (n > l->left)
		n = l->left;
	memcpy(l->message + l->message_len, l->rx + l->rx_head, n);
	l->message_len += n;
	l->rx_head += n;
	l->left -= (uint32_t)n;
}

int link_next(struct link *l, struct link_message *ret)
{
	while (!l->is_broken) {
		if (!l->has_header) {
			if (!l->is_continued)
				l->message_len = 0;
			if (!has_whole_header(l))
				return 0;
			begin_frame(l);
			continue;
		}
		take_payload(l);
		if (l->left)
			return 0;
		l->has_header = false;
		l->is_continued = l->header.flags & PROTO_MORE;
		if (l->is_continued)
			continue;
		*ret = (struct link_message){ .type = l->header.type,
					      .stream = l->header.stream,
					      .id = l->header.id,
					      .at = l->message,
					      .n = l->message_len };
		return 1;
	}
	l->rx_head = l->rx_tail = 0;
	return 0;
}

void link_flush(struct link *l)
{
	while (l->can_write && !l->is_ended && l->tx_head < l->tx_tail) {
		ssize_t n = write(l->fd, l->tx + l->tx_head, l->tx_tail - l->tx_head);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			l->can_write = false;
			if (n < 0 && errno != EAGAIN && !l->is_port)
				l->is_ended = true;
			break;
		}
		l->tx_head += (size_t)n;
	}
	if (l->tx_head == l->tx_tail)
		l->tx_head = l->tx_tail = 0;
}

static void compact(struct link *l)
{
	if (!l->tx_head)
		return;
	memmove(l->tx, l->tx + l->tx_head, l->tx_tail - l->tx_head);
	l->tx_tail -= l->tx_head;
	l->tx_head = 0;
}

static size_t free_bytes(const struct link *l)
{
	return sizeof(l->tx) - (l->tx_tail - l->tx_head);
}

size_t link_output_room(const struct link *l)
{
	const size_t kept = PROTO_HEADER_BYTES + LINK_KEPT_BYTES;
	size_t n = free_bytes(l);

	if (l->is_quiet || n <= kept)
		return 0;
	return n - kept < PROTO_PAYLOAD_MAX ? n - kept : PROTO_PAYLOAD_MAX;
}

bool link_has_room(const struct link *l)
{
	return !l->is_quiet && free_bytes(l) >= PROTO_HEADER_BYTES + PROTO_PAYLOAD_MAX;
}

uint8_t *link_reserve(struct link *l)
{
	if (sizeof(l->tx) - l->tx_tail < PROTO_HEADER_BYTES + PROTO_PAYLOAD_MAX)
		compact(l);
	return l->tx + l->tx_tail + PROTO_HEADER_BYTES;
}

void link_commit(struct link *l, uint8_t type, uint8_t stream, uint32_t id, size_t n)
{
	struct proto_header h = {
		.bytes = (uint32_t)n, .type = type, .stream = stream, .id = id
	};

	proto_header_encode(&h, l->tx + l->tx_tail);
	l->tx_tail += PROTO_HEADER_BYTES + n;
}

void link_send(struct link *l, uint8_t type, uint8_t stream, uint32_t id, const void *bytes,
	       size_t n)
{
	uint8_t *to;

	if (n > PROTO_PAYLOAD_MAX || !link_has_room(l))
		return;
	to = link_reserve(l);
	if (n)
		memcpy(to, bytes, n);
	link_commit(l, type, stream, id, n);
}

void link_drop_unsent(struct link *l)
{
	l->tx_head = l->tx_tail = 0;
}
