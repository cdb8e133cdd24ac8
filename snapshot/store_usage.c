#include "snapshot/store_usage.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"

static const char mount_suffix[] = ".ext4";
static const char in_use[] = "a build or a clone is using it";

void usage_keep(struct store_item *item, const char *why)
{
	if (!item->kept)
		item->kept = xstrdup(why);
}

int usage_look_at(const char *path, struct store_item *item, struct err **e)
{
	autoclose int fd = -1;
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : err_sys(e, "looking at %s", path);
	item->bytes = allocated_bytes(path);
	item->used_sec = st.st_mtim.tv_sec;
	if (path_lock(path, LOCK_EX | LOCK_NB, &fd, e))
		return -1;
	if (fd < 0 && fs_exists(path))
		usage_keep(item, in_use);
	return 0;
}

/* ------------------------------------------------------------------ disks */

static int find_item(const struct strv *ids, size_t first, const char *id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (streq(ids->at[i], id))
			return (int)(first + i);
	return -1;
}

/* The disks under a template that has lost its row, while a clone of it still runs. */
static void hold_chain(struct store_usage *u, const struct strv *ids, size_t first,
		       const struct tmpl *t)
{
	vec_each (id, &t->chain) {
		int at = find_item(ids, first, *id);

		if (at >= 0)
			usage_keep(&u->items.at[at], "a clone of a removed template");
	}
}

static int hold_removed(struct store *s, struct store_usage *u, const struct strv *ids,
			size_t first, struct err **e)
{
	DIR *stream = opendir(s->folder[STORE_TEMPLATES]);
	struct dirent *d;

	if (!stream)
		return err_sys(e, "listing %s", s->folder[STORE_TEMPLATES]);
	while ((d = readdir(stream))) {
		autofree char *dir = store_path(s, STORE_TEMPLATES, d->d_name);
		autofree char *path = xasprintf("%s/template.json", dir);
		AUTO(tmpl) t = NULL;
		autostr text = STR_INIT;
		autoclose int fd = -1;
		struct err *ignored = NULL;

		/* One that nobody has locked goes with the next run; with a row it has said
		 * itself what it stands on. */
		if (is_id(d->d_name) && !path_lock(dir, LOCK_EX | LOCK_NB, &fd, &ignored) &&
		    fd < 0 && !fs_read_file(path, STORE_MAX_JSON, &text, &ignored) &&
		    !tmpl_parse(text.at, text.len, d->d_name, &t, &ignored))
			hold_chain(u, ids, first, t);
		err_drop(&ignored);
	}
	closedir(stream);
	return 0;
}

static int hold_for_templates(struct store *s, struct store_usage *u, const struct strv *ids,
			      size_t first, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db,
		     "SELECT d.disk, min(coalesce(n.name, d.template)), count(DISTINCT "
		     "d.template) "
		     "FROM template_disks d LEFT JOIN names n ON n.template = d.template "
		     "GROUP BY d.disk",
		     NULL, &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1) {
		int at = find_item(ids, first, db_text(r, 0));
		int64_t n = db_int(r, 2);
		autofree char *why = n > 1 ? xasprintf("template %s and %lld more",
						       db_text(r, 1), (long long)n - 1)
					   : xasprintf("template %s", db_text(r, 1));

		if (at >= 0)
			usage_keep(&u->items.at[at], why);
	}
	return more;
}

/* What failed builds had come to, for `kiln debug`. */
static int hold_for_builds(struct store *s, struct store_usage *u, const struct strv *ids,
			   size_t first, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db,
		     "SELECT d.disk, coalesce(b.name, b.id) FROM build_disks d "
		     "JOIN builds b ON b.id = d.build ORDER BY b.n",
		     NULL, &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1) {
		int at = find_item(ids, first, db_text(r, 0));
		autofree char *why = xasprintf("the failed build of %s", db_text(r, 1));

		if (at >= 0)
			usage_keep(&u->items.at[at], why);
	}
	return more;
}

