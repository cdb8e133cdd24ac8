/*
 * agentlink.h - the host's end of the conversation with the guest agent (rootfs/agent/proto.h
 * draws it).
 *
 * One caller at a time; everything is driven from agent_pump() and the calls that wait. Nothing
 * the guest sends is believed: lengths are bounded before use, unknown or oversized frames end
 * the link with ERR_VM. Output callbacks run inside these calls and must not make any.
 * Failures that the guest reports carry its sentence and errno: ERR_STEP (the command could not
 * be run), ERR_NOCMD (there is no such program), ERR_USAGE (an unknown user, a destination that
 * cannot be), ERR_SYS, ERR_NOTFOUND, ERR_LIMIT. Waiting calls check on_idle (may be NULL) at
 * least every 200 ms: -1 from it ends the wait with its error (vm_check: the machine died).
 */
#ifndef BUILDER_AGENTLINK_H
#define BUILDER_AGENTLINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/vec.h"
#include "rootfs/agent/proto.h"
#include "snapshot/vm.h"

struct agentlink;

struct agentlink_opts {
	int fd; /* borrowed: vm_agent_fd() */
	int (*on_idle)(void *arg, struct err **e);
	void *arg;
};

/* Waits for the agent's greeting (fresh boot). ERR_TIMEOUT after timeout_ms. */
int agentlink_open(const struct agentlink_opts *o, int timeout_ms, struct agentlink **ret,
		   struct err **e);
/* The same for a machine that was restored: a nonce tells this conversation from what the
 * snapshot had in flight. */
int agentlink_reopen(const struct agentlink_opts *o, int timeout_ms, struct agentlink **ret,
		     struct err **e);
void agentlink_free(struct agentlink *l);
DEFINE_AUTO(agentlink)

/* Once after boot: mounts the root (vda), grows it to its disk, sets hostname and network up.
 */
struct agent_setup {
	const char *hostname;
	bool has_network;
	bool is_build; /* steps follow: RUN gets private mounts, stubs are removed after each
			  step */
	const struct vm_disk *disks; /* mounted in this order: later calls number them so */
	size_t n_disks;
};
int agent_setup(struct agentlink *l, const struct agent_setup *s, uint64_t *ret_fs_bytes,
		struct err **e);

/* A command in the guest. */
struct agent_exec {
	const struct strv
		*argv; /* argv[0] is looked up in the PATH of env, in the guest's root */
	const struct strv *env;
	const char *user; /* "", "name", "uid", "name:group", "uid:gid": looked up in the
			     guest's passwd and group */
	const char *cwd;  /* made if absent, as docker does; "" is "/" */
	bool has_stdin;   /* else /dev/null */
	bool has_tty;
	unsigned short rows, cols;
	bool is_service; /* start command: not waited for; output is kept in a ring in the guest
			    and streamed too, stderr with stdout as stream 1. It never waits
			    for us: what we don't take in time is lost from the stream */
	bool has_no_network;              /* loopback alone */
	bool is_relay;                    /* argv[0] names a socket to listen on: see proto.h */
	const struct proto_mount *mounts; /* at most PROTO_MOUNTS_MAX; build steps only */
	size_t n_mounts;
	void (*on_output)(void *arg, int stream, const char *bytes,
			  size_t n); /* stream 1 or 2; may be NULL */
	void *arg;
};
struct agent_exit {
	bool has_ended;
	int status;      /* exit status, if signal is 0 */
	int signal;      /* what killed it, or 0 */
	bool is_oom;     /* the kernel's out-of-memory killer did */
	bool is_timeout; /* we did, for taking too long; set by who gave it a time */
};
/* Signals reach its whole process group; SIGKILL in a build everything that it started. When a
 * build step ends, what it left running is killed.
 * Starts it. ERR_STEP: no such program, no such user, cwd is no directory ... with the agent's
 * sentence. */
int agent_start(struct agentlink *l, const struct agent_exec *x, uint32_t *ret_id,
		struct err **e);
/* Sends stdin bytes as far as the guest takes them (*ret_n may be 0: pump and try again); n 0
 * closes stdin. */
int agent_stdin(struct agentlink *l, uint32_t id, const char *bytes, size_t n, size_t *ret_n,
		struct err **e);
