/* Opening: the home directory, its folders, the database's schema. */
#include "snapshot/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/store_internal.h"

enum { SCHEMA_VERSION = 1 };

static const char schema[] =
	"CREATE TABLE disks("
	"  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, file TEXT NOT NULL UNIQUE,"
	"  key TEXT NOT NULL, parent TEXT REFERENCES disks(id), fs_bytes INTEGER NOT NULL,"
	"  what TEXT NOT NULL, created_sec INTEGER NOT NULL);"
	"CREATE INDEX disks_by_key ON disks(key);"
	"CREATE INDEX disks_by_parent ON disks(parent);"
	"CREATE TABLE templates("
	"  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL,"
	"  created_sec INTEGER NOT NULL, cpus INTEGER NOT NULL, memory_mib INTEGER NOT NULL,"
	"  disk_bytes INTEGER NOT NULL, memory_stored_bytes INTEGER NOT NULL,"
	"  disk_stored_bytes INTEGER NOT NULL, base_name TEXT NOT NULL, ready TEXT NOT NULL);"
	"CREATE INDEX templates_by_key ON templates(key);"
	"CREATE TABLE template_disks("
	"  template TEXT NOT NULL REFERENCES templates(id) ON DELETE CASCADE,"
	"  place INTEGER NOT NULL, disk TEXT NOT NULL REFERENCES disks(id),"
	"  PRIMARY KEY(template, place)) WITHOUT ROWID;"
	"CREATE INDEX template_disks_by_disk ON template_disks(disk);"
	"CREATE TABLE names("
	"  name TEXT PRIMARY KEY, template TEXT NOT NULL REFERENCES templates(id)) WITHOUT "
	"ROWID;"
	"CREATE INDEX names_by_template ON names(template);"
	"CREATE TABLE refs("
	"  name TEXT PRIMARY KEY, digest TEXT NOT NULL, seen_sec INTEGER NOT NULL) WITHOUT "
	"ROWID;"
	"CREATE TABLE builds("
	"  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT, context TEXT NOT NULL,"
	"  status TEXT NOT NULL, template TEXT, started_sec INTEGER NOT NULL,"
	"  ended_sec INTEGER);"
	"CREATE INDEX builds_by_name ON builds(name);";

/* Tables that earlier builds of this version did not have. */
static const char additions[] =
	"CREATE TABLE IF NOT EXISTS memos("
	"  key TEXT PRIMARY KEY, value TEXT NOT NULL, made_sec INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS mounts("
	"  key TEXT PRIMARY KEY, id TEXT NOT NULL, used_sec INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS build_disks("
	"  build TEXT NOT NULL REFERENCES builds(id) ON DELETE CASCADE,"
	"  disk TEXT NOT NULL REFERENCES disks(id) ON DELETE CASCADE,"
	"  PRIMARY KEY(build, disk)) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS build_disks_by_disk ON build_disks(disk);";

static int find_home(const char *home, char **ret, struct err **e)
{
	const char *kiln = getenv("KILN_HOME"), *xdg = getenv("XDG_DATA_HOME"),
		   *user = getenv("HOME");

	if (home)
		*ret = xstrdup(home);
	else if (kiln && *kiln)
		*ret = xstrdup(kiln);
	else if (xdg && *xdg == '/') /* the XDG specification has relative ones ignored */
		*ret = xasprintf("%s/kiln", xdg);
	else if (user && *user)
		*ret = xasprintf("%s/.local/share/kiln", user);
	else
		return err_set(e, ERR_USAGE,
			       "neither KILN_HOME nor HOME is set: kiln has no place to keep "
			       "templates");
	return 0;
}

static int home_err(const char *home, int sys, struct err **e)
{
	bool is_denied = sys == EACCES || sys == EPERM || sys == EROFS;

	return err_set_(e, ERR_SYS, sys, __FILE__, __LINE__,
			"%s, where kiln keeps its templates, %s (KILN_HOME names another "
			"place)",
			home, is_denied ? "is not writable" : "cannot be made");
}

static int make_home(struct store *s, struct err **e)
{
	struct err *why = NULL;
	char *real;

	if (fs_mkdirs(s->home, 0700, &why)) {
		home_err(s->home, why->sys, e);
		err_free(why);
		return -1;
	}
	real = realpath(s->home, NULL); /* whoever gets a path from us may change directory */
	if (!real)
		return home_err(s->home, errno, e);
	free(s->home);
	s->home = real;
	if (faccessat(AT_FDCWD, s->home, W_OK | X_OK, AT_EACCESS))
		return home_err(s->home, errno, e);
	return 0;
}

