/*
 * cachekey.h - what makes a step's result reusable, as a SHA-256.
 *
 * A key holds everything the file system after the step depends on: the key below it (at the
 * bottom the base's digest), the resolved instruction, ENV, ARG values, USER, WORKDIR and SHELL
 * in force, and the content of what is copied or mounted. It never holds CPUs, memory, disk
 * size, times, proxies, secrets, what is in cache mounts, or what the kernel, the agent or kiln
 * are.
 */
#ifndef BUILDER_CACHEKEY_H
#define BUILDER_CACHEKEY_H

#include "base/sha256.h"
#include "builder/plan.h"

typedef char cachekey[SHA256_HEX + 1];

/* Of a base disk: `kind` "image", "template", "scratch"; digest of the image, or the key of the
 * template's disk. */
void cachekey_base(const char *kind, const char *digest, cachekey ret);
/* Of the file system after step, on top of one with key `below`. content: digest of all that it
 * reads, "" for nothing. */
void cachekey_step(const struct step *step, const char *below, const char *content,
		   cachekey ret);
/* Of the question "what is in these sources of a tree with that key?" */
struct agent_selection;
void cachekey_selection(const char *tree_key, const struct agent_selection *s, cachekey ret);
/* Of the disk of a cache mount. from_key: of the tree it begins with, "" for none. */
void cachekey_mount(const char *id, const char *from_key, cachekey ret);

#endif
