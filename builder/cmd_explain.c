/* cmd_explain.c - `kiln explain`: what a build would run now, and which input has changed. */
#include <string.h>
#include <sys/stat.h>

#include "base/interrupt.h"
#include "builder/cache_filter.h"
#include "builder/commands.h"
#include "builder/history.h"
#include "builder/outlook.h"

struct explain {
	struct build_opts o;
	struct strv secrets, ssh, no_cache_filter;
	unsigned long long disk;
	bool is_json;
	struct past past; /* of NAME: what the options point into */
};

static const char notes[] =
	"NAME: the build that was given this name last is looked at again, with the context\n"
	"and the options it had; options given here are added. CONTEXT: a directory, as for\n"
	"kiln build. Without either: the last build of all.\n"
	"\n"
	"Each step is compared with the last build on record. Of the first step that would be\n"
	"run the input that has changed is told; --json tells all of them.";

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What can't be a name, or is none on record and a directory. */
static int is_context(struct store *s, const char *operand, bool *ret, struct err **e)
{
	struct history_ask ask = { .name = operand };
	struct past past = { 0 };
	struct err *no_name = NULL;
	int found;

	*ret = strchr(operand, '/') || streq(operand, ".") || streq(operand, "..") ||
	       streq(operand, "-");
	if (*ret || !is_directory(operand))
		return 0;
	found = history_find(s, &ask, &past, &no_name);
	past_release(&past);
	if (found < 0 && no_name->code != ERR_USAGE) {
		*e = no_name;
		return -1;
	}
	err_drop(&no_name);
	*ret = found != 1;
	return 0;
}

static void add_front(struct strv *v, const struct strv *first)
{
	autostrv all = STRV_INIT;

	strv_copy(&all, first);
	for (size_t i = 0; i < v->n; i++)
		strv_push(&all, v->at[i]);
	strv_copy(v, &all);
}

/* The options of the earlier build; what was given now comes after them, and so wins. */
static int take_past(struct explain *x, struct err **e)
{
	const struct record *r = x->past.record;

	if (!r)
		return err_set(e, ERR_NOTFOUND,
			       "build %s left no record of its inputs: give its CONTEXT",
			       x->past.build.id);
	if (streq(r->context_dir, "-") || (!x->o.dockerfile && streq(r->dockerfile, "-")))
		return err_set(
			e, ERR_USAGE,
			"what build %s was given on standard input is not on record: give "
			"its CONTEXT",
			x->past.build.id);
	if (r->lost_args.n)
		return err_set(e, ERR_USAGE,
			       "the value of --build-arg %s is too long to be on record: give "
			       "CONTEXT and the options again",
			       r->lost_args.at[0]);
	x->o.context_dir = r->context_dir;
	if (!x->o.dockerfile && *r->dockerfile)
		x->o.dockerfile = r->dockerfile;
	if (!x->o.target && *r->target)
		x->o.target = r->target;
	if (!x->o.disk_bytes)
		x->o.disk_bytes = r->disk_bytes;
	add_front(&x->o.build_args, &r->build_args);
	add_front(&x->o.contexts, &r->contexts);
	add_front(&x->o.labels, &r->labels);
	return 0;
}

static int show(struct explain *x, const char *operand, struct err **e)
{
	AUTO(store) store = NULL;
	AUTO(ssh_agents) ssh = NULL;
	struct outlook_opts how = { .is_json = x->is_json };
	bool has_context = false;

	if (ssh_agents_open(&x->ssh, &ssh, e))
		return -1;
	x->o.ssh = ssh;
	if (store_open(NULL, &store, e) || is_context(store, operand, &has_context, e))
		return -1;
	if (has_context) {
		x->o.context_dir = operand;
	} else {
		if (history_open(store, operand, false, &x->past, e) || take_past(x, e))
			return -1;
		how.name = *x->past.build.name ? x->past.build.name : NULL;
	}
	return outlook_show(&x->o, &how, e);
}

static int check(struct explain *x, struct err **e)
{
	x->o.disk_bytes = x->disk;
	return cache_filter_parse(&x->no_cache_filter, x->o.has_no_cache, &x->o.no_cache_filter,
				  e) ||
			       secrets_load(&x->secrets, &x->o.secrets, e)
		       ? -1
		       : 0;
}

static void release(struct explain *x)
{
	past_release(&x->past);
	strv_release(&x->secrets);
	strv_release(&x->ssh);
	strv_release(&x->no_cache_filter);
	strv_release(&x->o.build_args);
	strv_release(&x->o.contexts);
	strv_release(&x->o.labels);
	strv_release(&x->o.no_cache_filter);
	secrets_release(&x->o.secrets);
}

int cmd_explain(const struct command *self, int argc, char **argv, struct err **e)
{
	struct explain x = { .o = { .registry = REGISTRY_OPTIONS_INIT } };
	struct build_opts *o = &x.o;
	struct command with_notes = *self;
	autostrv operands = STRV_INIT;
	const struct option_def defs[] = {
		{ 'f', "file", OPTION_STR, &o->dockerfile, "FILE",
		  "Dockerfile (default CONTEXT/Dockerfile)" },
		{ 0, "build-arg", OPTION_STRV, &o->build_args, "KEY=VALUE", "value of an ARG" },
		{ 0, "build-context", OPTION_STRV, &o->contexts,
		  "NAME=DIR|oci-layout://DIR[:TAG]",
		  "directory to copy from, or what stands in for the image NAME" },
		{ 0, "label", OPTION_STRV, &o->labels, "KEY=VALUE", "label of the result" },
		{ 0, "target", OPTION_STR, &o->target, "STAGE", "stage that would be built" },
		{ 0, "secret", OPTION_STRV, &x.secrets, "id=ID[,src=FILE|,env=VAR]",
		  "as for kiln build; no secret is an input" },
		{ 0, "ssh", OPTION_STRV, &x.ssh, "ID[=SOCKET|KEY]", "likewise" },
		{ 0, "disk", OPTION_BYTES, &x.disk, "SIZE", "size of the root file system" },
		{ 0, "no-cache", OPTION_BOOL, &o->has_no_cache, NULL,
		  "as if every step were run" },
		{ 0, "no-cache-filter", OPTION_STRV, &x.no_cache_filter, "STAGE[,STAGE...]",
		  "as if every step of these stages were run" },
		{ 0, "pull", OPTION_BOOL, &o->is_pulled, NULL,
		  "ask the registry what the image's name means now" },
		REGISTRY_OPTION_DEFS(&o->registry),
		{ 0, "json", OPTION_BOOL, &x.is_json, NULL, "print a JSON object" },
		{ 0 },
	};
	int status;

	with_notes.notes = notes;
	status = options_parse(&with_notes, defs, argc, argv, &operands, NULL, e);
	if (status == 1)
		status = 0;
	else if (!status && !options_check_operands(self, &operands, 0, 1, e) &&
		 !check(&x, e)) {
		interrupt_start_guard();
		status = show(&x, operands.n ? operands.at[0] : "", e);
	} else {
		status = -1;
	}
	release(&x);
	return status;
}
