/* cmd_prune.c - `kiln prune`: what the build cache consists of and what holds it; the rest
 * goes. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "builder/commands.h"
#include "builder/human.h"
#include "snapshot/store_prune.h"

enum { WHAT_MAX_BYTES = 60, COLUMNS = 5 };

static const char notes[] =
	"The cache: layers of steps, base disks and image blobs that no template needs;\n"
	"with --all also cache mounts, the records and logs of builds, and the memory of\n"
	"booted guests (the next build boots one again). Without --keep-storage all of it\n"
	"goes. What a template, a clone or a build that runs needs is never touched, and is\n"
	"not counted.\n"
	"\n"
	"On a terminal it asks first, unless --force.";

struct prune {
	const char *keep_storage;
	struct store_prune_opts opts;
	bool is_all, is_forced, is_json;
};

static const char *status_of(const struct store_item *item, bool is_dry_run)
{
	if (item->is_gone)
		return is_dry_run ? "goes" : "removed";
	return item->kept ? "needed" : "kept";
}

/* ---- for people ---- */

static void add_row(struct strv *cells, const struct store_item *item, bool is_dry_run)
{
	autofree char *size = str_human_bytes(item->bytes);
	autofree char *age = human_age(item->used_sec, time(NULL));
	autostr what = STR_INIT;
	size_t n = strlen(item->what);

	str_add_visible(&what, item->what, n < WHAT_MAX_BYTES ? n : WHAT_MAX_BYTES);
	for (char *c = what.at; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	if (n > WHAT_MAX_BYTES)
		str_add(&what, "...");
	if (item->kept)
		str_addf(&what, " (%s)", item->kept);
	strv_push(cells, store_kind_name(item->kind));
	strv_push(cells, size);
	strv_push(cells, age);
	strv_push(cells, status_of(item, is_dry_run));
	strv_push(cells, what.at);
}

static void print_table(const struct store_usage *u, bool is_dry_run)
{
	static const char *const header[COLUMNS] = { "KIND", "SIZE", "LAST USED", "STATUS",
						     "WHAT" };
	autostrv cells = STRV_INIT;

	if (!u->items.n)
		return;
	for (size_t i = 0; i < COLUMNS; i++)
		strv_push(&cells, header[i]);
	vec_each (item, &u->items)
		add_row(&cells, item, is_dry_run);
	human_table(&cells, COLUMNS, stdout);
}

static void print_total(const struct store_usage *u, bool is_dry_run)
{
	autofree char *gone = str_human_bytes(u->gone_bytes);
	autofree char *kept = str_human_bytes(u->kept_bytes);
	autofree char *needed = str_human_bytes(u->needed_bytes);

	printf("%s: %s; kept: %s; needed: %s\n", is_dry_run ? "would be freed" : "freed", gone,
	       kept, needed);
}

/* ---- for programs ---- */

static struct json *item_json(const struct store_item *item, bool is_dry_run)
{
	struct json *o = json_object_new();

	json_put(o, "kind", json_from_str(store_kind_name(item->kind)));
	json_put(o, "file", json_from_str(item->file));
	json_put(o, "what", json_from_str(item->what));
	json_put(o, "bytes", json_from_int((int64_t)item->bytes));
	json_put(o, "usedSec", json_from_int(item->used_sec));
	json_put(o, "status", json_from_str(status_of(item, is_dry_run)));
	json_put(o, "neededBy", json_from_str(item->kept));
	return o;
}

static void print_json(const struct store_usage *u, bool is_dry_run)
{
	AUTO(json) root = json_object_new();
	struct json *items = json_array_new();
	autofree char *text = NULL;

	vec_each (item, &u->items)
		json_push(items, item_json(item, is_dry_run));
	json_put(root, "items", items);
	json_put(root, "dryRun", json_from_bool(is_dry_run));
	json_put(root, "freedBytes", json_from_int((int64_t)u->gone_bytes));
	json_put(root, "keptBytes", json_from_int((int64_t)u->kept_bytes));
	json_put(root, "neededBytes", json_from_int((int64_t)u->needed_bytes));
	text = json_text_indented(root);
	puts(text);
}

/* ---- the command ---- */

/* 1 yes, 0 no. Whoever can't be asked has said it by starting us. */
static int is_agreed(const struct prune *p, struct store *store, struct err **e)
{
	struct store_prune_opts o = p->opts;
	struct store_usage usage;
	autofree char *size = NULL;
	char answer[16] = "";

	if (p->is_forced || p->is_json || o.is_dry_run || !isatty(STDIN_FILENO) ||
	    !isatty(STDERR_FILENO))
		return 1;
	o.is_dry_run = true;
	if (store_prune(store, &o, &usage, e))
		return -1;
	size = str_human_bytes(usage.gone_bytes);
	print_table(&usage, true);
	store_usage_release(&usage);
	fflush(stdout);
	fprintf(stderr, "Remove %s of build cache? [y/N] ", size);
	if (!fgets(answer, sizeof(answer), stdin))
		return 0;
	return answer[0] == 'y' || answer[0] == 'Y';
}

static int prune(struct prune *p, struct err **e)
{
	AUTO(store) store = NULL;
	struct store_usage usage;
	int agreed;

	if (store_open(NULL, &store, e))
		return -1;
	agreed = is_agreed(p, store, e);
	if (agreed <= 0)
		return agreed;
	if (store_prune(store, &p->opts, &usage, e))
		return err_wrap(e, "pruning the build cache");
	if (p->is_json) {
		print_json(&usage, p->opts.is_dry_run);
	} else {
		print_table(&usage, p->opts.is_dry_run);
		print_total(&usage, p->opts.is_dry_run);
	}
	store_usage_release(&usage);
	return 0;
}

int cmd_prune(const struct command *self, int argc, char **argv, struct err **e)
{
	struct prune p = { 0 };
	struct command with_notes = *self;
	autostrv operands = STRV_INIT;
	const struct option_def defs[] = {
		{ 0, "keep-storage", OPTION_STR, &p.keep_storage, "SIZE",
		  "keep so much of it, what was used last (default: nothing)" },
		{ 'a', "all", OPTION_BOOL, &p.is_all, NULL,
		  "cache mounts, records of builds and booted guests, too" },
		{ 0, "dry-run", OPTION_BOOL, &p.opts.is_dry_run, NULL,
		  "only show what would go" },
		{ 'f', "force", OPTION_BOOL, &p.is_forced, NULL, "don't ask" },
		{ 0, "json", OPTION_BOOL, &p.is_json, NULL, "print the result as JSON" },
		{ 0 },
	};
	unsigned long long keep_bytes = 0;
	int status;

	with_notes.notes = notes;
	status = options_parse(&with_notes, defs, argc, argv, &operands, NULL, e);
	if (status)
		return status < 0 ? -1 : 0;
	if (options_check_operands(self, &operands, 0, 0, e))
		return -1;
	if (p.keep_storage && str_parse_bytes(p.keep_storage, &keep_bytes))
		return err_set(e, ERR_USAGE, "--keep-storage takes a size like 10g, not \"%s\"",
			       p.keep_storage);
	p.opts.keep_bytes = keep_bytes;
	p.opts.kinds = p.is_all ? STORE_ALL : STORE_CACHE;
	interrupt_start_guard();
	return prune(&p, e);
}
