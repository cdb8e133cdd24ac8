/*
 * etcfiles.h - /etc/hosts, /etc/resolv.conf, /etc/hostname, /etc/machine-id: they belong to the
 * sandbox, not to the image.
 *
 * They are files of the initramfs, mounted over the image's entries of those names, whatever
 * these are (a symlink stays untouched below: Debian's resolv.conf often is one). A step of a
 * build gets the mounts in a mount namespace of its own (without machine-id); where the image
 * has no entry, a stub is made for the step and removed after it, and what the step has written
 * to them is undone. A guest that is no build gets
 * them once for all, and its stubs stay. So a new identity is a write to memory, not to the
 * disk.
 */
#ifndef AGENT_ETCFILES_H
#define AGENT_ETCFILES_H

#include <stdbool.h>

#include "fail.h"

/* Makes the files in the directory store, which must not be reachable for the guest. */
int etcfiles_init(const char *store, struct fail *f);
/* New contents; where they are mounted they change at once. */
int etcfiles_set_hostname(const char *hostname, bool has_network, struct fail *f);
int etcfiles_set_machine_id(const char *id, struct fail *f);
/* For the whole guest. What is in the way (an /etc that is a file) is no failure. */
void etcfiles_mount(void);
/* Around a step: stubs. Several steps may overlap. */
void etcfiles_begin_step(void);
void etcfiles_end_step(void);
/* In the child that becomes the step: a private mount namespace with the files mounted. */
int etcfiles_enter(struct fail *f);

#endif
