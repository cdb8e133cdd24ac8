/*
 * qmp.h - a small, strict client of QEMU's control protocol over a connected stream socket.
 *
 * Shape: one JSON object per line, each way (QEMU docs/interop/qmp-spec.txt). QEMU greets
 * {"QMP": ...}; a command {"execute", "arguments", "id"} is answered by {"return", "id"} or
 * {"error", "id"}; {"event", "data"} may come between. qmp_open() sends qmp_capabilities
 * without waiting for the greeting, and several commands may be under way: their answers come,
 * and must be waited for, in the order they were sent. So a whole start-up costs one round
 * trip.
 *
 * Trust: QEMU runs hostile guests, so its lines have a limit and must be well-formed; anything
 * else is ERR_VM and the end of the conversation.
 */
#ifndef SNAPSHOT_QMP_H
#define SNAPSHOT_QMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

enum {
	/* A console of 64 KiB, each byte written as \uXXXX, fits. */
	QMP_MAX_LINE_BYTES = 1 << 20,
	QMP_TIMEOUT_MS = 30 * 1000,
};

enum qmp_kind { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT };

/* One line from QEMU. */
struct qmp_message {
	enum qmp_kind kind;
	int64_t id;       /* QMP_RETURN, QMP_ERROR; -1: QEMU could not tell whose it is */
	const char *text; /* QMP_ERROR: its description; QMP_EVENT: its name */
	const struct json *data; /* QMP_RETURN: any value; QMP_EVENT: object or NULL */
	struct json *root;       /* owned; text and data live in it */
};

#define QMP_MESSAGE_INIT \
	{                \
		.id = -1 \
	}

/* The line without its newline. ERR_VM. */
int qmp_message_parse(const char *line, size_t n, struct qmp_message *ret, struct err **e);
void qmp_message_release(struct qmp_message *m);

struct qmp;

/*
 * fd is borrowed and must be non-blocking. on_event (may be NULL) is called from within the
 * calls below; data (NULL if there is none) lives during the call.
 */
struct qmp *qmp_new(int fd,
		    void (*on_event)(void *arg, const char *name, const struct json *data),
		    void *arg);
void qmp_free(struct qmp *q);
DEFINE_AUTO(qmp)

/* Sends the negotiation; its answer is waited for together with that of the next command. */
int qmp_open(struct qmp *q, struct err **e);
/* Sends a command. Takes args (NULL: none). fd, unless -1, travels with it (SCM_RIGHTS). */
int qmp_send(struct qmp *q, const char *command, struct json *args, int fd, struct err **e);
/*
 * Waits for the answer to the oldest command not yet waited for. *ret_root (may be NULL) is
 * owned by the caller and has *ret_data (may be NULL), the value of "return", inside. ERR_VM
 * carries QEMU's own words, ERR_TIMEOUT after QMP_TIMEOUT_MS.
 */
int qmp_wait(struct qmp *q, struct json **ret_root, const struct json **ret_data,
	     struct err **e);
/* Waits for all of them; the first error is the one returned. */
int qmp_wait_all(struct qmp *q, struct err **e);
/* Handles the events that are there, waiting at most timeout_ms for the first (0: doesn't
 * wait). No command may be under way. */
int qmp_poll(struct qmp *q, int timeout_ms, struct err **e);
/* An error above came from QEMU having closed the connection: it has ended, or is ending. */
bool qmp_is_closed(const struct qmp *q);

#endif
