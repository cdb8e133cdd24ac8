/*
 * accel.h - which QEMU is used, and what accelerates it. vm_accel_probe() and vm_version()
 * stand in vm.h.
 */
#ifndef SNAPSHOT_ACCEL_H
#define SNAPSHOT_ACCEL_H

#include "base/err.h"

/* $KILN_QEMU, or qemu-system-x86_64 in PATH; the caller frees. ERR_NOTFOUND says how to get it.
 */
int accel_find_qemu(char **ret_path, struct err **e);

#endif