static int make_folders(struct store *s, struct err **e)
{
	autofree char *blobs = NULL;
	const struct {
		const char *name;
		char **to;
	} folders[] = {
		{ "blobs", &blobs },
		{ "blobs/sha256", &s->blob_dir },
		{ "cache", &s->cache_dir },
		{ "tmp", &s->tmp_dir },
		{ "locks", &s->lock_dir },
		{ "mounts", &s->mount_dir },
		{ "disks", &s->folder[STORE_DISKS] },
		{ "templates", &s->folder[STORE_TEMPLATES] },
		{ "builds", &s->folder[STORE_BUILDS] },
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		*folders[i].to = xasprintf("%s/%s", s->home, folders[i].name);
		if (mkdir(*folders[i].to, 0700) && errno != EEXIST)
			return home_err(s->home, errno, e);
	}
	return 0;
}

static int make_schema(struct store *s, struct err **e)
{
	autofree char *version = xasprintf("PRAGMA user_version = %d", SCHEMA_VERSION);
	AUTO(db_tx) tx = NULL;

	if (db_exec(s->db, "PRAGMA journal_mode = WAL", e) || db_begin(s->db, &tx, e) ||
	    db_exec(s->db, schema, e) || db_exec(s->db, version, e))
		return -1;
	return db_commit(tx, e);
}

static int check_schema(struct store *s, struct err **e)
{
	autoclose int lock = -1;
	int64_t version = 0;

	if (db_get_int(s->db, "PRAGMA user_version", NULL, &version, e))
		return -1;
	if (version == 0) {
		/* New; or another process is about to make it, then it's there when we have
		 * the lock. */
		if (store_lock(s, LOCK_EX, &lock, e) ||
		    db_get_int(s->db, "PRAGMA user_version", NULL, &version, e))
			return -1;
		if (version == 0)
			return make_schema(s, e) ? -1 : db_exec(s->db, additions, e);
	}
	if (version != SCHEMA_VERSION)
		return err_set(e, ERR_CORRUPT,
			       "the store was made by another version of kiln (schema %" PRId64
			       "; this one reads %d): use that version, or another KILN_HOME",
			       version, SCHEMA_VERSION);
	return db_exec(s->db, additions, e);
}

int store_open(const char *home, struct store **ret, struct err **e)
{
	AUTO(store) s = xcalloc(1, sizeof(*s));
	autofree char *db_path = NULL;

	s->build_fd = -1;
	if (find_home(home, &s->home, e) || make_home(s, e) || make_folders(s, e))
		return -1;
	db_path = xasprintf("%s/kiln.db", s->home);
	if (db_open(db_path, &s->db, e) || check_schema(s, e))
		return err_wrap(e, "opening the store in %s", s->home);
	store_collect(s);
	reserve_keep(s);
	*ret = take(s);
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	if (s->build_fd >= 0)
		close(s->build_fd);
	db_free(s->db);
	for (int i = 0; i < STORE_FOLDERS; i++)
		free(s->folder[i]);
	free(s->blob_dir);
	free(s->cache_dir);
	free(s->tmp_dir);
	free(s->lock_dir);
	free(s->mount_dir);
	free(s->home);
	free(s);
}

const char *store_home(const struct store *s)
{
	return s->home;
}

const char *store_blob_dir(const struct store *s)
{
	return s->blob_dir;
}

const char *store_cache_dir(const struct store *s)
{
	return s->cache_dir;
}

char *store_path(const struct store *s, enum store_folder folder, const char *name)
{
	return xasprintf("%s/%s", s->folder[folder], name);
}

void new_id(char ret[STORE_ID_MAX])
{
	unsigned char bytes[ID_HEX / 2];

	fs_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

int store_ref_get(struct store *s, const char *name, char **ret_digest, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db, "SELECT digest FROM refs WHERE name = ?", DB_VALUES(DB_T(name)), &r,
		     e))
		return -1;
	more = db_next(r, e);
	if (more == 1)
		*ret_digest = xstrdup(db_text(r, 0));
	return more;
}

int store_ref_put(struct store *s, const char *name, const char *digest, struct err **e)
{
	autofree char *known = NULL;
	int found = store_ref_get(s, name, &known, e);

	if (found < 0)
		return -1;
	if (found && streq(known, digest))
		return 0; /* a cached build writes nothing */
	return db_run(s->db,
		      "INSERT OR REPLACE INTO refs(name, digest, seen_sec) VALUES(?,?,?)",
		      DB_VALUES(DB_T(name), DB_T(digest), DB_I(time(NULL))), NULL, e);
}
