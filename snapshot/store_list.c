/* Listing templates and taking names away. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "snapshot/store_internal.h"

int store_list(struct store *s, struct store_list *ret, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db,
		     "SELECT n.name, t.id, t.created_sec, t.cpus, t.memory_mib, t.disk_bytes, "
		     "t.memory_stored_bytes, t.disk_stored_bytes, t.base_name, t.ready "
		     "FROM templates t LEFT JOIN names n ON n.template = t.id "
		     "ORDER BY n.name, t.n",
		     NULL, &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1) {
		struct store_entry entry = {
			.name = xstrdup(db_text(r, 0)),
			.id = xstrdup(db_text(r, 1)),
			.created_sec = db_int(r, 2),
			.cpus = (unsigned)db_int(r, 3),
			.memory_mib = (unsigned)db_int(r, 4),
			.disk_bytes = (uint64_t)db_int(r, 5),
			.memory_stored_bytes = (uint64_t)db_int(r, 6),
			.disk_stored_bytes = (uint64_t)db_int(r, 7),
			.base_name = xstrdup(db_text(r, 8)),
			.ready = xstrdup(db_text(r, 9)),
		};

		vec_push(&ret->entries, entry);
	}
	return more;
}

void store_list_release(struct store_list *l)
{
	vec_each (it, &l->entries) {
		free(it->name);
		free(it->id);
		free(it->base_name);
		free(it->ready);
	}
	vec_release(&l->entries);
}

/* In one transaction. *ret_orphan: the template that has no name left, or "". */
static int forget(struct store *s, const char *name, char ret_orphan[STORE_ID_MAX],
		  struct err **e)
{
	AUTO(db_tx) tx = NULL;
	autostrv names = STRV_INIT;
	char id[STORE_ID_MAX];

	if (db_begin(s->db, &tx, e) || store_template_find(s, name, id, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (db_run(s->db, "DELETE FROM names WHERE name = ?",
			   DB_VALUES(DB_T(names.at[i])), NULL, e))
			return -1;
	if (store_template_forget_nameless(s, id, ret_orphan, e))
		return -1;
	return db_commit(tx, e);
}

static int remove_template(struct store *s, const char *name, uint64_t *ret_freed_bytes,
			   struct err **e)
{
	char orphan[STORE_ID_MAX] = "";

	if (forget(s, name, orphan, e))
		return -1;
	if (!*orphan)
		return 0;
	return store_discard(s, STORE_TEMPLATES, orphan, ret_freed_bytes, e);
}

int store_rm(struct store *s, const char *name, uint64_t *ret_freed_bytes, struct err **e)
{
	uint64_t freed_bytes = 0;
	int failed;

	reserve_use(s);
	failed = remove_template(s, name, &freed_bytes, e);
	reserve_keep(s);
	if (ret_freed_bytes)
		*ret_freed_bytes = freed_bytes;
	return failed;
}
