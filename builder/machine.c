#include "builder/machine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/log.h"
#include "builder/agent_image.h"
#include "builder/preboot.h"

/* A boot takes 2 to 4 s under emulation, several times that on a busy machine. */
static const int boot_timeouts_ms[] = { 30000, 60000, 120000 };
enum { BOOT_TRIES = 3, RESUME_TIMEOUT_MS = 30000, SMALL_MEMORY_MIB = 192 };

int host_open(struct store *s, struct host **ret, struct err **e)
{
	AUTO(host) h = xcalloc(1, sizeof(*h));
	autofree char *why = NULL;
	autofree char *version = NULL;

	if (vm_version(store_cache_dir(s), &version, e) ||
	    vm_accel_probe(store_cache_dir(s), &h->accel, &why, e))
		return -1;
	h->store = s;
	h->vmm_version = xasprintf("%s, machine %d", version, VM_MACHINE_VERSION);
	log_debug("%s; accelerator %s: %s", h->vmm_version, h->accel, why);
	*ret = take(h);
	return 0;
}

int host_find_guest(struct host *h, struct store *s, const char *kernel, struct err **e)
{
	return guest_find(kernel, agent_image, (size_t)(agent_image_end - agent_image),
			  store_cache_dir(s), &h->guest, e);
}

void host_free(struct host *h)
{
	if (!h)
		return;
	free(h->vmm_version);
	guest_free(h->guest);
	free(h);
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	agentlink_free(m->link);
	vm_free(m->vm);
	free(m);
}

static int is_machine_alive(void *arg, struct err **e)
{
	const struct machine *m = arg;

	return cancel_check(m->cancel, e) ? -1 : vm_check(m->vm, e);
}

/* A kernel that finds too little memory dies in many ways, few of which say so. */
static int boot_failed(const struct machine_opts *o, struct err **e)
{
	if (o->memory_mib < SMALL_MEMORY_MIB)
		return err_wrap(e,
				"the guest did not boot with %u MiB of memory: give it more "
				"with --memory",
				o->memory_mib);
	return err_wrap(e, "waiting for the guest to boot");
}

static void log_console(struct vm *vm)
{
	autostr console = STR_INIT;

	if (!log_is_debug())
		return;
	vm_console_tail(vm, &console);
	log_debug("the guest's console: %s", console.at);
}

/* As long as a clone's, so that those only have to change what /etc's files hold (etcfiles.c).
 */
static const char template_hostname[] = "kiln0000000000000000";
_Static_assert(sizeof(template_hostname) == sizeof(((struct identity *)0)->sandbox_id),
	       "as long as a clone's");

static int set_up(struct machine *m, const struct machine_opts *o, struct err **e)
{
	struct agent_setup setup = {
		.hostname = o->hostname ? o->hostname : template_hostname,
		.has_network = true,
		.is_build = o->is_build,
		.disks = o->disks,
		.n_disks = o->n_disks,
	};

	if (agent_setup(m->link, &setup, &m->fs_bytes, e) == 0)
		return 0;
	log_console(m->vm);
	return err_wrap(e, "setting up the guest");
}

static struct vm_opts vm_opts_of(const struct host *h, const struct machine_opts *o)
{
	return (struct vm_opts){
		.cpus = o->cpus,
		.memory_mib = o->memory_mib,
		.accel = h->accel,
		.kernel = h->guest->kernel,
		.initrd = h->guest->initrd,
		.chain = o->chain,
		.n_chain = o->n_chain,
		.overlay_path = o->overlay_path,
		.disk_bytes = o->disk_bytes,
		.disks = o->disks,
		.n_disks = o->n_disks,
		.n_disk_places = o->n_disk_places,
		.ram_path = o->ram_path,
		.forwards = o->forwards,
		.n_forwards = o->n_forwards,
	};
}

static int boot_once(const struct host *h, const struct machine_opts *o, int timeout_ms,
		     struct machine **ret, struct err **e)
{
	AUTO(machine) m = xcalloc(1, sizeof(*m));
	struct vm_opts vm = vm_opts_of(h, o);

	m->cancel = o->cancel;
	if (cancel_check(o->cancel, e) || vm_boot(&vm, &m->vm, e))
		return -1;
	struct agentlink_opts link = { vm_agent_fd(m->vm), is_machine_alive, m };

	if (agentlink_open(&link, timeout_ms, &m->link, e)) {
		log_console(m->vm);
		return boot_failed(o, e);
	}
	*ret = take(m);
	return 0;
}

/* So that it can be tried again. */
static void remove_files(const struct machine_opts *o)
{
	if (o->overlay_path)
		unlink(o->overlay_path);
	unlink(o->ram_path);
	for (size_t k = 0; k < o->n_disks; k++)
		if (o->disks[k].overlay_path)
			unlink(o->disks[k].overlay_path);
}

/*
 * Once in a while an emulated kernel stops dead before it reaches the agent. Nothing has
 * happened in the guest by then, so it is started afresh, with more time.
 */
int machine_boot_bare(const struct host *h, const struct machine_opts *o, struct machine **ret,
		      struct err **e)
{
	for (int i = 0;; i++) {
		if (boot_once(h, o, boot_timeouts_ms[i], ret, e) == 0)
			return 0;
		if ((*e)->code != ERR_TIMEOUT || i + 1 == BOOT_TRIES)
			return err_wrap(e, "booting the VM");
		log_debug("the guest did not boot within %d ms: trying again",
			  boot_timeouts_ms[i]);
		err_drop(e);
		remove_files(o);
	}
}

