/*
 * guest.h - what every guest boots: a kernel, and an initramfs made of the guest agent and the
 * few modules it needs.
 *
 * A guest directory holds `vmlinuz`, and `modules/` with `order` (file names, one per line, in
 * load order) beside the modules themselves; scripts/fetch-kernel makes it from Debian's cloud
 * kernel package. Looked for in: --kernel's place, $KILN_GUEST_DIR,
 * `guest` beside the program (in the build folder), and ../lib/kiln/guest from there
 * (installed). A kernel given as a bare file needs its virtio drivers built in, unless a
 * `modules` directory lies beside it. The initramfs (cpio newc: Linux
 * Documentation/driver-api/early-userspace/buffer-format.rst) holds /init = the agent,
 * /modules/..., and the nodes the kernel needs before /dev is mounted. It is made once per
 * agent and kernel, in cache_dir.
 */
#ifndef SNAPSHOT_GUEST_H
#define SNAPSHOT_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct guest {
	char *kernel;         /* path */
	char *initrd;         /* path */
	char *id;             /* digest of both, for templates */
	bool has_disk_module; /* its driver of disks is loaded by the agent, not built in */
	char *release;        /* "6.1.0-35-cloud-amd64", or "unknown" */
};

/*
 * Where the kernel is, and the directory of its modules (ret_modules may be NULL; *ret_modules
 * is NULL if it has none). The caller frees both. ERR_NOTFOUND says how to get a kernel.
 */
int guest_find_kernel(const char *kernel_path, char **ret_kernel, char **ret_modules,
		      struct err **e);

/* kernel_path: NULL or --kernel. agent: the static program. ERR_NOTFOUND says how to get a
 * kernel. */
int guest_find(const char *kernel_path, const void *agent, size_t agent_bytes,
	       const char *cache_dir, struct guest **ret, struct err **e);
void guest_free(struct guest *g);
DEFINE_AUTO(guest)

#endif
