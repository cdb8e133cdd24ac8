/* What a guest's ssh relay sends: frames, and the messages in them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/ssh_wire.h"
#include "rootfs/agent/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sum;

static void use(const char *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += (unsigned char)at[i];
}

static void take_messages(const char *at, size_t n)
{
	ssize_t whole;

	for (; (whole = ssh_message_next(at, n)) > 0; at += whole, n -= (size_t)whole) {
		if ((size_t)whole > n || whole > 4 + SSH_MESSAGE_MAX)
			abort();
		use(at, (size_t)whole);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1); /* not longer: a byte too many is seen */
	const char *at = copy;
	struct ssh_frame f;
	ssize_t whole;

	memcpy(copy, data, size);
	take_messages(copy, size);
	for (; (whole = ssh_frame_next(at, size, &f)) > 0; at += whole, size -= (size_t)whole) {
		if ((size_t)whole > size || f.connection >= PROTO_RELAY_CONNECTIONS)
			abort();
		take_messages(f.bytes, f.n);
	}
	free(copy);
	return 0;
}
