/*
 * image.h - what FROM names: an image in a registry or a layout, `scratch`, or a template.
 *
 * FROM names are looked up in this order: a --build-context of that name; "scratch";
 * "template:NAME"; an image. A name in a registry means what it meant the last time it was
 * looked up, until --pull asks again: an unchanged build needs no network.
 */
#ifndef BUILDER_IMAGE_H
#define BUILDER_IMAGE_H

#include <stdbool.h>

#include "base/cancel.h"
#include "builder/cachekey.h"
#include "builder/registry_options.h"
#include "oci/oci.h"
#include "progress/progress.h"
#include "snapshot/store.h"

struct image_opts {
	const struct strv *contexts; /* --build-context: "NAME=oci-layout://DIR[:TAG]", ... */
	const struct strv *stages;   /* names that one may have meant; NULL: none */
	bool is_pulled;              /* --pull: ask the registry what the name means now */
	bool has_no_store;           /* --no-store: write nothing into the store */
	struct cancel *cancel;       /* or NULL */
	bool takes_any_platform;     /* what is for another one is the build checks' business */
	const struct registry_options *registry; /* what argv holds; outlives the base */
};

struct base {
	char *name;   /* as FROM says it */
	char *digest; /* "sha256:..." of the manifest; "" for scratch; the id of a template */
	struct oci_config config;
	cachekey key;                     /* of its file system */
	struct oci_image *image;          /* NULL for scratch and templates */
	struct tmpl *tmpl;                /* of a template, pinned; else NULL */
	struct registry_options registry; /* with which its layers are fetched */
	bool is_scanned;                  /* secret_scan_add_base() knows its disks */
	bool is_pulled;                   /* at the moment, by a thread of graph.h */
	int blobs_fd;       /* the image's blobs are pinned until it has its disk; -1 */
	unsigned n_sharers; /* beside the one who made it */
};

/* ERR_USAGE for a malformed --build-context; else what oci_resolve() and store_template_open()
 * give, with a suggestion if a stage, a --build-context or a well-known image is called nearly
 * so. */
int base_resolve(struct store *s, const char *name, const struct image_opts *o,
		 struct progress *p, struct base **ret, struct err **e);
/* One more who will call base_free(): the last one frees it. One thread at a time. */
struct base *base_share(struct base *b);
void base_free(struct base *b);
DEFINE_AUTO(base)
/* Checks the form of each --build-context, so that a mistake shows before any work. */
int image_check_contexts(const struct strv *contexts, struct err **e);
/* The value of the --build-context of that name. The caller frees. */
int image_context_word(const struct strv *contexts, const char *name, char **ret,
		       struct err **e);
#endif
