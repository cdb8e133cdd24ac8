/* Templates: adding and opening them. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "snapshot/store_internal.h"

void template_set_paths(const struct store *s, struct tmpl *t)
{
	vec_each (old, &t->chain_paths)
		free(*old);
	t->chain_paths.n = 0;
	free(t->dir);
	t->dir = store_path(s, STORE_TEMPLATES, t->id);
	for (size_t i = 0; i < t->chain.n; i++) {
		autofree char *file = disk_file_name(t->chain.at[i], i == 0);

		vec_push(&t->chain_paths, store_path(s, STORE_DISKS, file));
	}
	vec_push(&t->chain_paths, tmpl_path(t, "disk.qcow2"));
}

/* ------------------------------------------------------------------ opening */

/* The id of the template that has the name. 1 found, 0 not. */
static int find_by_name(struct store *s, const char *name, char ret_id[STORE_ID_MAX],
			struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db, "SELECT template FROM names WHERE name = ?", DB_VALUES(DB_T(name)),
		     &r, e))
		return -1;
	more = db_next(r, e);
	if (more == 1)
		snprintf(ret_id, STORE_ID_MAX, "%s", db_text(r, 0));
	return more;
}

/* The only template whose id begins so. 1 found, 0 not. */
static int find_by_prefix(struct store *s, const char *prefix, char ret_id[STORE_ID_MAX],
			  struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (strlen(prefix) < ID_PREFIX_MIN || strlen(prefix) > ID_HEX || !is_hex(prefix))
		return 0;
	if (db_query(s->db, "SELECT id FROM templates WHERE substr(id, 1, length(?1)) = ?1",
		     DB_VALUES(DB_T(prefix)), &r, e))
		return -1;
	more = db_next(r, e);
	if (more != 1)
		return more;
	snprintf(ret_id, STORE_ID_MAX, "%s", db_text(r, 0));
	more = db_next(r, e);
	if (more == 1)
		return err_set(e, ERR_USAGE, "more than one template's id begins with '%s'",
			       prefix);
	return more < 0 ? -1 : 1;
}

static int names_of(struct store *s, const char *id, struct strv *ret, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db, "SELECT name FROM names WHERE template = ?", DB_VALUES(DB_T(id)),
		     &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1)
		strv_push(ret, db_text(r, 0));
	return more;
}

static int not_found(struct store *s, const char *name, struct err **e)
{
	struct store_list list = { 0 };
	autostrv names = STRV_INIT;
	const char *nearest;

	if (store_list(s, &list, e)) {
		store_list_release(&list);
		return -1;
	}
	vec_each (it, &list.entries) {
		const char *full = it->name;
		size_t len = strlen(full) - (str_ends(full, ":latest") ? 7 : 0);

		if (*full)
			strv_pushf(&names, "%.*s", (int)len, full);
	}
	store_list_release(&list);
	nearest = str_nearest(name, (const char *const *)names.at, names.n);
	if (nearest)
		return err_set(e, ERR_NOTFOUND, "no template '%s' (did you mean '%s'?)", name,
			       nearest);
	return err_set(e, ERR_NOTFOUND, "no template '%s'%s", name,
		       names.n ? "" : " (there are none yet)");
}

int store_template_find(struct store *s, const char *name, char ret_id[STORE_ID_MAX],
			struct strv *ret_names, struct err **e)
{
	autofree char *full = NULL;
	int found;

	if (store_name_parse(name, &full, e))
		return -1;
	found = find_by_name(s, full, ret_id, e);
	if (found == 1)
		strv_push(ret_names, full);
	if (found != 0)
		return found < 0 ? -1 : 0;
	found = find_by_prefix(s, name, ret_id, e);
	if (found == 1)
		return names_of(s, ret_id, ret_names, e);
	return found < 0 ? -1 : not_found(s, name, e);
}

static int check_chain(const struct tmpl *t, const char *name, struct err **e)
{
	vec_each (path, &t->chain_paths)
		if (!fs_exists(*path))
			return err_set(e, ERR_CORRUPT,
				       "template '%s' is damaged: %s is gone: build it again",
				       name, *path);
	return 0;
}

/* Reads templates/<id>/template.json; pin_fd goes to the struct. */
static int load(struct store *s, const char *id, const char *name, int *pin_fd,
		struct tmpl **ret, struct err **e)
{
	autofree char *dir = store_path(s, STORE_TEMPLATES, id),
		      *path = xasprintf("%s/template.json", dir);
	AUTO(tmpl) t = NULL;
	autostr text = STR_INIT;

