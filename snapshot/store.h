/*
 * store.h - everything kiln keeps between runs, under one home directory.
 *
 *   kiln.db                SQLite (WAL): names, templates, cache keys, image references, builds
 *   lock                   flock: shared while files are renamed in and recorded, exclusive
 *                          while files that nothing records are looked for
 *   reserve                room put aside, so that a full disk can be cleared
 *   blobs/sha256/<hex>     OCI blobs (oci/ writes them)
 *   disks/<id>.ext4        base disks, read-only
 *   disks/<id>.qcow2       block layers, read-only
 *   templates/<id>/        template.json, disk.qcow2, ram, state, build.log, start.log
 *   builds/<id>/           of builds, failed ones too (the newest STORE_MAX_BUILDS are kept):
 *                          build.log, and inputs.json, which builder/ writes
 *   mounts/<key>.ext4      disks of RUN --mount=type=cache; <key>.lock while a machine has it
 *   locks/<key>            a result that somebody is making (store_lock.h)
 *   cache/                 accelerator answer, initramfs: may be deleted at any time
 *   tmp/<id>/              work directories, each locked (flock) while its owner lives
 *
 * Ids:    32 random hex digits. Names are "name:tag" (store_name_parse); functions that take a
 * name parse it themselves.
 *
 * Crash:  files are written in a work directory, synced and renamed; a row is committed (synced
 * too) after its files are in place. store_open() removes work directories nobody holds, and
 * files in disks/, templates/ and builds/ that no row names. Nothing finished is ever lost.
 *
 * Deletion: a template goes with its last name. Its own disk, memory and device state go at
 * once, or, while somebody has it pinned (a clone runs), when the next command opens the store
 * after that. Base disks and block layers are the build cache and stay, as `docker rmi` and
 * `docker builder prune` have it: store_prune() (store_prune.h) removes what nothing needs.
 *
 * Use:    several processes at once, and several threads of one with the same struct store (but
 * one build, see store_build_begin()). What is open for use is pinned by a shared flock: a
 * template on its directory, a disk on its file.
 */
#ifndef SNAPSHOT_STORE_H
#define SNAPSHOT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/vec.h"

enum {
	STORE_ID_MAX = 40,
	STORE_NAME_MAX = 128,
	STORE_MAX_BUILDS = 50,
	STORE_MAX_CHAIN = 512,   /* disks under one template */
	STORE_FORMAT = 1,        /* of template.json */
	STORE_MAX_JSON = 4 << 20 /* bytes of template.json */
};

struct store;

/*
 * home NULL: $KILN_HOME, else ${XDG_DATA_HOME:-$HOME/.local/share}/kiln. Made if absent (0700).
 * ERR_SYS "... is not writable", ERR_CORRUPT (damaged, or made by another version of kiln).
 */
int store_open(const char *home, struct store **ret, struct err **e);
void store_free(struct store *s);
DEFINE_AUTO(store)
const char *store_home(const struct store *s); /* absolute */
const char *store_blob_dir(const struct store *s);
const char *store_cache_dir(const struct store *s);
/* Folders of the cache with names that begin so are of guests that have booted. They may go at
 * any time. */
#define STORE_BOOT_PREFIX "boot-"

/* A fresh directory of ours, on the store's file system; removed by workdir_free(), on a
 * signal (base/interrupt.h), or by the next run. */
struct workdir;
int workdir_new(struct store *s, struct workdir **ret, struct err **e);
void workdir_free(struct workdir *w);
DEFINE_AUTO(workdir)
/* name NULL or "": the directory itself. The caller frees. */
char *workdir_path(const struct workdir *w, const char *name);

/* Image references: what `name` (normalised) meant when it was last looked up. 1 found, 0 not.
 */
int store_ref_get(struct store *s, const char *name, char **ret_digest, struct err **e);
int store_ref_put(struct store *s, const char *name, const char *digest, struct err **e);

/* What was found out once and holds for ever: `key` is a digest of the question. 1 found, 0
 * not.
 */
