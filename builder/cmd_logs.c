/* cmd_logs.c - `kiln logs NAME`: what the build printed, then what the start command printed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "builder/commands.h"
#include "snapshot/store.h"

enum { JSON_MAX_BYTES = 4 << 20 }; /* of each log's end */

struct logs {
	bool is_build_only, is_start_only, is_last, is_json;
	/* What was found; NULL: not asked for, or there is none. */
	char *build_path, *start_path;
	char *id;     /* the template's */
	char *status; /* of the build, if the log comes from its record */
};

static const char notes[] =
	"The logs are kept with the template. If there is no template of that name, the log "
	"of\n"
	"its newest build is shown: of one that failed, or is still running. A build's own "
	"id,\n"
	"which a failed build tells, shows the log of that build.";

static int find_record(struct logs *l, struct store *store, const char *name, struct err **e)
{
	int found = store_build_log(store, name, &l->build_path, &l->status, e);

	if (found == 0)
		return err_set(e, ERR_NOTFOUND, "no build of '%s' is on record", name);
	return found < 0 ? -1 : 0;
}

static int find_template(struct logs *l, struct store *store, const char *name, struct err **e)
{
	AUTO(tmpl) t = NULL;

	if (store_template_open(store, name, &t, e))
		return -1;
	l->id = xstrdup(t->id);
	if (!l->is_start_only)
		l->build_path = tmpl_path(t, "build.log");
	if (!l->is_build_only)
		l->start_path = tmpl_path(t, "start.log");
	if (l->is_start_only && !fs_exists(l->start_path))
		return err_set(e, ERR_NOTFOUND,
			       "template '%s' has no start log: it was built without a start "
			       "command",
			       name);
	return 0;
}

/* The template's logs, or else the newest build's: its own error is worth less than "no
 * template 'nmae' (did you mean 'name'?)". */
static int find_logs(struct logs *l, struct store *store, const char *name, struct err **e)
{
	struct err *why = NULL;

	if (l->is_last)
		return find_record(l, store, name, e);
	if (find_template(l, store, name, &why) == 0)
		return 0;
	if (why->code == ERR_NOTFOUND && !l->is_start_only) {
		struct err *no_record = NULL;

		if (find_record(l, store, name, &no_record) == 0) {
			err_free(why);
			return 0;
		}
		err_drop(&no_record);
	}
	*e = why;
	return -1;
}

/* ------------------------------------------------------------------ printing */

/* A guest wrote this: on a terminal, control bytes are shown, not obeyed. */
static void print_bytes(const char *bytes, size_t n, bool is_terminal)
{
	autostr visible = STR_INIT;

	if (!is_terminal) {
		fwrite(bytes, 1, n, stdout);
		return;
	}
	str_add_visible(&visible, bytes, n);
	fwrite(visible.at, 1, visible.len, stdout);
}

static int print_file(const char *path, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_terminal = isatty(STDOUT_FILENO);
	char buf[65536];
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "opening %s", path);
	while ((n = read(fd, buf, sizeof(buf))) > 0 && !ferror(stdout))
		print_bytes(buf, (size_t)n, is_terminal);
	return n < 0 ? err_sys(e, "reading %s", path) : 0;
}

static int print_text(const struct logs *l, struct err **e)
{
	bool has_build = l->build_path && fs_exists(l->build_path);
	bool has_start = l->start_path && fs_exists(l->start_path);
	bool has_titles = has_build && has_start;

	if (has_titles)
		puts("==> build <==");
	if (has_build && print_file(l->build_path, e))
		return -1;
	if (has_titles)
		puts("\n==> start <==");
	return has_start ? print_file(l->start_path, e) : 0;
}

/* The end of the log, at most JSON_MAX_BYTES of it; null if there is none. */
static int put_log(struct json *o, const char *key, const char *path, struct err **e)
{
	autoclose int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	autostr text = STR_INIT;
	struct stat st;

	if (fd < 0) {
		json_put(o, key, json_null_new());
		return 0;
	}
	if (fstat(fd, &st))
		return err_sys(e, "reading %s", path);
	if (st.st_size > JSON_MAX_BYTES && lseek(fd, st.st_size - JSON_MAX_BYTES, SEEK_SET) < 0)
		return err_sys(e, "reading %s", path);
	/* It may be growing while we read. */
	if (fs_read_fd(fd, path, 2 * (size_t)JSON_MAX_BYTES, &text, e))
		return -1;
	json_put(o, key, json_from_strn(text.at, text.len));
	return 0;
}

static int print_json(const struct logs *l, const char *name, struct err **e)
{
	AUTO(json) o = json_object_new();
	autofree char *text = NULL;

	json_put(o, "name", json_from_str(name));
	json_put(o, "id", json_from_str(l->id));
	if (l->status)
		json_put(o, "status", json_from_str(l->status));
	if (put_log(o, "build", l->build_path, e) || put_log(o, "start", l->start_path, e))
		return -1;
	text = json_text(o);
	puts(text);
	return 0;
}

static int show(struct logs *l, const char *name, struct err **e)
{
	AUTO(store) store = NULL;

	if (l->is_build_only && l->is_start_only)
		return err_set(e, ERR_USAGE,
			       "--build and --start exclude each other: give one");
	if (l->is_start_only && l->is_last)
		return err_set(
			e, ERR_USAGE,
			"--last shows a build's log, which --start leaves out: give one");
	if (store_open(NULL, &store, e) || find_logs(l, store, name, e))
		return -1;
	return l->is_json ? print_json(l, name, e) : print_text(l, e);
}

int cmd_logs(const struct command *self, int argc, char **argv, struct err **e)
{
	struct logs l = { 0 };
	struct command with_notes = *self;
	autostrv operands = STRV_INIT;
	const struct option_def defs[] = {
		{ 0, "build", OPTION_BOOL, &l.is_build_only, NULL, "only the build log" },
		{ 0, "start", OPTION_BOOL, &l.is_start_only, NULL,
		  "only what the start command printed until it was ready" },
		{ 0, "last", OPTION_BOOL, &l.is_last, NULL,
		  "the log of the newest build of that name, also if it failed" },
		{ 0, "json", OPTION_BOOL, &l.is_json, NULL,
		  "print a JSON object (of long logs, the last 4 MiB)" },
		{ 0 },
	};
	int status;

	with_notes.notes = notes;
	status = options_parse(&with_notes, defs, argc, argv, &operands, NULL, e);
	if (status)
		return status < 0 ? -1 : 0;
	if (options_check_operands(self, &operands, 1, 1, e))
		return -1;
	interrupt_start_guard();
	status = show(&l, operands.at[0], e);
	free(l.build_path);
	free(l.start_path);
	free(l.id);
	free(l.status);
	return status;
}