	if (fs_read_file(path, STORE_MAX_JSON, &text, e))
		return err_wrap(e, "template '%s' is damaged", name);
	if (tmpl_parse(text.at, text.len, name, &t, e))
		return -1;
	if (!streq(t->id, id))
		return err_set(e, ERR_CORRUPT,
			       "template '%s' is damaged: template.json: 'id' is another one",
			       name);
	template_set_paths(s, t);
	if (check_chain(t, name, e))
		return -1;
	free(t->name); /* what template.json has is the name it was built under */
	t->name = xstrdup(name);
	t->pin_fd = take_fd(*pin_fd);
	*ret = take(t);
	return 0;
}

/* The caller has held the store's lock since before it learnt the id: so it isn't being
 * discarded between the two. */
static int open_pinned(struct store *s, const char *id, const char *name, struct tmpl **ret,
		       struct err **e)
{
	autofree char *dir = store_path(s, STORE_TEMPLATES, id);
	autoclose int pin = -1;

	if (path_lock(dir, LOCK_SH, &pin, e))
		return -1;
	if (pin < 0)
		return err_set(e, ERR_CORRUPT,
			       "template '%s' is damaged: %s is gone: build it again", name,
			       dir);
	return load(s, id, name, &pin, ret, e);
}

int store_template_open(struct store *s, const char *name, struct tmpl **ret, struct err **e)
{
	autoclose int lock = -1;
	autostrv names = STRV_INIT;
	char id[STORE_ID_MAX];

	if (store_lock(s, LOCK_SH, &lock, e) || store_template_find(s, name, id, &names, e))
		return -1;
	return open_pinned(s, id, names.n ? names.at[0] : id, ret, e);
}

