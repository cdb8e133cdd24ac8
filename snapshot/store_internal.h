/*
 * store_internal.h - what the store's own files share; see store.h.
 *
 * Order of locks: the store's lock first, then one template, disk or build; the database inside
 * both.
 */
#ifndef SNAPSHOT_STORE_INTERNAL_H
#define SNAPSHOT_STORE_INTERNAL_H

#include <sys/file.h>

#include "snapshot/db.h"
#include "snapshot/store.h"

enum store_folder { STORE_DISKS, STORE_TEMPLATES, STORE_BUILDS, STORE_FOLDERS };

struct store {
	char *home;
	char *blob_dir, *cache_dir, *tmp_dir, *lock_dir, *mount_dir;
	char *folder[STORE_FOLDERS];
	struct db *db;
	int build_fd; /* lock on builds/<id> between store_build_begin and store_build_end */
};

enum { ID_HEX = 32, ID_PREFIX_MIN = 6 };

void new_id(char ret[STORE_ID_MAX]);
bool is_id(const char *s); /* 32 lower-case hex digits */
bool is_hex(const char *s);

/* The whole store's lock: LOCK_SH or LOCK_EX, perhaps | LOCK_NB: then *ret_fd stays -1 if it is
 * taken. Closing the descriptor lets it go. */
int store_lock(const struct store *s, int how, int *ret_fd, struct err **e);
/* Opens path (a file or a directory of the store) and takes its lock, likewise; *ret_fd stays
 * -1 also if it isn't there. */
int path_lock(const char *path, int how, int *ret_fd, struct err **e);
/* Whether fd is still what is found at path: it may have been removed before we had its lock.
 */
bool path_is_still(int fd, const char *path);
char *store_path(const struct store *s, enum store_folder folder, const char *name);
/* Syncs a file or a directory to the disk. */
int path_sync(const char *path, struct err **e);
/* Bytes allocated for a file, or for a directory and all below it; 0 if it isn't there. */
uint64_t allocated_bytes(const char *path);

/* reserve_use() gives the room up if the disk is full, reserve_keep() puts it aside (again). */
void reserve_use(const struct store *s);
void reserve_keep(const struct store *s);

/* Removes work directories nobody holds, then what no row names. Failing to is no failure. */
void store_collect(struct store *s);
/*
 * Removes folder/name if no row names it and nobody has it locked. *ret_freed_bytes (may be
 * NULL) grows by what it had allocated.
 */
int store_discard(struct store *s, enum store_folder folder, const char *name,
		  uint64_t *ret_freed_bytes, struct err **e);
/*
 * Moves folder/name into the work directory `to`, which goes soon, under the same conditions.
 * The caller holds the store's lock exclusively: so nobody is between a rename and its row.
 */
int store_move_away(struct store *s, enum store_folder folder, const char *name,
		    const struct workdir *to, uint64_t *ret_freed_bytes, struct err **e);
void workdirs_remove_stale(struct store *s);
void keys_remove_stale(struct store *s);

/* "<id>.ext4" or "<id>.qcow2". The caller frees. */
char *disk_file_name(const char *id, bool is_base);
/* The id of the template that a name, or an id's beginning, means; adds that name, or all the
 * names it has. ERR_NOTFOUND, ERR_USAGE. */
int store_template_find(struct store *s, const char *name, char ret_id[STORE_ID_MAX],
			struct strv *ret_names, struct err **e);
/* Inside a transaction: takes the template's row away if it has no name; then ret_orphan is its
 * id, else "". */
int store_template_forget_nameless(struct store *s, const char *id,
				   char ret_orphan[STORE_ID_MAX], struct err **e);
/* Fills dir, chain_paths of a template whose id and chain are set. */
void template_set_paths(const struct store *s, struct tmpl *t);

#endif
