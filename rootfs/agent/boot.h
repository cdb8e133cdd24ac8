/*
 * boot.h - from the kernel's start of /init in the initramfs to the guest's own root.
 *
 *   boot_begin()   /proc, /sys, /dev of the initramfs; modules of /modules in the order of
 *                  /modules/order, but for the driver of disks, which boot_enter() loads
 *   boot_port()    the virtio-serial port to the host, as soon as it is there
 *   boot_enter()   the disk with serial "root" becomes / of the whole mount namespace (moved,
 * not merely changed into: so that processes may make user namespaces), with the usual file
 * systems; the other disks are mounted where only we can reach them (disks.h)
 */
#ifndef AGENT_BOOT_H
#define AGENT_BOOT_H

#include <stdint.h>

#include "fail.h"
#include "proto.h"

int boot_begin(struct fail *f);
int boot_port(int *ret_fd, struct fail *f);
int boot_enter(const struct proto_setup *s, uint64_t *ret_fs_bytes, struct fail *f);

#endif