int store_template_find_key(struct store *s, const char *key, struct tmpl **ret, struct err **e)
{
	autoclose int lock = -1;
	AUTO(db_rows) r = NULL;
	int more;

	if (store_lock(s, LOCK_SH, &lock, e) ||
	    db_query(s->db,
		     "SELECT t.id, coalesce(min(n.name), t.id) "
		     "FROM templates t LEFT JOIN names n ON n.template = t.id "
		     "WHERE t.key = ? GROUP BY t.id ORDER BY t.n DESC",
		     DB_VALUES(DB_T(key)), &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1) {
		struct err *why = NULL;

		if (!open_pinned(s, db_text(r, 0), db_text(r, 1), ret, &why))
			return 1;
		/* Damaged, or of another format: as good as not there, it will be built. */
		log_debug("not using a cached template: %s", why->msg);
		err_drop(&why);
	}
	return more;
}

/* ------------------------------------------------------------------ adding */

static int insert_template(struct store *s, const struct tmpl *t, struct err **e)
{
	if (db_run(s->db,
		   "INSERT INTO templates(id, key, created_sec, cpus, memory_mib, disk_bytes, "
		   "memory_stored_bytes, disk_stored_bytes, base_name, ready) "
		   "VALUES(?,?,?,?,?,?,?,?,?,?)",
		   DB_VALUES(DB_T(t->id), DB_T(t->key), DB_I(t->created_sec), DB_I(t->cpus),
			     DB_I(t->memory_mib), DB_I(t->disk_bytes),
			     DB_I(t->memory_stored_bytes), DB_I(t->disk_stored_bytes),
			     DB_T(t->base_name ? t->base_name : ""),
			     DB_T(t->ready ? t->ready : "")),
		   NULL, e))
		return -1;
	for (size_t i = 0; i < t->chain.n; i++)
		if (db_run(s->db,
			   "INSERT INTO template_disks(template, place, disk) VALUES(?,?,?)",
			   DB_VALUES(DB_T(t->id), DB_I(i), DB_T(t->chain.at[i])), NULL, e))
			return -1;
	return 0;
}

int store_template_forget_nameless(struct store *s, const char *id,
				   char ret_orphan[STORE_ID_MAX], struct err **e)
{
	int n_gone = 0;

	if (db_run(s->db,
		   "DELETE FROM templates WHERE id = ?1 "
		   "AND NOT EXISTS (SELECT 1 FROM names WHERE template = ?1)",
		   DB_VALUES(DB_T(id)), &n_gone, e))
		return -1;
	snprintf(ret_orphan, STORE_ID_MAX, "%s", n_gone ? id : "");
	return 0;
}

/* Moves the name to the template id. *ret_orphan: its former one, if that has no name left. */
static int give_name(struct store *s, const char *id, const char *name,
		     char ret_orphan[STORE_ID_MAX], struct err **e)
{
	char former[STORE_ID_MAX] = "";

	if (find_by_name(s, name, former, e) < 0)
		return -1;
	if (streq(former, id))
		return 0;
	if (db_run(s->db, "INSERT OR REPLACE INTO names(name, template) VALUES(?,?)",
		   DB_VALUES(DB_T(name), DB_T(id)), NULL, e))
		return -1;
	return store_template_forget_nameless(s, former, ret_orphan, e);
}

/* Gives the name, if there is one, to the template, inserting its row if it has none; in one
 * transaction. */
static int record(struct store *s, const struct tmpl *t, const char *name,
		  char ret_orphan[STORE_ID_MAX], struct err **e)
{
	AUTO(db_tx) tx = NULL;
	int64_t n_rows = 0;

	if (db_begin(s->db, &tx, e) ||
	    db_get_int(s->db, "SELECT count(*) FROM templates WHERE id = ?",
		       DB_VALUES(DB_T(t->id)), &n_rows, e))
		return -1;
	if (!n_rows && insert_template(s, t, e))
		return -1;
	if (name && give_name(s, t->id, name, ret_orphan, e))
		return -1;
	return db_commit(tx, e);
}

static void discard_template(struct store *s, const char *id)
{
	struct err *why = NULL;

	if (!*id)
		return;
	if (store_discard(s, STORE_TEMPLATES, id, NULL, &why))
		log_debug("template %s stays until the next run: %s", id, why->msg);
	err_drop(&why);
}

static void measure(struct tmpl *t, const char *dir)
{
	autofree char *ram = xasprintf("%s/ram", dir), *state = xasprintf("%s/state", dir),
		      *disk = xasprintf("%s/disk.qcow2", dir);

	t->memory_stored_bytes = allocated_bytes(ram);
	t->state_bytes = allocated_bytes(state);
	t->disk_stored_bytes = allocated_bytes(disk);
	for (size_t i = 0; i < t->chain.n; i++)
		t->disk_stored_bytes += allocated_bytes(t->chain_paths.at[i]);
}

static int write_json(const struct tmpl *t, const char *dir, struct err **e)
{
	AUTO(json) j = tmpl_to_json(t);
	autofree char *text = json_text_indented(j), *path = xasprintf("%s/template.json", dir);

	return fs_write_atomic(path, text, strlen(text), 0400, e);
}

/*
 * Everything in dir reaches the disk. `ram` keeps its owner's write permission: QEMU opens it
 * for writing even when it maps it privately.
 */
static int seal(const char *dir, struct err **e)
{
	static const struct {
		const char *name;
		mode_t mode;
		bool is_optional;
	} files[] = {
		{ "disk.qcow2", 0400 },      { "ram", 0600 },
		{ "state", 0400 },           { "build.log", 0400, true },
		{ "start.log", 0400, true },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		autofree char *path = xasprintf("%s/%s", dir, files[i].name);

		if (chmod(path, files[i].mode)) {
			if (errno == ENOENT && files[i].is_optional)
				continue;
			return err_sys(e, "sealing %s", path);
		}
		if (path_sync(path, e))
			return -1;
	}
	return path_sync(dir, e);
}

static void fill_in(struct tmpl *t, const char *full_name)
{
	if (!*t->id)
		new_id(t->id);
	if (!t->created_sec)
		t->created_sec = time(NULL);
	if (!t->kiln_version)
		t->kiln_version = xstrdup(KILN_VERSION);
	free(t->name);
	t->name = xstrdup(full_name ? full_name : t->id);
}

/* Rename and rows under the store's shared lock, so that nobody takes it for an orphan. */
static int put_in_place(struct store *s, struct tmpl *t, const char *dir, const char *name,
			char ret_orphan[STORE_ID_MAX], struct err **e)
{
	autoclose int lock = -1;

	if (store_lock(s, LOCK_SH, &lock, e) || fs_rename_synced(dir, t->dir, e))
		return -1;
	return record(s, t, name, ret_orphan, e);
}

int store_template_add(struct store *s, struct tmpl *t, const char *dir, const char *name,
		       struct err **e)
{
	autofree char *full = NULL;
	char orphan[STORE_ID_MAX] = "";

	if (name && store_name_parse(name, &full, e))
		return -1;
	fill_in(t, full);
	template_set_paths(s, t);
	measure(t, dir);
	if (write_json(t, dir, e) || seal(dir, e) || path_lock(dir, LOCK_SH, &t->pin_fd, e))
		return -1;
	if (put_in_place(s, t, dir, full, orphan, e)) {
		close(take_fd(t->pin_fd));
		discard_template(s, t->id);
		return -1;
	}
	discard_template(s, orphan);
	return 0;
}

int store_template_name(struct store *s, const char *id, const char *name, struct err **e)
{
	autofree char *full = NULL;
	autoclose int lock = -1;
	AUTO(tmpl) t = NULL;
	char orphan[STORE_ID_MAX] = "";

	if (store_name_parse(name, &full, e))
		return -1;
	if (!is_id(id))
		return err_set(e, ERR_NOTFOUND, "no template with the id '%s'", id);
	if (store_lock(s, LOCK_SH, &lock, e))
		return -1;
	/* Its row may be gone, its files aren't while the caller has them pinned. */
	if (open_pinned(s, id, full, &t, e) || record(s, t, full, orphan, e))
		return -1;
	close(take_fd(lock));
	discard_template(s, orphan);
	return 0;
}
