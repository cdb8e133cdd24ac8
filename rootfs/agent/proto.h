/*
 * proto.h - what kiln (the host) and the guest agent say to each other, and how it looks in
 * bytes. Both ends are built from this file and proto.c. It needs nothing but libc.
 *
 * Channel:  one byte stream each way, the virtio-serial port "kiln.agent.0". It keeps order and
 *           loses nothing, except when the machine is restored from a snapshot: see RESUME.
 *
 * Frame:    all numbers are little-endian.
 *
 *              0       4      5        6       8        12
 *              +-------+------+--------+-------+--------+---------------------+
 *              | bytes | type | stream | flags |   id   | payload ...         |
 *              |  u32  |  u8  |   u8   |  u16  |  u32   | `bytes` of it       |
 *              +-------+------+--------+-------+--------+---------------------+
 *
 *           bytes   at most PROTO_PAYLOAD_MAX; more ends the link
 *           stream  1 stdout, 2 stderr; 0 in frames where it means nothing
 *           flags   PROTO_MORE: the request goes on in the next frame, which has the same type
 *                   and id. A whole request has at most PROTO_REQUEST_MAX bytes. Requests only.
 *           id      chosen by the host, counting up from 1 in each conversation. A reply bears
 *                   the id of its request; a process is known by the id of its EXEC
 *
 * Payload:  numbers; strings as u32 length, bytes, NUL (the length counts neither itself nor
 * the NUL; no NUL inside); lists of strings as u32 count and the strings.
 *
 * Conversation after boot:
 *
 *           host                                            guest
 *                                                      <--  HELLO (nonce of zeros)
 *           SETUP                                      -->
 *                                                      <--  OK or FAIL
 *           any request                                -->
 *                                                      <--  its OK or FAIL, in any order
 *           EXEC                                       -->
 *                                                      <--  OK (it runs) or FAIL (it never did)
 *           STDIN, CREDIT, SIGNAL, RESIZE              -->      (none of them is answered)
 *                                                      <--  OUTPUT ..., CREDIT for stdin
 *                                                      <--  EXIT, after the last OUTPUT
 *
 *           The host may send requests without waiting for earlier answers; the guest begins
 *           them in order.
 *
 * Windows:  OUTPUT of one process and stream may run PROTO_WINDOW_BYTES ahead of the CREDIT the
 *           host has given, STDIN PROTO_STDIN_BYTES ahead of the guest's. So a process that
 *           floods, or never reads, holds up nobody but itself. A service is never held up:
 * what doesn't fit goes to a ring of PROTO_RING_BYTES, and the oldest bytes are lost.
 *
 * Snapshot: host                                            guest
 *           QUIESCE                                    -->
 *                                                      <--  OK, its last frame
 *           (the machine is saved, and restored any number of times, each with its own host)
 *           RESUME (16 random bytes)                   -->
 *                                                      <--  HELLO (the same 16 bytes)
 *           IDENTIFY                                   -->
 *                                                      <--  OK or FAIL
 *           EXEC ...                                   -->      (refused before IDENTIFY is
 * done)
 *
 *           Between QUIESCE's OK and RESUME neither side sends. The host throws away whatever
 *           comes before its nonce. RESUME forgets ids: the service goes on and is known by
 *           SERVICE alone; other processes go on, nobody hears of them.
 *
 * Disks:    SETUP lists the disks beside the root's; later requests number them in that
 *           order. The guest mounts each where no process of the image can reach it. What
 *           COPY, DIGEST and the mounts of EXEC read is a directory of such a disk (`root`):
 *           links in it are followed inside it.
 *
 * Mounts:   EXEC may list what only this command sees (struct proto_mount): they are made in a
 *           mount namespace of its own, in the order given. Mount points that were missing are
 *           made for it and removed after it, if nothing was put there. PROTO_MOUNT_FILE bears
 *           its content, a secret perhaps: it is kept in the guest's memory while the command
 *           runs, then overwritten.
 *
 * Relay:    EXEC with PROTO_EXEC_RELAY runs no program: argv[0] is the name of a Unix socket
 *           that the guest listens on until its stdin ends, or it is killed; PROTO_MOUNT_SOCKET
 *           puts the socket before a command. Each connection has a number. OUTPUT 1 and STDIN
 *           then are streams of
 *
 *              0            4         8
 *              +------------+---------+-----------+
 *              | connection |  bytes  | bytes ... |     0 bytes: that end is closed
 *              |    u32     |   u32   |           |     at most PROTO_RELAY_MAX
 *              +------------+---------+-----------+
 *
 * Trust:    the host believes nothing. The guest trusts the host's intentions, not its bytes.
 */
