/*
 * net.h - the guest's network: a fixed address in the VMM's user-mode network (QEMU's slirp:
 * 10.0.2.0/24, gateway .2, name server .3). No DHCP: nothing to wait for.
 */
#ifndef AGENT_NET_H
#define AGENT_NET_H

#include "fail.h"

#define NET_ADDRESS "10.0.2.15"
#define NET_MASK "255.255.255.0"
#define NET_GATEWAY "10.0.2.2"
#define NET_NAMESERVER "10.0.2.3"

int net_loopback_up(struct fail *f);
int net_ethernet_up(struct fail *f);
/*
 * A gratuitous ARP request (RFC 826, RFC 5227): the restored VMM's network has not met the
 * guest yet. Without it the first connection to a published port may wait for a whole
 * retransmission, six seconds. Failures don't matter. Most of the work can be done before the
 * snapshot.
 */
void net_prepare_announcement(void);
void net_announce(void);

#endif
