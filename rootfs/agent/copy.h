/*
 * copy.h - COPY and ADD: from a tree (the build context, a stage, an image) into the root.
 *
 * Semantics: Dockerfile reference and BuildKit's behaviour. A directory as source means its
 * contents; directories merge, files and symlinks replace (unlinked first); symlinks in the
 * destination's path are followed inside the root, those inside a copied tree are neither
 * followed nor merged into. Sources are followed through symlinks, inside their tree.
 * Owner, mode, times and extended attributes come from the source, or from --chown and --chmod;
 * the destination directory itself, when it is made, has mode 0755 and owner 0:0 (or the
 * flags'). --link copies into an empty tree instead and lays that over the root (layover.h).
 * Hard links within one copied directory stay hard links. Which files: selection.h.
 */
#ifndef AGENT_COPY_H
#define AGENT_COPY_H

#include "fail.h"
#include "proto.h"

enum { COPY_DEPTH_MAX = 512 };

/* root: a directory. Runs in a process of its own: memory is allocated, descriptors are used by
 * depth. */
int copy_run(int root, const struct proto_copy *c, struct fail *f);

#endif
