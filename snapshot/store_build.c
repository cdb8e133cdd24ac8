/* Records and logs of builds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/store_internal.h"

/* Builds beyond the newest STORE_MAX_BUILDS. */
static int list_old(struct store *s, struct strv *ret_ids, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db, "SELECT id FROM builds ORDER BY n DESC LIMIT -1 OFFSET ?",
		     DB_VALUES(DB_I(STORE_MAX_BUILDS)), &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1)
		strv_push(ret_ids, db_text(r, 0));
	return more;
}

/* One that still runs loses its row, and its log when it has ended. */
static int remove_old(struct store *s, struct err **e)
{
	autostrv ids = STRV_INIT;

	if (list_old(s, &ids, e))
		return -1;
	for (size_t i = 0; i < ids.n; i++)
		if (db_run(s->db, "DELETE FROM builds WHERE id = ?", DB_VALUES(DB_T(ids.at[i])),
			   NULL, e) ||
		    store_discard(s, STORE_BUILDS, ids.at[i], NULL, e))
			return -1;
	return 0;
}

static int make_record(struct store *s, const char *id, const char *name, const char *context,
		       struct err **e)
{
	autofree char *dir = store_path(s, STORE_BUILDS, id);
	autoclose int lock = -1, build = -1;

	if (store_lock(s, LOCK_SH, &lock, e))
		return -1;
	if (mkdir(dir, 0700))
		return err_sys(e, "making %s", dir);
	if (path_lock(dir, LOCK_EX, &build, e) ||
	    db_run(s->db,
		   "INSERT INTO builds(id, name, context, status, started_sec) "
		   "VALUES(?,?,?,'running',?)",
		   DB_VALUES(DB_T(id), DB_T(name), DB_T(context), DB_I(time(NULL))), NULL, e))
		return -1;
	if (s->build_fd >= 0)
		close(s->build_fd);
	s->build_fd = take_fd(build);
	return 0;
}

int store_build_begin(struct store *s, const char *name, const char *context,
		      char ret_id[STORE_ID_MAX], char **ret_log_path, struct err **e)
{
	autofree char *full = NULL;

	if (name && store_name_parse(name, &full, e))
		return -1;
	new_id(ret_id);
	if (make_record(s, ret_id, full, context, e) || remove_old(s, e))
		return err_wrap(e, "recording the build");
	*ret_log_path = xasprintf("%s/%s/build.log", s->folder[STORE_BUILDS], ret_id);
	return 0;
}

int store_build_end(struct store *s, const char *id, const char *status,
		    const char *template_id, struct err **e)
{
	if (s->build_fd >= 0)
		close(take_fd(s->build_fd));
	return db_run(
		s->db, "UPDATE builds SET status = ?, template = ?, ended_sec = ? WHERE id = ?",
		DB_VALUES(DB_T(status), DB_T(template_id && *template_id ? template_id : NULL),
			  DB_I(time(NULL)), DB_T(id)),
		NULL, e);
}

/* Whether the process that recorded the build still has it locked. */
static int is_running(struct store *s, const char *id, bool *ret, struct err **e)
{
	autofree char *dir = store_path(s, STORE_BUILDS, id);
	autoclose int fd = -1;

	if (path_lock(dir, LOCK_SH | LOCK_NB, &fd, e))
		return -1;
	*ret = fd < 0;
	return 0;
}

int store_build_log(struct store *s, const char *name, char **ret_path, char **ret_status,
		    struct err **e)
{
	autofree char *full = NULL;
	AUTO(db_rows) r = NULL;
	bool runs = true;
	int more;

	if (store_name_parse(name, &full, e) ||
	    db_query(s->db,
		     "SELECT id, status FROM builds WHERE id = ? OR name = ? "
		     "ORDER BY id = ? DESC, n DESC LIMIT 1",
		     DB_VALUES(DB_T(name), DB_T(full), DB_T(name)), &r, e))
		return -1;
	more = db_next(r, e);
	if (more != 1)
		return more;
	if (streq(db_text(r, 1), "running") && is_running(s, db_text(r, 0), &runs, e))
		return -1;
	*ret_path = xasprintf("%s/%s/build.log", s->folder[STORE_BUILDS], db_text(r, 0));
	*ret_status = xstrdup(runs ? db_text(r, 1) : "killed");
	return 1;
}

/* ------------------------------------------------------------------ all of them */

void store_builds_release(struct store_builds *b)
{
	vec_each (build, &b->at) {
		free(build->name);
		free(build->context);
		free(build->status);
		free(build->template_id);
		free(build->dir);
	}
	vec_release(&b->at);
}

static int add_build(struct store *s, struct db_rows *r, struct store_builds *ret,
		     struct err **e)
{
	const char *status = db_text(r, 3);
	struct store_build build = { .name = xstrdup(db_text(r, 1)),
				     .context = xstrdup(db_text(r, 2)),
				     .template_id = xstrdup(db_text(r, 4)),
				     .started_sec = db_int(r, 5),
				     .ended_sec = db_int(r, 6),
				     .dir = store_build_dir(s, db_text(r, 0)) };
	bool runs = true;

	snprintf(build.id, sizeof(build.id), "%s", db_text(r, 0));
	if (streq(status, "running") && is_running(s, build.id, &runs, e)) {
		vec_push(&ret->at, build);
		return -1;
	}
	build.status = xstrdup(runs ? status : "killed");
	vec_push(&ret->at, build);
	return 0;
}

int store_builds_list(struct store *s, struct store_builds *ret, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db,
		     "SELECT id, name, context, status, template, started_sec, ended_sec "
		     "FROM builds ORDER BY n DESC",
		     NULL, &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1)
		if (add_build(s, r, ret, e))
			return -1;
	return more;
}

char *store_build_dir(const struct store *s, const char *id)
{
	return store_path(s, STORE_BUILDS, id);
}

int store_build_keep_disk(struct store *s, const char *id, const char *disk_id, struct err **e)
{
	return db_run(s->db, "INSERT OR IGNORE INTO build_disks(build, disk) VALUES(?,?)",
		      DB_VALUES(DB_T(id), DB_T(disk_id)), NULL, e);
}
