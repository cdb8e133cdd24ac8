#include "snapshot/db.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

/* SQLite would let threads share a connection, but an error, a count of changes and a
 * transaction are the connection's: so one thread has it at a time. */
struct db {
	sqlite3 *sql;
	pthread_mutex_t lock; /* recursive */
};

struct db_rows {
	struct db *db;
	sqlite3_stmt *stmt;
};

struct db_tx {
	struct db *db;
	bool is_done;
};

/* SQLite's answer as our error; its own words are the phrase, errno is the root where it has
 * one. */
static int db_err(struct db *db, int rc, struct err **e)
{
	int sys = db->sql ? sqlite3_system_errno(db->sql) : 0;

	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(e, ERR_CORRUPT, "the store's database is damaged (%s)",
			       sqlite3_errstr(rc));
	case SQLITE_FULL:
		return err_set_(e, ERR_SYS, ENOSPC, __FILE__, __LINE__,
				"writing the store's database");
	case SQLITE_BUSY:
		return err_set(e, ERR_SYS,
			       "the store's database stayed locked by another process for %d s",
			       DB_BUSY_MS / 1000);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return err_set_(e, ERR_SYS, sys, __FILE__, __LINE__, "the store's database: %s",
				sqlite3_errstr(rc));
	default:
		return err_set(e, ERR_BUG, "the store's database: %s",
			       db->sql ? sqlite3_errmsg(db->sql) : sqlite3_errstr(rc));
	}
}

static struct db *db_new(void)
{
	struct db *db = xcalloc(1, sizeof(*db));
	pthread_mutexattr_t recursive;

	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&db->lock, &recursive);
	pthread_mutexattr_destroy(&recursive);
	return db;
}

int db_open(const char *path, struct db **ret, struct err **e)
{
	AUTO(db) db = db_new();
	int rc = sqlite3_open_v2(
		path, &db->sql,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE, NULL);

	if (rc)
		return db_err(db, rc, e);
	sqlite3_busy_timeout(db->sql, DB_BUSY_MS);
	/*
	 * Without this the last connection to close copies the log into the database and
	 * deletes it: two syncs at the end of each short command, and a moment in which
	 * another process that opens the database finds it locked.
	 */
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* So the log stays; each process that is the first to open the database reads it
	 * through: it is kept short (a quarter of a megabyte). */
	if (db_exec(db,
		    "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA "
		    "wal_autocheckpoint = 64;",
		    e))
		return -1;
	*ret = take(db);
	return 0;
}

void db_free(struct db *db)
{
	if (!db)
		return;
	sqlite3_close_v2(db->sql);
	pthread_mutex_destroy(&db->lock);
	free(db);
}

int db_exec(struct db *db, const char *sql, struct err **e)
{
	int failed, rc;

	pthread_mutex_lock(&db->lock);
	rc = sqlite3_exec(db->sql, sql, NULL, NULL, NULL);
	failed = rc ? db_err(db, rc, e) : 0;
	pthread_mutex_unlock(&db->lock);
	return failed;
}

static void bind(sqlite3_stmt *stmt, const struct db_value *values)
{
	for (int i = 0; values && values[i].kind != DB_END; i++) {
		int rc = values[i].kind == DB_INT
				 ? sqlite3_bind_int64(stmt, i + 1, values[i].n)
				 : sqlite3_bind_text(stmt, i + 1, values[i].text, -1,
						     SQLITE_TRANSIENT);

		if (rc)
			abort(); /* no memory, or a statement with fewer '?' than values */
	}
}

int db_query(struct db *db, const char *sql, const struct db_value *values,
	     struct db_rows **ret, struct err **e)
{
	struct db_rows *r;
	sqlite3_stmt *stmt;
	int rc;

	pthread_mutex_lock(&db->lock); /* until db_rows_free() */
	rc = sqlite3_prepare_v2(db->sql, sql, -1, &stmt, NULL);
	if (rc) {
		db_err(db, rc, e);
		pthread_mutex_unlock(&db->lock);
		return -1;
	}
	bind(stmt, values);
	r = xcalloc(1, sizeof(*r));
	r->db = db;
	r->stmt = stmt;
	*ret = r;
	return 0;
}

int db_next(struct db_rows *r, struct err **e)
{
	int rc = sqlite3_step(r->stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_err(r->db, rc, e);
}

void db_rows_free(struct db_rows *r)
{
	if (!r)
		return;
	sqlite3_finalize(r->stmt);
	pthread_mutex_unlock(&r->db->lock);
	free(r);
}

const char *db_text(struct db_rows *r, int column)
{
	const unsigned char *text = sqlite3_column_text(r->stmt, column);

	return text ? (const char *)text : "";
}

int64_t db_int(struct db_rows *r, int column)
{
	return sqlite3_column_int64(r->stmt, column);
}

int db_get_int(struct db *db, const char *sql, const struct db_value *values, int64_t *ret,
	       struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(db, sql, values, &r, e))
		return -1;
	more = db_next(r, e);
	if (more == 1)
		*ret = db_int(r, 0);
	return more < 0 ? -1 : 0;
}

int db_run(struct db *db, const char *sql, const struct db_value *values, int *ret_changes,
	   struct err **e)
{
	AUTO(db_rows) r = NULL;

	if (db_query(db, sql, values, &r, e) || db_next(r, e) < 0)
		return -1;
	if (ret_changes)
		*ret_changes = sqlite3_changes(db->sql);
	return 0;
}

int db_begin(struct db *db, struct db_tx **ret, struct err **e)
{
	struct db_tx *tx;

	/* IMMEDIATE: a transaction that begins as a reader and writes later can fail with
	 * "busy" that no waiting cures. */
	pthread_mutex_lock(&db->lock); /* until db_tx_free() */
	if (db_exec(db, "BEGIN IMMEDIATE", e)) {
		pthread_mutex_unlock(&db->lock);
		return -1;
	}
	tx = xcalloc(1, sizeof(*tx));
	tx->db = db;
	*ret = tx;
	return 0;
}

int db_commit(struct db_tx *tx, struct err **e)
{
	if (db_exec(tx->db, "COMMIT", e))
		return -1;
	tx->is_done = true;
	return 0;
}

void db_tx_free(struct db_tx *tx)
{
	if (!tx)
		return;
	if (!tx->is_done)
		sqlite3_exec(tx->db->sql, "ROLLBACK", NULL, NULL, NULL);
	pthread_mutex_unlock(&tx->db->lock);
	free(tx);
}
