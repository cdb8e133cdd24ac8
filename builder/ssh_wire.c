#include "builder/ssh_wire.h"

#include "rootfs/agent/proto.h"

enum { HEADER_BYTES = 8, LENGTH_BYTES = 4 };

static uint32_t get_le(const char *at)
{
	const uint8_t *b = (const uint8_t *)at;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint32_t get_be(const char *at)
{
	const uint8_t *b = (const uint8_t *)at;

	return b[3] | (uint32_t)b[2] << 8 | (uint32_t)b[1] << 16 | (uint32_t)b[0] << 24;
}

ssize_t ssh_frame_next(const char *at, size_t n, struct ssh_frame *ret)
{
	if (n < HEADER_BYTES)
		return 0;
	*ret = (struct ssh_frame){ get_le(at), at + HEADER_BYTES, get_le(at + 4) };
	if (ret->connection >= PROTO_RELAY_CONNECTIONS || ret->n > PROTO_RELAY_MAX)
		return -1;
	return n - HEADER_BYTES < ret->n ? 0 : (ssize_t)(HEADER_BYTES + ret->n);
}

ssize_t ssh_message_next(const char *at, size_t n)
{
	uint32_t length;

	if (n < LENGTH_BYTES)
		return 0;
	length = get_be(at);
	if (length > SSH_MESSAGE_MAX)
		return -1;
	return n - LENGTH_BYTES < length ? 0 : (ssize_t)(LENGTH_BYTES + length);
}
