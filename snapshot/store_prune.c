#include "snapshot/store_prune.h"

#include <errno.h>
#include <stdio.h>

#include "base/fs.h"
#include "snapshot/prune.h"
#include "snapshot/store_usage.h"

const char *store_kind_name(enum store_kind kind)
{
	static const char *const names[STORE_KINDS] = { "layer", "base",  "blob",
							"mount", "build", "boot" };

	return names[kind];
}

void store_usage_release(struct store_usage *u)
{
	vec_each (item, &u->items) {
		free(item->file);
		free(item->what);
		free(item->kept);
	}
	vec_release(&u->items);
	*u = (struct store_usage){ 0 };
}

/* ------------------------------------------------------------------ choosing */

/* Whatever lies below something needed: says so. */
static void explain(struct store_usage *u, const struct prune_item *items)
{
	for (size_t i = u->items.n; i > 0; i--) {
		const struct store_item *item = &u->items.at[i - 1];
		struct store_item *below = item->below < 0 ? NULL : &u->items.at[item->below];

		if (below && items[i - 1].is_needed && !below->kept)
			below->kept = xasprintf("\"%s\" lies on it", item->what);
	}
}

static void sum_up(struct store_usage *u)
{
	vec_each (item, &u->items) {
		if (item->is_gone)
			u->gone_bytes += item->bytes;
		else if (item->kept)
			u->needed_bytes += item->bytes;
		else
			u->kept_bytes += item->bytes;
	}
}

static void put_in_order(struct store_usage *u, const size_t *order)
{
	struct store_item *sorted = xcalloc(u->items.n, sizeof(*sorted));
	autofree int *places = xcalloc(u->items.n, sizeof(*places));

	for (size_t i = 0; i < u->items.n; i++) {
		sorted[i] = u->items.at[order[i]];
		places[order[i]] = (int)i;
	}
	for (size_t i = 0; i < u->items.n; i++)
		if (sorted[i].below >= 0)
			sorted[i].below = places[sorted[i].below];
	free(u->items.at);
	u->items.at = sorted;
	u->items.cap = u->items.n;
}

static void choose(struct store_usage *u, uint64_t keep_bytes)
{
	autofree struct prune_item *items = xcalloc(u->items.n, sizeof(*items));
	autofree size_t *order = xcalloc(u->items.n, sizeof(*order));

	for (size_t i = 0; i < u->items.n; i++) {
		const struct store_item *item = &u->items.at[i];

		items[i] = (struct prune_item){ .bytes = item->bytes,
						.used_sec = item->used_sec,
						.below = item->below,
						.is_needed = item->kept };
	}
	prune_choose(items, u->items.n, keep_bytes, order);
	explain(u, items);
	for (size_t i = 0; i < u->items.n; i++)
		u->items.at[i].is_gone = items[i].is_gone;
	if (u->items.n)
		put_in_order(u, order);
}

/* ------------------------------------------------------------------ removing */

/* How the kinds are recorded, and where their files are. */
static const char *const forget_sql[STORE_KINDS] = {
	[STORE_LAYER] = "DELETE FROM disks WHERE file = ?",
	[STORE_BASE] = "DELETE FROM disks WHERE file = ?",
	[STORE_BUILD] = "DELETE FROM builds WHERE id = ?",
};

static const char *folder_of(const struct store *s, enum store_kind kind)
{
	switch (kind) {
	case STORE_LAYER:
	case STORE_BASE:
		return s->folder[STORE_DISKS];
	case STORE_BLOB:
		return s->blob_dir;
	case STORE_MOUNT:
		return s->mount_dir;
	case STORE_BOOT:
		return s->cache_dir;
	default:
		return s->folder[STORE_BUILDS];
	}
}

static int forget(struct store *s, const struct store_usage *u, struct err **e)
{
	AUTO(db_tx) tx = NULL;

	if (db_begin(s->db, &tx, e))
		return -1;
	vec_each (item, &u->items)
		if (item->is_gone && forget_sql[item->kind] &&
		    db_run(s->db, forget_sql[item->kind], DB_VALUES(DB_T(item->file)), NULL, e))
			return -1;
	return db_commit(tx, e);
}

/* Out of sight at once; the removal itself, which takes time, needs no lock. */
static int move_away(struct store *s, struct store_item *item, const struct workdir *trash,
		     struct err **e)
{
	autofree char *from = xasprintf("%s/%s", folder_of(s, item->kind), item->file);
	autofree char *to = workdir_path(trash, item->file);
	autoclose int lock = -1;
	int is_free = item->kind == STORE_MOUNT ? usage_lock_mount(s, item->file, &lock, e) : 1;

	if (is_free < 0)
		return -1;
	item->is_gone = is_free; /* a machine may have taken the mount a moment ago */
	if (is_free && rename(from, to) && errno != ENOENT)
		return err_sys(e, "removing %s", from);
	return 0;
}

static int move_all_away(struct store *s, const struct store_usage *u,
			 const struct workdir *trash, struct err **e)
{
	vec_each (item, &u->items)
		if (item->is_gone && move_away(s, item, trash, e))
			return -1;
	return 0;
}

/* Keeps all but the disk and what lies on it, which comes after it in the list. */
static void keep_others(struct store_usage *u, const char *disk)
{
	for (size_t i = 0; i < u->items.n; i++) {
		struct store_item *item = &u->items.at[i];

		if (!str_starts(item->file, disk) &&
		    (item->below < 0 || u->items.at[item->below].kept))
			usage_keep(item, "it isn't asked for");
	}
}

static int prune(struct store *s, const struct store_prune_opts *o, struct store_usage *u,
		 struct err **e)
{
	AUTO(workdir) trash = NULL; /* freed after the lock */
	autoclose int lock = -1;

	if (workdir_new(s, &trash, e) || store_lock(s, LOCK_EX, &lock, e) ||
	    usage_collect(s, o->kinds ? o->kinds : STORE_CACHE, u, e))
		return -1;
	if (o->disk)
		keep_others(u, o->disk);
	choose(u, o->keep_bytes);
	if (o->is_dry_run || !u->items.n)
		return 0;
	return forget(s, u, e) || move_all_away(s, u, trash, e) ? -1 : 0;
}

int store_prune(struct store *s, const struct store_prune_opts *o, struct store_usage *ret,
		struct err **e)
{
	struct store_usage usage = { 0 };
	int failed;

	if (!o->is_dry_run)
		reserve_use(s);
	failed = prune(s, o, &usage, e);
	if (!o->is_dry_run)
		reserve_keep(s);
	if (ret)
		*ret = (struct store_usage){ 0 };
	if (!failed)
		sum_up(&usage);
	if (ret && !failed)
		*ret = usage;
	else
		store_usage_release(&usage);
	return failed;
}
