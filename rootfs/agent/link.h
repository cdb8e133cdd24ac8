/*
 * link.h - frames to and from the host, over the virtio-serial port or (in tests) a socket.
 *
 * Nothing here blocks. The caller polls `epoll_fd`; when it says so, link_receive() takes in
 * what has come, link_next() gives whole messages, link_flush() sends.
 *
 * The port is watched edge-triggered: while no host is connected it is always "readable" with
 * nothing to read, and a level-triggered loop would spin until one comes.
 *
 * Room: the send buffer is fixed. Output may use it only up to LINK_TX_BYTES - LINK_KEPT_BYTES;
 * the rest is for answers, and no request is taken when it is gone too (link_has_room()).
 */
#ifndef AGENT_LINK_H
#define AGENT_LINK_H

#include "proto.h"

enum {
	LINK_TX_BYTES = 512 << 10,
	LINK_KEPT_BYTES = 192 << 10,
	LINK_RX_BYTES = 64 << 10,
};

struct link {
	int fd, epoll_fd;
	bool is_port;   /* it may be disconnected and come back; a socket ends */
	bool can_read;  /* until the next EAGAIN */
	bool can_write; /* likewise */
	bool is_ended;
	bool is_broken; /* what came was no frame: everything is ignored, until the end */
	bool is_quiet;  /* nothing is sent: between QUIESCE and RESUME */
	size_t tx_head, tx_tail, rx_head, rx_tail;
	size_t message_len;
	struct proto_header header; /* of the frame under way, if has_header */
	bool has_header;
	bool is_continued; /* the message under way has frames before this one */
	uint32_t left;     /* payload of the frame under way that is still to come */
	uint8_t tx[LINK_TX_BYTES];
	uint8_t rx[LINK_RX_BYTES];
	uint8_t message[PROTO_REQUEST_MAX];
};

struct link_message {
	uint8_t type, stream;
	uint32_t id;
	const uint8_t *at; /* until the next link_next() */
	size_t n;
};

/* Takes fd. -1 with errno. */
int link_open(struct link *l, int fd);
/* Takes note of what epoll has to say, without waiting. */
void link_poll(struct link *l);
/* Reads what is there, as far as it fits. */
void link_receive(struct link *l);
/* Hands bytes in as if they had been received; returns how many were taken. */
size_t link_feed(struct link *l, const uint8_t *bytes, size_t n);
/* 1 with a whole message, 0: there is none yet (or the link is broken). */
int link_next(struct link *l, struct link_message *ret);
/* Sends what can be sent. */
void link_flush(struct link *l);

/* Bytes of output that a frame sent now may have: 0 to PROTO_PAYLOAD_MAX. */
size_t link_output_room(const struct link *l);
/* An answer of any size can be sent. */
bool link_has_room(const struct link *l);
/* Queues a frame. There must be room: otherwise it is dropped. */
void link_send(struct link *l, uint8_t type, uint8_t stream, uint32_t id, const void *bytes,
	       size_t n);
/* The same in two halves: where the payload is to be written (as many bytes as there is room),
 * and its length once it is known. */
uint8_t *link_reserve(struct link *l);
void link_commit(struct link *l, uint8_t type, uint8_t stream, uint32_t id, size_t n);
/* Forgets what was not sent. */
void link_drop_unsent(struct link *l);

#endif