int store_memo_get(struct store *s, const char *key, char **ret_value, struct err **e);
int store_memo_put(struct store *s, const char *key, const char *value, struct err **e);

/*
 * The disk of a cache mount, locked for one machine until it is released. key: hex, names the
 * file; id: how the Dockerfile calls it. is_new: there is no file at path, the caller puts one
 * there (raw ext4, by rename). 1; 0: somebody else has it, and is_waiting is false.
 */
struct store_mount {
	char *path;
	int lock_fd;
	bool is_new;
};
int store_mount_open(struct store *s, const char *key, const char *id, bool is_waiting,
		     struct store_mount *ret, struct err **e);
void store_mount_release(struct store_mount *m);

/*
 * Disks: base disks and block layers, found by cache key. A chain is a list of ids, oldest
 * first. Several disks may have one key (two builds raced, or the file system had grown
 * further): find takes the newest whose file system fits max_fs_bytes.
 */
struct store_disk {
	char id[STORE_ID_MAX];
	char *path;
	char *key;                 /* cache key, hex */
	char parent[STORE_ID_MAX]; /* id of the disk below, "" for a base disk */
	uint64_t fs_bytes;         /* size of the ext4 file system inside */
	char *what;                /* "FROM debian:12", "RUN apt-get ..." */
	int pin_fd; /* shared lock: store_prune() leaves it while this struct lives */
};
void store_disk_free(struct store_disk *d);
DEFINE_AUTO(store_disk)
/* 1 with *ret (owned by the caller), 0 if there is none whose file is still there. parent NULL:
 * any; "": a base disk. */
int store_disk_find(struct store *s, const char *key, const char *parent, uint64_t max_fs_bytes,
		    struct store_disk **ret, struct err **e);
/* ERR_NOTFOUND; ERR_CORRUPT if its file is gone. */
int store_disk_get(struct store *s, const char *id, struct store_disk **ret, struct err **e);
/*
 * Takes the file at path (in a work directory) into the store: synced, made read-only, renamed,
 * then recorded. parent NULL or "": a base disk, raw ext4; else a qcow2 block layer. ret may be
 * NULL.
 */
int store_disk_add(struct store *s, const char *path, const char *key, const char *parent,
		   uint64_t fs_bytes, const char *what, struct store_disk **ret,
		   struct err **e);

/* A stored template. Everything but the paths is in template.json (docs/template-format.md). */
struct tmpl {
	char id[STORE_ID_MAX];
	char *name; /* one of its names, else its id, for messages */
	char *key;  /* cache key of disk chain + start + ready + machine, hex */
	int64_t created_sec;
	char *base_name, *base_digest;
	VEC(char *)
	chain; /* disk ids, oldest first; the template's own disk.qcow2 lies on top */
	uint64_t disk_bytes, fs_bytes;
	unsigned cpus, memory_mib;
	struct json *config; /* OCI image config "config" object */
	struct strv start;   /* argv, empty: none */
	char *ready;         /* "port 8000", "cmd curl ...", "" none: for people */
	char *kiln_version, *vmm_version, *accel, *guest_id;
	/* Allocated bytes; disk: the whole chain. store_template_add() measures the three. */
	uint64_t memory_stored_bytes, state_bytes, disk_stored_bytes;
	int64_t ready_ms, snapshot_ms; /* how long they took */
	/* filled when it is opened from the store, and by store_template_add() */
	char *dir;               /* templates/<id> */
	VEC(char *) chain_paths; /* chain, then disk.qcow2 */
	int pin_fd;              /* shared lock, held while this struct lives; -1: none */
};
struct tmpl *tmpl_new(void);
void tmpl_free(struct tmpl *t);
DEFINE_AUTO(tmpl)
char *tmpl_path(const struct tmpl *t,
		const char *name); /* in its directory; the caller frees */
struct json *tmpl_to_json(const struct tmpl *t);
/*
 * template.json back into a struct; `name` is what messages call the template. ERR_CORRUPT
 * names the member that is wrong, or says that another version of kiln made it; ERR_LIMIT.
 */
