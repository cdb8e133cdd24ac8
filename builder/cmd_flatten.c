/* cmd_flatten.c - `kiln flatten IMAGE -o FILE`: an image becomes an ext4 file, nothing is built
 * or stored as template. */
#include <stdio.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "builder/basedisk.h"
#include "builder/commands.h"

struct flatten {
	const char *out_path;
	unsigned long long free_bytes;
	struct strv limits;
	struct registry_options registry;
	const char *progress;
	bool is_pulled, has_no_store, is_json, is_quiet;
};

static void print_result(const struct flatten *f, const struct base *base,
			 const struct rootfs_stats *stats)
{
	const char *name = base->image ? base->image->name : base->name;
	AUTO(json) o = NULL;
	autofree char *text = NULL;

	if (!f->is_json) {
		if (!f->is_quiet)
			printf("%s %s\n", *base->digest ? base->digest : base->name,
			       f->out_path);
		return;
	}
	o = json_object_new();
	json_put(o, "image", json_from_str(name));
	json_put(o, "digest", json_from_str(base->digest));
	json_put(o, "file", json_from_str(f->out_path));
	json_put(o, "bytes", json_from_int((int64_t)stats->image_bytes));
	json_put(o, "usedBytes", json_from_int((int64_t)stats->used_bytes));
	json_put(o, "inodes", json_from_int((int64_t)stats->n_inodes));
	text = json_text(o);
	puts(text);
}

static int flatten(const struct flatten *f, const char *ref, const struct rootfs_limits *limits,
		   struct err **e)
{
	AUTO(store) store = NULL;
	AUTO(progress) progress = NULL;
	AUTO(base) base = NULL;
	const struct strv no_contexts = STRV_INIT;
	struct image_opts image = { .contexts = &no_contexts,
				    .registry = &f->registry,
				    .is_pulled = f->is_pulled,
				    .has_no_store = f->has_no_store };
	struct base_export_opts o = { .out_path = f->out_path,
				      .free_bytes = f->free_bytes,
				      .limits = limits,
				      .has_no_store = f->has_no_store };
	struct progress_opts po = { .mode = f->progress, .doing = "Flattening" };
	struct rootfs_stats stats;

	if (store_open(NULL, &store, e) || progress_open(&po, &progress, e))
		return -1;
	if (base_resolve(store, ref, &image, progress, &base, e))
		return err_wrap(e, "pulling %s", ref);
	if (base->tmpl)
		return err_set(e, ERR_USAGE,
			       "kiln flatten takes an image, and %s is a template", ref);
	if (base_export(store, base, &o, progress, &stats, e))
		return -1;
	progress_free(take(progress)); /* the display's end comes before the result */
	interrupt_stop_guard(); /* the file has its name: a signal that comes now is too late */
	progress_free(take(progress)); /* the display's end comes before the result */
	print_result(f, base, &stats);
	return 0;
}

static int run(struct flatten *f, const struct strv *operands, struct err **e)
{
	struct rootfs_limits limits;

	if (operands->n != 1)
		return err_set(
			e, ERR_USAGE,
			"kiln flatten takes one IMAGE, not %zu (see kiln flatten --help)",
			operands->n);
	if (!f->out_path)
		return err_set(e, ERR_USAGE,
			       "kiln flatten needs -o FILE: where to write the ext4 file");
	if (f->is_quiet)
		f->progress = "quiet";
	if (rootfs_limits_set_all(&limits, &f->limits, e))
		return -1;
	interrupt_start_guard();
	return flatten(f, operands->at[0], &limits, e);
}

int cmd_flatten(const struct command *self, int argc, char **argv, struct err **e)
{
	struct flatten f = { .progress = "auto", .registry = REGISTRY_OPTIONS_INIT };
	autostrv operands = STRV_INIT;
	const struct option_def defs[] = {
		{ 'o', "output", OPTION_STR, &f.out_path, "FILE", "ext4 file to write" },
		{ 0, "free-space", OPTION_BYTES, &f.free_bytes, "SIZE",
		  "room to leave in the file system (default: none)" },
		{ 0, "pull", OPTION_BOOL, &f.is_pulled, NULL,
		  "ask the registry what the name means now" },
		{ 0, "no-store", OPTION_BOOL, &f.has_no_store, NULL,
		  "do not keep the layers: nothing but FILE is written" },
		{ 0, "limit", OPTION_STRV, &f.limits, "NAME=N",
		  "accept more, or less, from an image (see kiln-flatten(1))" },
		{ 0, "platform", OPTION_STR, &f.registry.platform, "OS/ARCH[/VARIANT]",
		  "which image of several (default linux/amd64)" },
		REGISTRY_OPTION_DEFS(&f.registry),
		{ 0, "progress", OPTION_STR, &f.progress, "MODE",
		  "auto, tty, plain, json or quiet" },
		{ 'q', "quiet", OPTION_BOOL, &f.is_quiet, NULL, "print nothing but errors" },
		{ 0, "json", OPTION_BOOL, &f.is_json, NULL, "print the result as JSON" },
		{ 0 },
	};
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status == 0)
		status = run(&f, &operands, e);
	else if (status > 0)
		status = 0;
	strv_release(&f.limits);
	return status;
}
