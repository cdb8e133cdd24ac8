/*
 * images.h - the images that a build names, each of them resolved once, and several at a time:
 * what a registry costs is round trips, and they are no others' business.
 *
 * Way:     images_expect() is told what will be needed and begins at once, in threads. Whoever
 *          needs an image gets it with images_get(), which waits for it, or does it itself.
 * Failure: is told when somebody asks for the image, so that it is the one of the first line at
 *          fault. Then the others are stopped, and nothing more is begun.
 * Threads: the calls come from one.
 */
#ifndef BUILDER_IMAGES_H
#define BUILDER_IMAGES_H

#include "builder/image.h"

enum { IMAGES_AT_ONCE = 8 };

struct images;
/* Borrows all, while it lives. */
struct images *images_new(struct store *s, const struct image_opts *o, struct progress *p);
/* Stops what still runs. */
void images_free(struct images *all);
DEFINE_AUTO(images)

void images_expect(struct images *all, const struct strv *names);
/* As base_resolve(): *ret is the caller's, and shared by all who ask for the name. */
int images_get(struct images *all, const char *name, struct base **ret, struct err **e);
#endif
