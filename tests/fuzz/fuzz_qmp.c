/*
 * QMP: the bytes are what QEMU says, from the greeting on. Commands are under way, as at the
 * start of a machine. Nothing may be worse than an error.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "snapshot/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(void *arg, const char *name, const struct json *data)
{
	size_t *n = arg;

	*n += name[0] != 0;
	*n += data ? json_count(data) : 0;
}

static void talk(struct qmp *q)
{
	AUTO(err) e = NULL;
	AUTO(err) e2 = NULL;
	AUTO(json) root = NULL;
	const struct json *value = NULL;

	if (qmp_open(q, &e) || qmp_send(q, "stop", NULL, -1, &e) ||
	    qmp_send(q, "ringbuf-read", NULL, -1, &e))
		abort();
	if (qmp_wait(q, NULL, NULL, &e) == 0 && qmp_wait(q, &root, &value, &e) == 0 && !value)
		abort();
	if (!e && qmp_wait_all(q, &e) == 0)
		qmp_poll(q, 0, &e);
	/* It is over by now, in one way or another; it must go on saying so. */
	for (int i = 0; i < 8 && !e2; i++)
		qmp_poll(q, 0, &e2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t heard = 0;
	int pair[2];
	struct qmp *q;

	if (size > 64 << 10 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return 0;
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) || fcntl(pair[1], F_SETFL, O_NONBLOCK))
		abort();
	if (write(pair[1], data, size) == (ssize_t)size) {
		/* The end of the conversation: nobody waits. */
		shutdown(pair[1], SHUT_WR);
		q = qmp_new(pair[0], hear, &heard);
		talk(q);
		qmp_free(q);
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}