#ifndef AGENT_PROTO_H
#define AGENT_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_MAGIC "KILNAGNT"
#define PROTO_PORT "kiln.agent.0"

enum {
	PROTO_VERSION = 2,
	PROTO_HEADER_BYTES = 12,
	PROTO_PAYLOAD_MAX = 65536,
	PROTO_REQUEST_MAX = 2 << 20,    /* execve(2) takes about as much */
	PROTO_STRINGS_MAX = 16384,      /* in one list */
	PROTO_WINDOW_BYTES = 256 << 10, /* of OUTPUT, per process and stream */
	PROTO_STDIN_BYTES = 64 << 10,   /* of STDIN, per process */
	PROTO_RING_BYTES = 60 << 10,    /* of a service's output: fits into SERVICE's answer */
	PROTO_PROCESSES_MAX = 64,       /* at a time */
	PROTO_MSG_MAX = 1024,           /* a failure's sentence */
	PROTO_SEEN_MAX = 3072,          /* what a probe saw */
	PROTO_DISKS_MAX = 18,           /* beside the root's */
	PROTO_MOUNTS_MAX = 40,          /* of one command */
	PROTO_DIGEST_BYTES = 32,        /* SHA-256 */
	PROTO_MAGIC_BYTES = 8,
	PROTO_NONCE_BYTES = 16,
	PROTO_SEED_BYTES = 64,
	PROTO_HELLO_BYTES = PROTO_MAGIC_BYTES + PROTO_NONCE_BYTES + 4,
};

enum proto_type {
	/* host to guest, answered by OK or FAIL with the same id */
	PROTO_SETUP = 1,     /* struct proto_setup; OK: u64 bytes of the root file system */
	PROTO_EXEC = 2,      /* struct proto_exec; OK: empty */
	PROTO_COPY = 3,      /* struct proto_copy; OK: empty */
	PROTO_MKDIR = 4,     /* struct proto_mkdir; OK: empty */
	PROTO_PROBE = 5,     /* struct proto_probe; OK: u8 is ready, string seen */
	PROTO_LISTENING = 6, /* OK: string */
	PROTO_FREEZE =
		7, /* OK: every disk is synced, the root frozen. Then only THAW is allowed */
	PROTO_THAW = 8,
	PROTO_QUIESCE = 9,   /* OK is the last frame until RESUME */
	PROTO_IDENTIFY = 10, /* struct proto_identify; OK: empty */
	PROTO_SERVICE = 11,  /* OK: struct proto_service */
	PROTO_DIGEST = 13,   /* struct proto_selection; OK: PROTO_DIGEST_BYTES */
	/* host to guest, not answered */
	PROTO_RESUME = 32, /* PROTO_NONCE_BYTES; HELLO follows */
	PROTO_STDIN = 33,  /* bytes; none: end of file */
	PROTO_SIGNAL = 34, /* u32 number; to the process group; SIGKILL to all it started */
	PROTO_RESIZE = 35, /* u16 rows, u16 columns */
	/* both ways */
	PROTO_CREDIT = 64, /* u32 bytes more, for the stream in the header (0: stdin) */
	/* guest to host */
	PROTO_HELLO = 128, /* magic, nonce, u32 version */
	PROTO_OK = 129,
	PROTO_FAIL = 130,   /* struct proto_fail */
	PROTO_OUTPUT = 131, /* bytes */
	PROTO_EXIT = 132,   /* struct proto_exit */
};

enum { PROTO_MORE = 1 };

struct proto_header {
	uint32_t bytes;
	uint8_t type, stream;
	uint16_t flags;
	uint32_t id;
};

