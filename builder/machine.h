/*
 * machine.h - a VM with its agent answering: what snapshot/ and the agent link make together.
 *
 * struct host is what is found out once per run: accelerator, VMM version, kernel and
 * initramfs.
 */
#ifndef BUILDER_MACHINE_H
#define BUILDER_MACHINE_H

#include "base/cancel.h"
#include "builder/agentlink.h"
#include "builder/chain.h"
#include "snapshot/guest.h"
#include "snapshot/store.h"
#include "snapshot/vm.h"

struct host {
	struct store *store; /* borrowed */
	const char *accel;   /* "kvm" or "tcg" */
	char *vmm_version;   /* and that of the machine it is given: both have to be the
				snapshot's */
	struct guest *guest; /* NULL until host_find_guest() */
};

/* ERR_NOTFOUND: there is no VMM; says how to get one. */
int host_open(struct store *s, struct host **ret, struct err **e);
/* What booting needs and resuming does not. kernel: --kernel, or NULL. ERR_NOTFOUND says how to
 * get a kernel. */
int host_find_guest(struct host *h, struct store *s, const char *kernel, struct err **e);
void host_free(struct host *h);
DEFINE_AUTO(host)

struct machine {
	struct vm *vm;
	struct agentlink *link;
	uint64_t fs_bytes; /* of the root file system, after it was grown; boot only */
	const struct cancel *cancel;
};
void machine_free(struct machine *m); /* kills it */
DEFINE_AUTO(machine)

struct machine_opts {
	unsigned cpus, memory_mib;
	uint64_t disk_bytes;
	const char *const *chain;
	size_t n_chain;
	const char *overlay_path;
	const struct vm_disk *disks; /* beside the root's; the guest numbers them alike */
	size_t n_disks;
	size_t n_disk_places; /* 0: as many as disks; see vm.h */
	const char *ram_path;
	bool is_cold; /* boot, whatever has booted already */
	bool is_build;
	bool is_saved; /* ram_path will be a template's; else it may not come into being */
	const char *hostname;
	const struct cancel *cancel; /* ends waits for its guest: ERR_CANCELED; or NULL */
	const struct vm_forward *forwards;
	size_t n_forwards;
};

/* Boots, waits for the agent. */
int machine_boot_bare(const struct host *h, const struct machine_opts *o, struct machine **ret,
		      struct err **e);
/* A machine whose guest is set up: by resuming one that has booted (preboot.h), else by
 * booting. */
int machine_boot(const struct host *h, const struct machine_opts *o, struct machine **ret,
		 struct err **e);
/* Resumes a template's memory in a private clone; identity must have been filled but for the
 * time. */
int machine_resume(const struct host *h, const struct tmpl *t, const struct machine_opts *o,
		   struct agent_identity *identity, struct machine **ret, struct err **e);

/* A fresh identity: 32 hex digits of machine id, a sandbox id, a seed. */
struct identity {
	char machine_id[33];
	char sandbox_id[21];
	struct strv env;
	struct agent_identity agent;
};
void identity_new(struct identity *i, const char *template_name, const char *template_id);
void identity_release(struct identity *i);

#endif