int agent_signal(struct agentlink *l, uint32_t id, int signo, struct err **e);
int agent_resize(struct agentlink *l, uint32_t id, unsigned short rows, unsigned short cols,
		 struct err **e);
/* Handles what has arrived, waiting at most timeout_ms for something (0: doesn't wait). */
int agent_pump(struct agentlink *l, int timeout_ms, struct err **e);
int agentlink_fd(const struct agentlink *l); /* for a caller's own poll(2) */
struct agent_exit agent_exit_of(struct agentlink *l, uint32_t id);
/* agent_start, pump until it ended. timeout_ms < 0: none; else SIGKILL for it and ERR_TIMEOUT.
 */
int agent_run(struct agentlink *l, const struct agent_exec *x, int timeout_ms,
	      struct agent_exit *ret, struct err **e);

/* Nobody is called back any more with what it prints; it goes on. Whoever began it and whose
 * `arg` ends before it and before the link does has to say so. */
void agent_mute(struct agentlink *l, uint32_t id);
/* Kills a command, waits for its end, and mutes it. */
int agent_stop(struct agentlink *l, uint32_t id, struct err **e);

/* COPY and WORKDIR, done by the agent inside the guest's root (no symlink leads out of it). */
struct agent_selection {
	uint32_t disk;    /* number of a disk, or PROTO_NO_DISK: the guest's own root */
	const char *root; /* directory on it that links stay inside of */
	const struct strv *sources;  /* relative to root; "" is root itself */
	const struct strv *excludes; /* may be NULL */
	bool has_parents, is_literal;
};
struct agent_copy {
	struct agent_selection from;
	const char *dest;  /* absolute; a trailing slash means directory */
	const char *chown; /* "" or user[:group]: names from the guest's passwd and group */
	const char *chmod; /* "": as they are; octal or symbolic */
	bool is_link;      /* --link: as if laid over the file system */
};
int agent_copy(struct agentlink *l, const struct agent_copy *c, struct err **e);
/* The content of what a copy would read, as hex digits. */
int agent_digest(struct agentlink *l, const struct agent_selection *s, char ret[SHA256_HEX + 1],
		 struct err **e);
int agent_mkdir(struct agentlink *l, const char *path, const char *user, struct err **e);

/* Readiness, watched for by the agent itself. */
enum agent_probe_kind {
	AGENT_PROBE_PORT,
	AGENT_PROBE_URL,
	AGENT_PROBE_FILE,
	AGENT_PROBE_PROCESS
};
struct agent_probe {
	enum agent_probe_kind kind;
	const char *what; /* "8000", "http://localhost:8000/health", "/run/ready", "nginx" */
};
/* 1 ready, 0 not yet with *ret_seen (the caller frees): what was seen instead ("listening:
 * 22/tcp"). */
int agent_probe(struct agentlink *l, const struct agent_probe *p, char **ret_seen,
		struct err **e);
/* "tcp 0.0.0.0:8000, tcp [::]:22" ..., for messages. */
int agent_listening(struct agentlink *l, char **ret, struct err **e);

/* sync, then FIFREEZE of the root. Between the two the host switches the overlay. */
int agent_freeze(struct agentlink *l, struct err **e);
int agent_thaw(struct agentlink *l, struct err **e);
/* Before a memory snapshot: drops caches, flushes what is under way, and says nothing more
 * until agentlink_reopen(). */
int agent_quiesce(struct agentlink *l, struct err **e);

/*
 * The last start command, also one from before a restore: the last 60 KiB of what it wrote are
 * added to *ret_tail, as they are. Without one: nothing, and has_ended is false.
 */
int agent_service_log(struct agentlink *l, struct str *ret_tail, struct agent_exit *ret_exit,
		      struct err **e);

/*
 * After a restore, before anything else runs: clock, random pool, identity. Not waited for: the
 * guest does it before any later request and refuses those if it failed; the failure is
 * reported by the next call.
 */
struct agent_identity {
	int64_t now_sec;
	uint32_t now_nsec;
	uint8_t seed[64];
	const char *hostname;
	const char *machine_id; /* 32 hex digits */
	const struct strv
		*env; /* added to the environment of every later exec: KILN_SANDBOX_ID, ... */
};
int agent_identify(struct agentlink *l, const struct agent_identity *i, struct err **e);

#endif