/* -1: no header of this protocol (too long, or unknown flags). The type is for the caller. */
int proto_header_decode(const uint8_t at[PROTO_HEADER_BYTES], struct proto_header *ret);
void proto_header_encode(const struct proto_header *h, uint8_t ret[PROTO_HEADER_BYTES]);

/* Writing a payload: what doesn't fit sets is_full, and nothing after it is written. */
struct proto_out {
	uint8_t *at;
	size_t len, cap;
	bool is_full;
};

/* Reading one: what isn't there sets is_bad and reads as 0 or "". Strings stay in the payload.
 */
struct proto_in {
	const uint8_t *at;
	size_t left;
	bool is_bad;
};

/* A list of strings. Decoding fills `at`, which has room for cap pointers: NULL stands at the
 * end, so that it holds cap - 1 strings. */
struct proto_strings {
	const char **at;
	size_t n, cap;
};

void proto_put(struct proto_out *o, const void *bytes, size_t n);
void proto_put_u8(struct proto_out *o, uint8_t v);
void proto_put_u16(struct proto_out *o, uint16_t v);
void proto_put_u32(struct proto_out *o, uint32_t v);
void proto_put_u64(struct proto_out *o, uint64_t v);
void proto_put_string(struct proto_out *o, const char *s); /* NULL is "" */
void proto_put_strings(struct proto_out *o, const struct proto_strings *v);

const void *proto_get(struct proto_in *in, size_t n); /* NULL when bad */
uint8_t proto_get_u8(struct proto_in *in);
uint16_t proto_get_u16(struct proto_in *in);
uint32_t proto_get_u32(struct proto_in *in);
uint64_t proto_get_u64(struct proto_in *in);
const char *proto_get_string(struct proto_in *in);
void proto_get_strings(struct proto_in *in, struct proto_strings *ret);
/* All was there, and nothing is left over: 0, else -1. */
int proto_end(const struct proto_in *in);

/*
 * Payloads. Each _decode gives 0, or -1 when the bytes are not exactly one such payload;
 * strings then point into them. Each _encode sets o->is_full when it doesn't fit.
 */

enum { PROTO_DISK_WRITABLE = 1 };
struct proto_disk {
	uint8_t flags;
	const char *serial;
};

enum { PROTO_SETUP_NETWORK = 1, PROTO_SETUP_BUILD = 2 };
struct proto_setup {
	uint32_t flags;
	const char *hostname;
	struct proto_disk disks[PROTO_DISKS_MAX];
	uint32_t n_disks;
};
void proto_setup_encode(struct proto_out *o, const struct proto_setup *s);
int proto_setup_decode(const uint8_t *at, size_t n, struct proto_setup *ret);

enum proto_mount_kind {
	PROTO_MOUNT_BIND = 1, /* `source` below `root` of `disk`, a file or a directory */
	PROTO_MOUNT_CACHE,  /* likewise; a missing root is made as mode, uid, gid say, with what
			       from_disk and from_root hold */
	PROTO_MOUNT_TMPFS,  /* of size_bytes; 0: the kernel's default */
	PROTO_MOUNT_FILE,   /* content */
	PROTO_MOUNT_SOCKET, /* of the relay `source` */
};
enum { PROTO_MOUNT_WRITABLE = 1 };
#define PROTO_NO_DISK UINT32_MAX /* in a selection: the guest's own root */
struct proto_mount {
	uint8_t kind, flags;
	uint32_t disk, from_disk;
	uint32_t mode, uid, gid;
	uint64_t size_bytes;
	const char *root, *source, *from_root, *target;
	const uint8_t *content;
	uint32_t content_bytes;
};

enum {
	PROTO_EXEC_STDIN = 1,
	PROTO_EXEC_TTY = 2,
	PROTO_EXEC_SERVICE = 4,
	PROTO_EXEC_NO_NETWORK = 8, /* loopback alone */
	PROTO_EXEC_RELAY = 16,
};
enum { PROTO_RELAY_MAX = 16384, PROTO_RELAY_CONNECTIONS = 16 };
struct proto_exec {
	uint32_t flags;
	uint16_t rows, cols;
	const char *user, *cwd;
	struct proto_strings argv, env; /* argv has at least one string */
	struct proto_mount mounts[PROTO_MOUNTS_MAX];
	uint32_t n_mounts;
};
void proto_exec_encode(struct proto_out *o, const struct proto_exec *x);
int proto_exec_decode(const uint8_t *at, size_t n, struct proto_exec *ret);

