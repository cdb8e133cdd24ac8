#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sysfile.h"

static void put_address(struct sockaddr *to, const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, text, &in.sin_addr);
	memcpy(to, &in, sizeof(in));
}

static int bring_up(int fd, const char *name)
{
	struct ifreq r = { 0 };

	strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &r))
		return -1;
	r.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &r);
}

static int set_address(int fd, const char *name, unsigned long what, const char *text)
{
	struct ifreq r = { 0 };

	strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
	put_address(&r.ifr_addr, text);
	return ioctl(fd, what, &r);
}

static int add_default_route(int fd)
{
	struct rtentry r = { .rt_flags = RTF_UP | RTF_GATEWAY };

	put_address(&r.rt_dst, "0.0.0.0");
	put_address(&r.rt_genmask, "0.0.0.0");
	put_address(&r.rt_gateway, NET_GATEWAY);
	return ioctl(fd, SIOCADDRT, &r) && errno != EEXIST ? -1 : 0;
}

int net_loopback_up(struct fail *f)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), done;

	if (fd < 0)
		return fail_sys(f, "opening a socket");
	done = bring_up(fd, "lo");
	if (done)
		fail_sys(f, "bringing up the loopback interface");
	close(fd);
	return done;
}

int net_ethernet_up(struct fail *f)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), done;

	if (fd < 0)
		return fail_sys(f, "opening a socket");
	/* The user-mode network is IPv4; an address without a way out would only cost programs
	 * that try IPv6 first their time-outs. ::1 stays. */
	sysfile_write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1");
	done = set_address(fd, "eth0", SIOCSIFADDR, NET_ADDRESS) ||
			       set_address(fd, "eth0", SIOCSIFNETMASK, NET_MASK) ||
			       bring_up(fd, "eth0") || add_default_route(fd)
		       ? -1
		       : 0;
	if (done)
		fail_sys(f, "bringing up the network interface eth0");
	close(fd);
	return done;
}

static struct announcer {
	int fd; /* -1: not prepared */
	struct sockaddr_ll to;
	struct ether_arp arp;
} announcer = { .fd = -1 };

static int prepare_announcer(struct announcer *a, int fd)
{
	struct ifreq r = { .ifr_name = "eth0" };

	a->to = (struct sockaddr_ll){ .sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ARP),
				      .sll_halen = ETH_ALEN };
	memset(a->to.sll_addr, 0xff, ETH_ALEN);
	a->arp = (struct ether_arp){ .ea_hdr = { htons(ARPHRD_ETHER), htons(ETH_P_IP), ETH_ALEN,
						 4, htons(ARPOP_REQUEST) } };
	inet_pton(AF_INET, NET_ADDRESS, a->arp.arp_spa);
	inet_pton(AF_INET, NET_ADDRESS, a->arp.arp_tpa);
	if (ioctl(fd, SIOCGIFHWADDR, &r))
		return -1;
	memcpy(a->arp.arp_sha, r.ifr_hwaddr.sa_data, ETH_ALEN);
	if (ioctl(fd, SIOCGIFINDEX, &r))
		return -1;
	a->to.sll_ifindex = r.ifr_ifindex;
	return 0;
}

void net_prepare_announcement(void)
{
	int fd;

	if (announcer.fd >= 0)
		return;
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* 0: receives nothing */
	if (fd >= 0 && prepare_announcer(&announcer, fd))
		close(fd);
	else
		announcer.fd = fd;
}

void net_announce(void)
{
	net_prepare_announcement();
	if (announcer.fd >= 0)
		sendto(announcer.fd, &announcer.arp, sizeof(announcer.arp), 0,
		       (struct sockaddr *)&announcer.to, sizeof(announcer.to));
}
