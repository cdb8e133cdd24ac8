/* What was found out once and stays true: content digests of finished stages. */
#include <time.h>

#include "snapshot/store_internal.h"

int store_memo_get(struct store *s, const char *key, char **ret_value, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db, "SELECT value FROM memos WHERE key = ?", DB_VALUES(DB_T(key)), &r,
		     e))
		return -1;
	more = db_next(r, e);
	if (more == 1)
		*ret_value = xstrdup(db_text(r, 0));
	return more;
}

int store_memo_put(struct store *s, const char *key, const char *value, struct err **e)
{
	return db_run(s->db, "INSERT OR REPLACE INTO memos(key, value, made_sec) VALUES(?,?,?)",
		      DB_VALUES(DB_T(key), DB_T(value), DB_I(time(NULL))), NULL, e);
}