/*
 * What is copied or digested. Sources are relative to root, clean but for one "/./" where
 * PROTO_SELECT_PARENTS starts; wildcards as Go's filepath.Match has them (PARENTS: and `**`).
 * Excludes are .dockerignore patterns, clean, '!' in front for an exception; they are relative
 * to each source that is a directory. PROTO_SELECT_LITERAL: sources are no patterns.
 */
enum { PROTO_SELECT_PARENTS = 1, PROTO_SELECT_LITERAL = 2 };
struct proto_selection {
	uint32_t flags, disk;
	const char *root;
	struct proto_strings sources, excludes;
};
void proto_selection_encode(struct proto_out *o, const struct proto_selection *s);
int proto_selection_decode(const uint8_t *at, size_t n, struct proto_selection *ret);

enum { PROTO_COPY_LINK = 2 };
struct proto_copy {
	uint32_t flags;
	const char *dest, *chown;
	const char *chmod; /* "": as they are; octal, or symbolic as chmod(1) has it */
	struct proto_selection from;
};
void proto_copy_encode(struct proto_out *o, const struct proto_copy *c);
int proto_copy_decode(const uint8_t *at, size_t n, struct proto_copy *ret);

struct proto_mkdir {
	const char *path, *user;
};
void proto_mkdir_encode(struct proto_out *o, const struct proto_mkdir *m);
int proto_mkdir_decode(const uint8_t *at, size_t n, struct proto_mkdir *ret);

enum { PROTO_PROBE_PORT, PROTO_PROBE_URL, PROTO_PROBE_FILE, PROTO_PROBE_PROCESS };
struct proto_probe {
	uint8_t kind;
	const char *what;
};
void proto_probe_encode(struct proto_out *o, const struct proto_probe *p);
int proto_probe_decode(const uint8_t *at, size_t n, struct proto_probe *ret);

struct proto_identify {
	int64_t now_sec;
	uint32_t now_nsec;
	uint8_t seed[PROTO_SEED_BYTES];
	const char *hostname, *machine_id; /* "": left as they are */
	struct proto_strings env;
};
void proto_identify_encode(struct proto_out *o, const struct proto_identify *i);
int proto_identify_decode(const uint8_t *at, size_t n, struct proto_identify *ret);

/* What the host makes of a failure. */
enum {
	PROTO_FAIL_SYS = 1,   /* the guest's kernel said no */
	PROTO_FAIL_USAGE,     /* the Dockerfile or command line asks for what isn't there */
	PROTO_FAIL_STEP,      /* the program could not be run */
	PROTO_FAIL_NOTFOUND,  /* a file named by the host is missing */
	PROTO_FAIL_LIMIT,     /* more than the agent takes */
	PROTO_FAIL_REQUEST,   /* the request makes no sense: a fault of kiln */
	PROTO_FAIL_NOPROGRAM, /* there is no program of that name */
};
struct proto_fail {
	uint32_t code;
	int32_t sys; /* the guest's errno (Linux, x86-64 numbers), or 0 */
	const char *msg;
};
void proto_fail_encode(struct proto_out *o, const struct proto_fail *f);
int proto_fail_decode(const uint8_t *at, size_t n, struct proto_fail *ret);

enum { PROTO_EXIT_OOM = 1 };
struct proto_exit {
	int32_t status, signal; /* signal 0: it exited with status */
	uint32_t flags;
};
void proto_exit_encode(struct proto_out *o, const struct proto_exit *x);
int proto_exit_decode(const uint8_t *at, size_t n, struct proto_exit *ret);

enum { PROTO_SERVICE_STARTED = 1, PROTO_SERVICE_ENDED = 2 };
struct proto_service {
	uint32_t flags;
	struct proto_exit exit; /* if it has ended */
	uint64_t total_bytes;   /* it has written since its start */
	const uint8_t *tail;    /* the last of them */
	uint32_t tail_bytes;
};
void proto_service_encode(struct proto_out *o, const struct proto_service *s);
int proto_service_decode(const uint8_t *at, size_t n, struct proto_service *ret);

#endif
