/*
 * image.h - where a build starts: an image in a registry or a layout, `scratch`, or a template,
 * and its base disk.
 *
 * FROM names are looked up in this order: a --build-context of that name; "scratch";
 * "template:NAME"; an image. A name in a registry means what it meant the last time it was
 * looked up, until --pull asks again: an unchanged build needs no network.
 */
#ifndef BUILDER_IMAGE_H
#define BUILDER_IMAGE_H

#include <stdbool.h>

#include "builder/cachekey.h"
#include "builder/chain.h"
#include "builder/progress.h"
#include "oci/oci.h"
#include "snapshot/store.h"

struct image_opts {
	const struct strv *contexts; /* --build-context: "NAME=oci-layout://DIR[:TAG]", ... */
	bool is_pulled;              /* --pull: ask the registry what the name means now */
};

struct base {
	char *name;   /* as FROM says it */
	char *digest; /* "sha256:..." of the manifest; "" for scratch; the id of a template */
	struct oci_config config;
	cachekey key;            /* of its file system */
	struct oci_image *image; /* NULL for scratch and templates */
	struct tmpl *tmpl;       /* of a template, pinned; else NULL */
	bool is_scanned;         /* secret_scan_add_base() knows its disks */
	int blobs_fd;            /* the image's blobs are pinned until it has its disk; -1 */
};

/* ERR_USAGE for a malformed --build-context; else what oci_resolve() and store_template_open()
 * give. */
int base_resolve(struct store *s, const char *name, const struct image_opts *o,
		 struct progress *p, struct base **ret, struct err **e);
void base_free(struct base *b);
DEFINE_AUTO(base)
/* Checks the form of each --build-context, so that a mistake shows before any work. */
int image_check_contexts(const struct strv *contexts, struct err **e);
/* The value of the --build-context of that name. The caller frees. */
int image_context_word(const struct strv *contexts, const char *name, char **ret,
		      struct err **e);
/* Looks for the base disk in the store, or fetches and flattens the image, unless another build
 * is doing that (turn.h; who: we). *ret is the chain of the base. */
int base_disk(struct store *s, struct base *b, const char *who, struct progress *p,
	      struct chain *ret, struct err **e);
/* The first half alone: 1 with *ret, 0 if the disk has to be made. */
int base_disk_find(struct store *s, const struct base *b, struct chain *ret, struct err **e);
/* Layers of a fetched image as rootfs takes them; the array is the caller's, its strings are
 * the image's. */
struct rootfs_layer;
struct rootfs_layer *image_layers(const struct oci_image *image);

#endif
