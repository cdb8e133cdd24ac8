/*
 * vm.h - a microVM that can be saved and resumed. One driver today: QEMU's `microvm` machine
 * (vm_qemu.c); Firecracker is meant to be a second one behind the same functions.
 *
 * Disks: the root disk is a chain: one raw ext4 (the base disk), then qcow2 overlays, oldest
 * first, all opened read-only, and one writable overlay on top. Headers name no backing file:
 * the chain is given here. Guests see it as the virtio-blk device with serial "root"; further
 * disks by their own serials: read-only chains, with or without an overlay that is thrown away,
 * and writable raw ones. Nothing is flushed to the host's disk: who keeps an
 * overlay syncs it.
 *
 * Memory: RAM is the file ram_path, sparse. vm_boot() maps it shared, so that saving copies
 * nothing. vm_restore() maps it private: clones share what they don't write, and the file never
 * changes; unless the machine owns it. Before a save the agent gives back a large page cache
 * and reads in what a first command is likely to need; vm_save() makes the pages that are zero
 * holes. That is all it takes: a kernel touches little of memory that it has no use for
 * (measured with 1 GiB, Debian and a Python server: 142 MiB touched, 110 MiB kept, 11 %). Ways
 * of clearing free memory were tried and left: init_on_free=1 touches all of it at boot (2 s,
 * and 1 GiB of page cache, to save 27 MiB); a balloon, or free page reporting, would let the
 * guest of a clone punch holes into the file its siblings run from, since QEMU has it open for
 * writing.
 *
 * Agent: one byte stream to the guest agent (virtio-serial port "kiln.agent.0"), a connected
 * socket.
 *
 * Life: the VMM dies with us, whatever kills us, and when vm_free() is called. Nothing listens
 * on a named socket. Ctrl-C on the terminal does not reach it.
 *
 * Errors: ERR_VM with the VMM's own words, ERR_TIMEOUT, ERR_NOTFOUND (no VMM, no kernel: says
 * how to get it), ERR_USAGE (sizes, addresses), ERR_SYS (no space, a port that is taken).
 */
#ifndef SNAPSHOT_VM_H
#define SNAPSHOT_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

enum {
	/*
	 * Of the devices a machine has and what its kernel is told. Raised with any change of
	 * them: a snapshot resumes only in the machine it was taken from.
	 */
	VM_MACHINE_VERSION = 6,
	/* microvm has 24 places for virtio devices; four are taken. */
	VM_MAX_DISKS = 18,
	VM_MAX_CPUS = 64,
	VM_MIN_MEMORY_MIB =
		96, /* with less, Debian's kernel ends in silence (72) or out of memory */
	VM_MAX_MEMORY_MIB = 256 << 10,
	VM_MAX_FORWARDS = 64,
};

struct vm_disk {
	const char *const *chain; /* as the root's: [0] raw ext4, the others qcow2, read-only */
	size_t n_chain;
	const char *serial; /* up to 20 bytes: what the guest sees in /sys/block/vdX/serial */
	bool is_writable;   /* chain is one raw file, which is written to */
	const char
		*overlay_path; /* made here: takes writes, to be thrown away; NULL: read-only */
	uint64_t disk_bytes;   /* with overlay_path: virtual size */
};

struct vm_forward {
	const char *host_addr; /* NULL: 127.0.0.1 */
	uint16_t host_port;    /* 0: the driver picks a free one; see vm_forward_port() */
	uint16_t guest_port;
	bool is_udp;
};

struct vm_opts {
	unsigned cpus;
	unsigned memory_mib;
	const char *accel; /* "kvm" or "tcg", as vm_accel_probe() answered or as the template
			      says */
	const char *kernel, *initrd; /* boot only */
	const char *cmdline;         /* added to the driver's own; NULL: nothing */
	const char *const *chain;    /* root disk, oldest first; [0] is raw, the others qcow2 */
	size_t n_chain;
	const char *overlay_path; /* made here: the writable top of the chain */
	uint64_t disk_bytes;      /* virtual size of the root disk */
	const struct vm_disk *disks;
	size_t n_disks;
	/* So many disk devices there are at least, the root's among them: those that are not
	 * used are empty. A machine saved before its guest has looked at its disks can be
	 * resumed with others in as many places. */
	size_t n_disk_places;
	const char *ram_path; /* boot: made here, must not exist. restore: read only, unless
				 owns_ram */
	bool owns_ram; /* restore: the file is this machine's alone: it may be saved again */
	const char *state_path; /* restore: the device state that vm_save() wrote */
	const struct vm_forward *forwards;
	size_t n_forwards;
	bool has_no_network;
};

struct vm;

/* Starts the machine; returns when the VMM runs it. The guest agent may not be up yet. */
int vm_boot(const struct vm_opts *o, struct vm **ret, struct err **e);
/* Resumes a saved machine; returns when it runs. Same cpus, memory, disks and accel as when it
 * was saved. */
int vm_restore(const struct vm_opts *o, struct vm **ret, struct err **e);
void vm_kill(struct vm *vm); /* SIGKILL, and doesn't wait: vm_free() does */
void vm_free(struct vm *vm); /* SIGKILL; files stay */
DEFINE_AUTO(vm)

int vm_agent_fd(const struct vm *vm); /* owned by vm; blocking stream socket */
pid_t vm_pid(const struct vm *vm);
/* The ports of vm_opts.forwards lead into the guest from now on: it is ready for whoever
 * connects. Until then they are taken, and refuse. Once. */
int vm_publish(struct vm *vm, struct err **e);
uint16_t vm_forward_port(const struct vm *vm, size_t i);

/* The overlay on top becomes read-only and a new one, new_overlay_path, takes the writes. The
 * guest is frozen by the caller. */
int vm_switch_overlay(struct vm *vm, const char *new_overlay_path, struct err **e);
/* Writes the machine's device state and pauses it; the RAM file is then complete and its zero
 * pages are holes. It stays paused. */
int vm_save(struct vm *vm, const char *state_path, struct err **e);
/* If the VMM has ended or the guest has panicked or shut down: -1, with the last lines of its
 * console in the error. ERR_TIMEOUT: a kernel that boots stopped dead, through no fault of its
 * own, and may be started afresh. Else 0. */
int vm_check(struct vm *vm, struct err **e);
/* The last bytes of the guest's console (at most 64 KiB), for messages. */
void vm_console_tail(struct vm *vm, struct str *ret);

/*
 * Which accelerator works here: "kvm" only if a tiny guest ran under it within a second.
 * cache_dir keeps the answer until the next host boot. *ret_why is a sentence for `kiln
 * doctor`; the caller frees it.
 */
int vm_accel_probe(const char *cache_dir, const char **ret_accel, char **ret_why,
		   struct err **e);
/* "qemu 7.2.22 (Debian ...)": a snapshot resumes only under the same. The caller frees. Cached
 * like the probe. */
int vm_version(const char *cache_dir, char **ret_version, struct err **e);

#endif
