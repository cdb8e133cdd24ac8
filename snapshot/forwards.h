/*
 * forwards.h - ports of this host that lead into a guest.
 *
 * While a machine starts they are bound and nobody listens: no one else gets them, and who
 * connects too early is refused. QEMU takes them over when the guest can answer; given them any
 * earlier, it would accept connections whose first packets are lost, and try those again after
 * six seconds only.
 */
#ifndef SNAPSHOT_FORWARDS_H
#define SNAPSHOT_FORWARDS_H

#include "base/err.h"
#include "snapshot/qmp.h"
#include "snapshot/vm.h"

struct forwards;

/* Binds them all; a port 0 becomes a free one. ERR_USAGE (no IPv4 address), ERR_SYS. */
int forwards_reserve(const struct vm_forward *f, size_t n, struct forwards **ret,
		     struct err **e);
/* From here on QEMU listens. */
int forwards_open(struct forwards *f, struct qmp *qmp, struct err **e);
uint16_t forwards_port(const struct forwards *f, size_t i); /* 0: there is no such one */
void forwards_free(struct forwards *f);
DEFINE_AUTO(forwards)

#endif
