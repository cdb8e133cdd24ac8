/*
 * agentlink_internal.h - shared by agentlink.c (frames, waiting) and agentlink_calls.c
 * (requests).
 */
#ifndef BUILDER_AGENTLINK_INTERNAL_H
#define BUILDER_AGENTLINK_INTERNAL_H

#include "builder/agentlink.h"
#include "rootfs/agent/proto.h"

enum {
	AGENTLINK_IDLE_MS = 200,     /* how often on_idle is asked, at least */
	AGENTLINK_RX_BYTES = 262144, /* several of the largest frames */
};

/* A command in the guest, known by the id of its EXEC. */
struct agent_command {
	uint32_t id; /* 0: free */
	bool is_service;
	void (*on_output)(void *arg, int stream, const char *bytes, size_t n);
	void *arg;
	uint32_t window[2]; /* what the guest may still send */
	uint32_t owed[2];   /* what was consumed and not yet credited */
	uint32_t stdin_credit;
	struct agent_exit exit;
};

/* The answer to a request that a call waits for. */
struct agent_answer {
	uint32_t id; /* 0: none is awaited */
	bool has_come;
	uint8_t type;
	struct str payload;
};

struct agentlink {
	struct agentlink_opts o;
	uint8_t *rx;
	size_t rx_len;
	struct str tx;
	size_t tx_at;
	uint32_t last_id;
	int64_t idle_checked_ms;
	bool is_broken;
	struct agent_command commands[PROTO_PROCESSES_MAX];
	struct agent_answer answer;
	uint32_t identify_id;        /* its answer has not come yet; nobody waits for it */
	struct err *identify_failed; /* for the next call to report */
};

int64_t agentlink_now_ms(void);
/* Queues frames and sends what goes at once. The payload is at most PROTO_REQUEST_MAX. */
int agentlink_send(struct agentlink *l, uint8_t type, uint32_t id, const void *bytes, size_t n,
		   struct err **e);
/*
 * Waits until something comes or can be sent, at most until end_ms (-1: no end), and handles it
 * all. 1: something came; 0: the time is over or on_idle was asked; -1.
 */
int agentlink_turn(struct agentlink *l, int64_t end_ms, struct err **e);
/* What the guest said of a failure, as the bottom of an error chain. -1. */
int agentlink_failure(const uint8_t *at, size_t n, struct err **e);
struct agent_command *agentlink_find(struct agentlink *l, uint32_t id);

#endif
