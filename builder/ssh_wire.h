/*
 * ssh_wire.h - the bytes of a relay from the guest, taken apart: frames (rootfs/agent/proto.h,
 * Relay), and in each connection's stream the ssh agent protocol's messages (u32 length, big
 * endian, and as many bytes). No I/O.
 */
#ifndef BUILDER_SSH_WIRE_H
#define BUILDER_SSH_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SSH_MESSAGE_MAX = 256 << 10 };

struct ssh_frame {
	uint32_t connection;
	const char *bytes; /* n of them; 0: the connection has ended */
	uint32_t n;
};
/* Both give the length of what stands whole at the start, 0 if it isn't all there yet, -1 if it
 * can't be one. */
ssize_t ssh_frame_next(const char *at, size_t n, struct ssh_frame *ret);
ssize_t ssh_message_next(const char *at, size_t n);

#endif