/* Its clock stands and its random pool is what others have had, until it is told better. */
static int identify_bare(struct machine *m, struct err **e)
{
	const struct strv no_env = STRV_INIT;
	struct agent_identity identity = { .hostname = "", .machine_id = "", .env = &no_env };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	identity.now_sec = now.tv_sec;
	identity.now_nsec = (uint32_t)now.tv_nsec;
	fs_random(identity.seed, sizeof(identity.seed));
	return agent_identify(m->link, &identity, e);
}

static int start_from(const struct preboot *p, const struct host *h,
		      const struct machine_opts *o, struct machine **ret, struct err **e)
{
	AUTO(machine) m = xcalloc(1, sizeof(*m));
	struct vm_opts vm = vm_opts_of(h, o);

	m->cancel = o->cancel;
	vm.state_path = p->state;
	vm.n_disk_places = preboot_places(o->n_disks);
	vm.owns_ram = o->is_saved;
	if (o->is_saved && fs_copy_sparse(p->ram, o->ram_path, e))
		return -1;
	if (!o->is_saved)
		vm.ram_path = p->ram;
	if (vm_restore(&vm, &m->vm, e))
		return -1;
	struct agentlink_opts link = { vm_agent_fd(m->vm), is_machine_alive, m };

	if (agentlink_reopen(&link, RESUME_TIMEOUT_MS, &m->link, e) || identify_bare(m, e))
		return -1;
	*ret = take(m);
	return 0;
}

int machine_boot(const struct host *h, const struct machine_opts *o, struct machine **ret,
		 struct err **e)
{
	AUTO(machine) m = NULL;
	struct preboot booted = { 0 };
	struct err *why = NULL;
	struct preboot_kind kind = { o->cpus, o->memory_mib, preboot_places(o->n_disks),
				     o->cancel };
	int found = o->is_cold ? 0 : preboot_find(h, &kind, &booted, e);

	if (found > 0 && start_from(&booted, h, o, &m, &why)) {
		autofree char *text = err_text(why);

		log_debug("no machine from %s: %s", booted.folder, text);
		if (!cancel_is_set(o->cancel))
			preboot_discard(&booted);
		err_free(why);
		remove_files(o);
	}
	preboot_release(&booted);
	if (found < 0 || (!m && machine_boot_bare(h, o, &m, e)) || set_up(m, o, e) ||
	    vm_publish(m->vm, e))
		return -1;
	*ret = take(m);
	return 0;
}

static int check_same_machine(const struct host *h, const struct tmpl *t, struct err **e)
{
	if (!streq(h->vmm_version, t->vmm_version))
		return err_set(e, ERR_VM,
			       "its memory was saved under %s, and this machine has %s: build "
			       "it again, or start "
			       "it from its disk with --cold",
			       t->vmm_version, h->vmm_version);
	if (!streq(h->accel, t->accel))
		return err_set(e, ERR_VM,
			       "its memory was saved under %s, and this machine runs guests "
			       "under %s: build it "
			       "again, or start it from its disk with --cold",
			       t->accel, h->accel);
	return 0;
}

int machine_resume(const struct host *h, const struct tmpl *t, const struct machine_opts *o,
		   struct agent_identity *identity, struct machine **ret, struct err **e)
{
	AUTO(machine) m = xcalloc(1, sizeof(*m));
	autofree char *ram = tmpl_path(t, "ram");
	autofree char *state = tmpl_path(t, "state");
	struct timespec now;
	struct vm_opts vm = {
		.cpus = t->cpus,
		.memory_mib = t->memory_mib,
		.accel = t->accel,
		.chain = (const char *const *)t->chain_paths.at,
		.n_chain = t->chain_paths.n,
		.overlay_path = o->overlay_path,
		.disk_bytes = t->disk_bytes,
		.ram_path = ram,
		.state_path = state,
		.forwards = o->forwards,
		.n_forwards = o->n_forwards,
	};

	if (check_same_machine(h, t, e) || vm_restore(&vm, &m->vm, e))
		return -1;
	struct agentlink_opts link = { vm_agent_fd(m->vm), is_machine_alive, m };

	if (agentlink_reopen(&link, RESUME_TIMEOUT_MS, &m->link, e))
		return err_wrap(e, "waiting for the resumed guest");
	log_debug("the resumed guest's agent answers");
	clock_gettime(CLOCK_REALTIME, &now);
	identity->now_sec = now.tv_sec;
	identity->now_nsec = (uint32_t)now.tv_nsec;
	if (agent_identify(m->link, identity, e))
		return err_wrap(e, "giving the resumed guest its identity");
	if (vm_publish(m->vm, e))
		return -1;
	log_debug("the resumed guest has its identity");
	*ret = take(m);
	return 0;
}

static void hex(const uint8_t *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

void identity_new(struct identity *i, const char *template_name, const char *template_id)
{
	uint8_t random[26];

	*i = (struct identity){ 0 };
	fs_random(random, sizeof(random));
	/* As systemd makes machine ids: a random UUID, version 4 (machine-id(5)). */
	random[6] = (random[6] & 0x0f) | 0x40;
	random[8] = (random[8] & 0x3f) | 0x80;
	hex(random, 16, i->machine_id);
	hex(random + 16, 10, i->sandbox_id);
	fs_random(i->agent.seed, sizeof(i->agent.seed));
	strv_pushf(&i->env, "KILN_SANDBOX_ID=%s", i->sandbox_id);
	strv_pushf(&i->env, "KILN_TEMPLATE=%s", template_name);
	strv_pushf(&i->env, "KILN_TEMPLATE_ID=%s", template_id);
	i->agent.hostname = i->sandbox_id;
	i->agent.machine_id = i->machine_id;
	i->agent.env = &i->env;
}

void identity_release(struct identity *i)
{
	strv_release(&i->env);
}