static int collect_disks(struct store *s, struct store_usage *u, struct err **e)
{
	AUTO(db_rows) r = NULL;
	autostrv ids = STRV_INIT;
	size_t first = u->items.n;
	int more;

	if (db_query(s->db, "SELECT id, file, coalesce(parent, ''), what FROM disks ORDER BY n",
		     NULL, &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1) {
		autofree char *path = store_path(s, STORE_DISKS, db_text(r, 1));
		struct store_item item = {
			.kind = *db_text(r, 2) ? STORE_LAYER : STORE_BASE,
			.file = xstrdup(db_text(r, 1)),
			.what = xstrdup(db_text(r, 3)),
			.below = find_item(&ids, first, db_text(r, 2)),
		};

		strv_push(&ids, db_text(r, 0));
		vec_push(&u->items, item);
		if (usage_look_at(path, &u->items.at[u->items.n - 1], e))
			return -1;
	}
	return more < 0 || hold_for_templates(s, u, &ids, first, e) ||
			       hold_for_builds(s, u, &ids, first, e) ||
			       hold_removed(s, u, &ids, first, e)
		       ? -1
		       : 0;
}

/* ------------------------------------------------------------------ cache mounts */

int usage_lock_mount(const struct store *s, const char *file, int *ret_fd, struct err **e)
{
	autofree char *path = xasprintf("%s/%.*s.lock", s->mount_dir,
					(int)(strlen(file) - strlen(mount_suffix)), file);

	*ret_fd = -1;
	if (path_lock(path, LOCK_EX | LOCK_NB, ret_fd, e))
		return -1;
	return *ret_fd >= 0 || !fs_exists(path);
}

static int collect_mount(struct store *s, struct store_usage *u, const char *file,
			 struct err **e)
{
	autofree char *path = xasprintf("%s/%s", s->mount_dir, file);
	struct store_item item = { .kind = STORE_MOUNT, .below = -1 };
	autoclose int fd = -1;
	int is_free;

	if (!str_ends(file, mount_suffix))
		return 0;
	item.file = xstrdup(file);
	item.what = xstrdup("cache mount");
	vec_push(&u->items, item);
	is_free = usage_lock_mount(s, file, &fd, e);
	if (!is_free)
		usage_keep(&u->items.at[u->items.n - 1], in_use);
	return is_free < 0 ? -1 : usage_look_at(path, &u->items.at[u->items.n - 1], e);
}

static int collect_mounts(struct store *s, struct store_usage *u, struct err **e)
{
	DIR *stream = opendir(s->mount_dir);
	struct dirent *d;
	int failed = 0;

	while (stream && !failed && (d = readdir(stream)))
		failed = collect_mount(s, u, d->d_name, e);
	if (stream)
		closedir(stream);
	return failed;
}

/* ------------------------------------------------------------------ builds */

static int collect_builds(struct store *s, struct store_usage *u, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db, "SELECT id, coalesce(name, ''), status, started_sec FROM builds",
		     NULL, &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1) {
		autofree char *path = store_path(s, STORE_BUILDS, db_text(r, 0));
		struct store_item item = { .kind = STORE_BUILD, .below = -1 };
		bool is_running = streq(db_text(r, 2), "running");

		item.file = xstrdup(db_text(r, 0));
		vec_push(&u->items, item);
		if (usage_look_at(path, &u->items.at[u->items.n - 1], e))
			return -1;
		struct store_item *last = &u->items.at[u->items.n - 1];

		last->used_sec = db_int(r, 3);
		last->what = xasprintf("log of %s (%s)",
				       *db_text(r, 1) ? db_text(r, 1) : "a build without name",
				       is_running && !last->kept ? "killed" : db_text(r, 2));
	}
	return more;
}

/* ------------------------------------------------------------------ booted guests */

static int collect_boots(struct store *s, struct store_usage *u, struct err **e)
{
	DIR *stream = opendir(s->cache_dir);
	struct dirent *d;
	int failed = 0;

	while (stream && !failed && (d = readdir(stream))) {
		autofree char *path = xasprintf("%s/%s", s->cache_dir, d->d_name);
		struct store_item item = { .kind = STORE_BOOT, .below = -1 };

		if (!str_starts(d->d_name, STORE_BOOT_PREFIX))
			continue;
		item.file = xstrdup(d->d_name);
		item.what = xstrdup("memory of a booted guest");
		vec_push(&u->items, item);
		failed = usage_look_at(path, &u->items.at[u->items.n - 1], e);
	}
	if (stream)
		closedir(stream);
	return failed;
}

/* ------------------------------------------------------------------ all */

int usage_collect(struct store *s, unsigned kinds, struct store_usage *ret, struct err **e)
{
	static const struct {
		unsigned kinds;
		int (*collect)(struct store *s, struct store_usage *u, struct err **e);
	} parts[] = {
		{ 1 << STORE_LAYER | 1 << STORE_BASE, collect_disks },
		{ 1 << STORE_BLOB, usage_collect_blobs },
		{ 1 << STORE_MOUNT, collect_mounts },
		{ 1 << STORE_BUILD, collect_builds },
		{ 1 << STORE_BOOT, collect_boots },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (kinds & parts[i].kinds && parts[i].collect(s, ret, e))
			return -1;
	return 0;
}
