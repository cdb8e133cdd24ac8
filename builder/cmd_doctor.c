/* cmd_doctor.c - `kiln doctor`: is everything here that kiln needs? */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "builder/agent_image.h"
#include "builder/commands.h"
#include "oci/oci.h"
#include "snapshot/guest.h"
#include "snapshot/store.h"
#include "snapshot/vm.h"

enum { DISK_WARN_GIB = 5 };

enum verdict { OK, WARN, FAIL };

static const char *const verdict_names[] = { "ok", "warn", "fail" };

struct doctor {
	struct store *store; /* NULL if it can't be opened */
	const char *kernel, *registry;
	const struct strv *images;
	bool is_json;
	struct json *checks;
	unsigned n_failed;
};

/* One line for one thing looked at; takes text. */
static void report(struct doctor *d, const char *what, enum verdict v, char *take_text)
{
	autofree char *text = take_text;
	autostr visible = STR_INIT;
	struct json *o;

	d->n_failed += v == FAIL;
	if (!d->is_json) {
		str_add_visible(&visible, text, strlen(text));
		printf("%-4s  %-13s %s\n", verdict_names[v], what, visible.at);
		fflush(stdout); /* the next check may take a second */
		return;
	}
	o = json_object_new();
	json_put(o, "check", json_from_str(what));
	json_put(o, "result", json_from_str(verdict_names[v]));
	json_put(o, "text", json_from_str(text));
	json_push(d->checks, o);
}

static void report_err(struct doctor *d, const char *what, enum verdict v, struct err **take_e)
{
	report(d, what, v, err_text(*take_e));
	err_drop(take_e);
}

/* ------------------------------------------------------------------ the checks */

/* Opening it makes and locks things already; this writes and syncs a file on it. */
static void check_store(struct doctor *d)
{
	struct err *why = NULL;
	AUTO(workdir) w = NULL;
	autofree char *probe = NULL;

	if (store_open(NULL, &d->store, &why)) {
		report_err(d, "store", FAIL, &why);
		return;
	}
	if (workdir_new(d->store, &w, &why)) {
		report_err(d, "store", FAIL, &why);
		return;
	}
	probe = workdir_path(w, "probe");
	if (fs_write_atomic(probe, "kiln", 4, 0600, &why)) {
		report_err(d, "store", FAIL, &why);
		return;
	}
	report(d, "store", OK, xasprintf("%s is writable", store_home(d->store)));
}

static void check_space(struct doctor *d)
{
	struct err *why = NULL;
	uint64_t bytes = 0;
	autofree char *human = NULL;

	if (fs_free_bytes(store_home(d->store), &bytes, &why)) {
		report_err(d, "disk space", FAIL, &why);
		return;
	}
	human = str_human_bytes(bytes);
	if (bytes < (uint64_t)DISK_WARN_GIB << 30)
		report(d, "disk space", WARN,
		       xasprintf("%s free in %s: an image and its templates may need more "
				 "than that",
				 human, store_home(d->store)));
	else
		report(d, "disk space", OK,
		       xasprintf("%s free in %s", human, store_home(d->store)));
}

static void check_qemu(struct doctor *d, const char *cache_dir)
{
	struct err *why = NULL;
	autofree char *version = NULL;

	if (vm_version(cache_dir, &version, &why))
		report_err(d, "qemu", FAIL, &why);
	else
		report(d, "qemu", OK, take(version));
}

/* Without KVM everything works, only slower: no failure. */
static void check_kvm(struct doctor *d, const char *cache_dir)
{
	struct err *why = NULL;
	const char *accel = "tcg";
	autofree char *text = NULL;

	if (vm_accel_probe(cache_dir, &accel, &text, &why)) {
		report_err(d, "kvm", FAIL, &why);
		return;
	}
	if (streq(accel, "kvm"))
		report(d, "kvm", OK, take(text));
	else
		report(d, "kvm", WARN,
		       xasprintf("%s; guests run emulated, about 16 times slower", text));
}

static void check_kernel(struct doctor *d, const char *cache_dir)
{
	struct err *why = NULL;
	AUTO(guest) guest = NULL;

	if (guest_find(d->kernel, agent_image, (size_t)(agent_image_end - agent_image),
		       cache_dir, &guest, &why))
		report_err(d, "guest kernel", FAIL, &why);
	else
		report(d, "guest kernel", OK,
		       xasprintf("%s (%s)", guest->release, guest->kernel));
}

/* Any answer from a registry, even "no such image", shows that it can be reached. */
static void check_registry(struct doctor *d)
{
	struct oci_opts o = { .is_kept = true, .blob_dir = store_blob_dir(d->store) };
	autofree char *ref = xasprintf("%s/kiln/doctor:probe", d->registry);
	struct err *why = NULL;
	AUTO(oci_image) image = NULL;

	if (oci_resolve(ref, &o, &image, &why) && why->code != ERR_NOTFOUND &&
	    why->code != ERR_AUTH) {
		report_err(d, "registry", FAIL, &why);
		return;
	}
	err_drop(&why);
	report(d, "registry", OK, xasprintf("%s answers", d->registry));
}

static void check_image(struct doctor *d, const char *ref)
{
	struct oci_opts o = { .is_kept = true, .blob_dir = store_blob_dir(d->store) };
	struct err *why = NULL;
	AUTO(oci_image) image = NULL;
	autofree char *human = NULL;
	uint64_t bytes = 0;

	if (oci_resolve(ref, &o, &image, &why)) {
		report_err(d, "image", FAIL, &why);
		return;
	}
	vec_each (layer, &image->layers)
		bytes += (uint64_t)layer->size_bytes;
	human = str_human_bytes(bytes);
	report(d, "image", OK,
	       xasprintf("%s is %s: %zu layers, %s", image->name, image->digest,
			 image->layers.n, human));
}

static void check_all(struct doctor *d)
{
	const char *cache_dir;

	check_store(d);
	if (!d->store)
		return; /* answers are cached there, images are resolved into it */
	cache_dir = store_cache_dir(d->store);
	check_space(d);
	check_qemu(d, cache_dir);
	check_kvm(d, cache_dir);
	check_kernel(d, cache_dir);
	if (d->registry)
		check_registry(d);
	for (size_t i = 0; i < d->images->n; i++)
		check_image(d, d->images->at[i]);
}

static void print_json(const struct doctor *d)
{
	AUTO(json) root = json_object_new();
	autofree char *text = NULL;

	json_put(root, "ok", json_from_bool(!d->n_failed));
	json_put(root, "checks", json_clone(d->checks));
	text = json_text_indented(root);
	puts(text);
}

int cmd_doctor(const struct command *self, int argc, char **argv, struct err **e)
{
	AUTO(json) checks = json_array_new();
	AUTO(store) store = NULL;
	autostrv operands = STRV_INIT;
	struct doctor d = { .images = &operands, .checks = checks };
	const struct option_def defs[] = {
		{ 0, "kernel", OPTION_STR, &d.kernel, "FILE",
		  "guest kernel to check (default: the one kiln was set up with)" },
		{ 0, "registry", OPTION_STR, &d.registry, "HOST[:PORT]",
		  "check that this registry can be reached" },
		{ 0, "json", OPTION_BOOL, &d.is_json, NULL, "print a JSON object" },
		{ 0 },
	};
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	interrupt_start_guard();
	check_all(&d);
	store = d.store;
	if (d.is_json)
		print_json(&d);
	return d.n_failed ? 1 : 0;
}
