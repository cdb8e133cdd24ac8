/*
 * db.h - the few things of SQLite that the store uses; SQLite itself stays inside db.c.
 *
 * Mode: WAL with synchronous=FULL: a commit that returned is on the disk, even when the
 * machine loses power right after it. Foreign keys are enforced. A statement waits up to
 * DB_BUSY_MS for other processes. Values: parameters are text or integers, in the order of
 * the '?' in the statement.
 *
 * Threads: any, one at a time: one that has rows or a transaction open keeps the others
 * waiting.
 *
 * Errors: ERR_SYS (full disk, no permission, busy for too long), ERR_CORRUPT (not a database,
 * damaged). Transactions don't nest.
 */
#ifndef SNAPSHOT_DB_H
#define SNAPSHOT_DB_H

#include <stdint.h>

#include "base/err.h"

enum { DB_BUSY_MS = 20000 };

struct db;
int db_open(const char *path, struct db **ret, struct err **e);
void db_free(struct db *db);
DEFINE_AUTO(db)

struct db_value {
	enum { DB_END, DB_TEXT, DB_INT } kind;
	const char *text; /* NULL is SQL's NULL */
	int64_t n;
};
#define DB_T(s)                              \
	(struct db_value)                    \
	{                                    \
		.kind = DB_TEXT, .text = (s) \
	}
#define DB_I(i)                                   \
	(struct db_value)                         \
	{                                         \
		.kind = DB_INT, .n = (int64_t)(i) \
	}
/* DB_VALUES(DB_T(name), DB_I(now)) */
#define DB_VALUES(...)                 \
	(const struct db_value[])      \
	{                              \
		__VA_ARGS__,           \
		{                      \
			.kind = DB_END \
		}                      \
	}

/* Runs statements that give no rows and take no parameters. */
int db_exec(struct db *db, const char *sql, struct err **e);
/* Runs one statement that gives no rows. *ret_changes (may be NULL): rows it touched. */
int db_run(struct db *db, const char *sql, const struct db_value *values, int *ret_changes,
	   struct err **e);

/* Rows of a SELECT, one after the other; values NULL: no parameters. */
struct db_rows;
int db_query(struct db *db, const char *sql, const struct db_value *values,
	     struct db_rows **ret, struct err **e);
int db_next(struct db_rows *r, struct err **e); /* 1 row, 0 end */
void db_rows_free(struct db_rows *r);
DEFINE_AUTO(db_rows)
const char *db_text(struct db_rows *r, int column); /* "" for NULL; valid until db_next() */
int64_t db_int(struct db_rows *r, int column);
/* The integer in the first column of the only row. */
int db_get_int(struct db *db, const char *sql, const struct db_value *values, int64_t *ret,
	       struct err **e);

/* A write transaction (it locks other writers out from the start); freed without commit, it is
 * rolled back. */
struct db_tx;
int db_begin(struct db *db, struct db_tx **ret, struct err **e);
int db_commit(struct db_tx *tx, struct err **e);
void db_tx_free(struct db_tx *tx);
DEFINE_AUTO(db_tx)

#endif