int tmpl_parse(const char *bytes, size_t n, const char *name, struct tmpl **ret,
	       struct err **e);

/* NAME[:TAG]: [a-z0-9] then [a-z0-9._-], at most 128; the tag like an OCI tag; no tag is
 * "latest". *ret: "name:tag". ERR_USAGE. */
int store_name_parse(const char *name, char **ret, struct err **e);
/* By name or by id (prefix of at least 6). Pinned. ERR_NOTFOUND (with the nearest name),
 * ERR_USAGE (no valid name, ambiguous id), ERR_CORRUPT (damaged, other format version). */
int store_template_open(struct store *s, const char *name, struct tmpl **ret, struct err **e);
/* 1 with *ret, 0 if there is none that can be opened: it is a cache lookup. */
int store_template_find_key(struct store *s, const char *key, struct tmpl **ret,
			    struct err **e);
/*
 * Moves dir (a directory inside a work directory, holding disk.qcow2, ram, state, and perhaps
 * build.log, start.log) into the store, writes template.json, and gives it the name (NULL:
 * none, it can be had by its id until store_rm()); t is then as if opened. Sets id,
 * created_sec, kiln_version where they are unset, and what it measures. The name's former
 * template is deleted when it has no other name and nobody has it pinned.
 */
int store_template_add(struct store *s, struct tmpl *t, const char *dir, const char *name,
		       struct err **e);
/* Gives a template one more name. Works also if its last name was taken away meanwhile, as long
 * as the caller has it pinned. ERR_NOTFOUND. */
int store_template_name(struct store *s, const char *id, const char *name, struct err **e);

struct store_entry {
	char *name; /* "web:latest", "" if it has none */
	char *id;
	int64_t created_sec;
	unsigned cpus, memory_mib;
	uint64_t disk_bytes, memory_stored_bytes, disk_stored_bytes;
	char *base_name, *ready;
};
struct store_list {
	VEC(struct store_entry) entries; /* by name, one for each name */
};
int store_list(struct store *s, struct store_list *ret, struct err **e);
void store_list_release(struct store_list *l);
/*
 * Takes the name away, or, given an id, all its names: the template goes. *ret_freed_bytes (may
 * be NULL): what the template itself had on disk, 0 if it has other names or is pinned.
 * ERR_NOTFOUND, ERR_USAGE.
 */
int store_rm(struct store *s, const char *name, uint64_t *ret_freed_bytes, struct err **e);

/*
 * A build's record and log file, kept also when it fails. name NULL: it has none. status is a
 * word: "done", "failed", "interrupted" ... One build at a time per struct store.
 */
int store_build_begin(struct store *s, const char *name, const char *context,
		      char ret_id[STORE_ID_MAX], char **ret_log_path, struct err **e);
/* template_id NULL or "": none. */
int store_build_end(struct store *s, const char *id, const char *status,
		    const char *template_id, struct err **e);
/* A build's log, by its id; or the newest of a name, also of a failed build that left no
 * template. Its status is "running" while its process lives, "killed" if that ended without a
 * word. 1 found, 0 not. */
int store_build_log(struct store *s, const char *name, char **ret_path, char **ret_status,
		    struct err **e);

/* What is on record of a build. */
struct store_build {
	char id[STORE_ID_MAX];
	char *name;                     /* "web:latest", "" for none */
	char *context;                  /* as it was given to store_build_begin() */
	char *status;                   /* as store_build_log() has it */
	char *template_id;              /* "" for none */
	int64_t started_sec, ended_sec; /* ended_sec 0: it didn't say */
	char *dir;                      /* builds/<id> */
};
struct store_builds {
	VEC(struct store_build) at; /* the newest first */
};
int store_builds_list(struct store *s, struct store_builds *ret, struct err **e);
void store_builds_release(struct store_builds *b);
/* The directory of a build's record. The caller frees. */
char *store_build_dir(const struct store *s, const char *id);
/* The disk, and what lies below it, is not pruned as long as the build is on record. */
int store_build_keep_disk(struct store *s, const char *id, const char *disk_id, struct err **e);

#endif
