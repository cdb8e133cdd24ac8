/* cmd_rm.c - `kiln rm NAME...`: takes names away; the build cache stays, unless --cache. */
#include <stdint.h>
#include <stdio.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "builder/commands.h"
#include "snapshot/store_prune.h"

struct rm {
	bool is_forced, is_json, is_cache;
	struct json *removed; /* for --json */
	/* What could not be removed; the others are removed all the same. */
	struct str failures;
	enum err_code code;
};

static const char notes[] =
	"A template goes with its last name. The disks it was built on stay as build cache, "
	"so\n"
	"that building it again is quick; --cache removes what no template needs, as 'kiln "
	"prune'\n"
	"does.\n"
	"While a clone of the template runs, its files stay; they go when the clone has ended.";

static void print_removed(struct rm *rm, const char *name, uint64_t freed_bytes)
{
	autofree char *human = str_human_bytes(freed_bytes);
	struct json *o;

	if (!rm->is_json) {
		printf("%s (%s freed)\n", name, human);
		return;
	}
	o = json_object_new();
	json_put(o, "name", json_from_str(name));
	json_put(o, "freedBytes", json_from_int((int64_t)freed_bytes));
	json_push(rm->removed, o);
}

static void remove_name(struct rm *rm, struct store *store, const char *name)
{
	AUTO(err) why = NULL;
	autofree char *text = NULL;
	uint64_t freed_bytes = 0;

	if (store_rm(store, name, &freed_bytes, &why) == 0) {
		print_removed(rm, name, freed_bytes);
		return;
	}
	if (why->code == ERR_NOTFOUND && rm->is_forced)
		return;
	text = err_text(why);
	str_addf(&rm->failures, "%s%s", rm->failures.len ? "; " : "", text);
	if (!rm->code)
		rm->code = why->code;
}

static int prune(struct store *store, uint64_t *ret_freed_bytes, const struct rm *rm,
		 struct err **e)
{
	struct store_usage usage;
	autofree char *human = NULL;

	if (store_prune(store, &(struct store_prune_opts){ 0 }, &usage, e))
		return err_wrap(e, "removing the build cache");
	*ret_freed_bytes = usage.gone_bytes;
	store_usage_release(&usage);
	human = str_human_bytes(*ret_freed_bytes);
	if (!rm->is_json)
		printf("build cache (%s freed)\n", human);
	return 0;
}

static int remove_all(struct rm *rm, const struct strv *names, struct err **e)
{
	AUTO(store) store = NULL;
	AUTO(json) root = json_object_new();
	uint64_t cache_bytes = 0;

	if (store_open(NULL, &store, e))
		return -1;
	json_put(root, "removed", rm->removed = json_array_new());
	for (size_t i = 0; i < names->n; i++)
		remove_name(rm, store, names->at[i]);
	if (rm->is_cache) {
		if (prune(store, &cache_bytes, rm, e))
			return -1;
		json_put(root, "cacheFreedBytes", json_from_int((int64_t)cache_bytes));
	}
	if (rm->is_json) {
		autofree char *text = json_text(root);

		puts(text);
	}
	if (rm->failures.len)
		return err_set(e, rm->code, "%s", rm->failures.at);
	return 0;
}

int cmd_rm(const struct command *self, int argc, char **argv, struct err **e)
{
	struct rm rm = { .failures = STR_INIT };
	struct command with_notes = *self;
	autostrv operands = STRV_INIT;
	const struct option_def defs[] = {
		{ 'f', "force", OPTION_BOOL, &rm.is_forced, NULL,
		  "say nothing of names that don't exist" },
		{ 0, "cache", OPTION_BOOL, &rm.is_cache, NULL,
		  "remove what no template needs of the build cache, too" },
		{ 0, "json", OPTION_BOOL, &rm.is_json, NULL, "print what was removed as JSON" },
		{ 0 },
	};
	int status;

	with_notes.notes = notes;
	status = options_parse(&with_notes, defs, argc, argv, &operands, NULL, e);
	if (status)
		return status < 0 ? -1 : 0;
	if (options_check_operands(self, &operands, rm.is_cache || rm.is_forced ? 0 : 1,
				   SIZE_MAX, e))
		return -1;
	interrupt_start_guard();
	status = remove_all(&rm, &operands, e);
	str_release(&rm.failures);
	return status;
}
