/*
 * store.h - everything kiln keeps between runs, under one home directory.
 *
 *   kiln.db                     SQLite (WAL): names, templates, cache keys, image references,
 * builds blobs/sha256/<hex>          OCI blobs (oci/ writes them) disks/<id>.ext4 base disks,
 * read-only disks/<id>.qcow2            block layers, read-only templates/<id>/ template.json,
 * disk.qcow2, ram, state, build.log, start.log builds/<id>/build.log       of builds, failed
 * ones too (the newest STORE_MAX_BUILDS are kept) cache/                      accelerator
 * answer, initramfs: may be deleted at any time tmp/<id>/                   work directories,
 * each held by a lock (flock) while its owner lives
 *
 * Crash:  files are written in a work directory, synced and renamed; a row is committed after
 * its files are in place. store_open() removes work directories nobody holds, and files in
 * disks/ and templates/ that no row names. Use:    several processes at once. What is open for
 * use is pinned by a shared flock on the template's directory.
 */
#ifndef SNAPSHOT_STORE_H
#define SNAPSHOT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/vec.h"

enum { STORE_ID_MAX = 40, STORE_MAX_BUILDS = 50, STORE_FORMAT = 1 };

struct store;

/* home NULL: $KILN_HOME, else ${XDG_DATA_HOME:-$HOME/.local/share}/kiln. Made if absent (0700).
 */
int store_open(const char *home, struct store **ret, struct err **e);
void store_free(struct store *s);
DEFINE_AUTO(store)
const char *store_home(const struct store *s);
const char *store_blob_dir(const struct store *s);
const char *store_cache_dir(const struct store *s);

/* A fresh directory of ours, on the store's file system; removed by workdir_free(), on a
 * signal, or by the next run. */
struct workdir;
int workdir_new(struct store *s, struct workdir **ret, struct err **e);
void workdir_free(struct workdir *w);
DEFINE_AUTO(workdir)
char *workdir_path(const struct workdir *w, const char *name); /* the caller frees */

/* Image references: what `name` (normalised) meant when it was last looked up. 1 found, 0 not.
 */
int store_ref_get(struct store *s, const char *name, char **ret_digest, struct err **e);
int store_ref_put(struct store *s, const char *name, const char *digest, struct err **e);

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
};
void store_disk_free(struct store_disk *d);
DEFINE_AUTO(store_disk)
/* 1 with *ret (owned by the caller), 0 if there is none. parent NULL: any. */
int store_disk_find(struct store *s, const char *key, const char *parent, uint64_t max_fs_bytes,
		    struct store_disk **ret, struct err **e);
int store_disk_get(struct store *s, const char *id, struct store_disk **ret, struct err **e);
/* Takes the file at path (in a work directory) into the store: synced, made read-only, renamed,
 * then recorded. */
int store_disk_add(struct store *s, const char *path, const char *key, const char *parent,
		   uint64_t fs_bytes, const char *what, struct store_disk **ret,
		   struct err **e);

/* A stored template. Everything but the paths is in template.json (docs/template-format.md). */
struct tmpl {
	char id[STORE_ID_MAX];
	char *name; /* one of its names, for messages */
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
	uint64_t memory_stored_bytes, state_bytes,
		disk_stored_bytes;     /* disk: allocated, whole chain */
	int64_t ready_ms, snapshot_ms; /* how long they took */
	/* filled when it is opened from the store */
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

/* NAME[:TAG]: [a-z0-9] then [a-z0-9._-], at most 128; the tag like an OCI tag; no tag is
 * "latest". *ret: "name:tag". ERR_USAGE. */
int store_name_parse(const char *name, char **ret, struct err **e);
/* By name or by id (prefix of at least 6). Pinned. ERR_NOTFOUND (with the nearest name),
 * ERR_CORRUPT (other format version). */
int store_template_open(struct store *s, const char *name, struct tmpl **ret, struct err **e);
/* 1 with *ret, 0 if there is none. */
int store_template_find_key(struct store *s, const char *key, struct tmpl **ret,
			    struct err **e);
/*
 * Moves dir (a directory inside a work directory, holding disk.qcow2, ram, state, build.log,
 * start.log) into the store, writes template.json, and gives it the name. The name's former
 * template is deleted when it has no other name and nobody has it pinned.
 */
int store_template_add(struct store *s, struct tmpl *t, const char *dir, const char *name,
		       struct err **e);
/* Gives a present template one more name. */
int store_template_name(struct store *s, const char *id, const char *name, struct err **e);

struct store_entry {
	char *name; /* "web:latest" */
	char *id;
	int64_t created_sec;
	unsigned cpus, memory_mib;
	uint64_t disk_bytes, memory_stored_bytes, disk_stored_bytes;
	char *base_name, *ready;
};
struct store_list {
	VEC(struct store_entry) entries; /* by name */
};
int store_list(struct store *s, struct store_list *ret, struct err **e);
void store_list_release(struct store_list *l);
/* Takes the name away; the template goes with its last name, its disks with their last user.
 * ERR_NOTFOUND. */
int store_rm(struct store *s, const char *name, uint64_t *ret_freed_bytes, struct err **e);

/* A build's record and log file, kept also when it fails. */
int store_build_begin(struct store *s, const char *name, const char *context,
		      char ret_id[STORE_ID_MAX], char **ret_log_path, struct err **e);
int store_build_end(struct store *s, const char *id, const char *status,
		    const char *template_id, struct err **e);
/* The newest build's log of a name, also of a failed build that left no template. 1 found, 0
 * not. */
int store_build_log(struct store *s, const char *name, char **ret_path, char **ret_status,
		    struct err **e);

#endif
