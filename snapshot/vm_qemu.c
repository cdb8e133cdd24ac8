/* vm_qemu.c - machines by QEMU: it is started, told things over QMP, and ended. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/proc.h"
#include "snapshot/accel.h"
#include "snapshot/memory.h"
#include "snapshot/qcow2.h"
#include "snapshot/qemu_args.h"
#include "snapshot/tsc.h"
#include "snapshot/vm_internal.h"

enum {
	MIGRATION_TIMEOUT_MS = 60 * 1000,
	ENDING_MS = 2000,     /* a failed restore's words may take so long */
	WATCH_MS = 60 * 1000, /* how long a kernel that boots may be about to set its timer */
};

static void note_event(void *arg, const char *name, const struct json *data)
{
	struct vm *vm = arg;
	const char *text = NULL;
	AUTO(err) ignored = NULL;

	if (streq(name, "MIGRATION") && data) {
		json_opt_str(data, "status", &text, &ignored);
		if (text && streq(text, "completed"))
			vm->has_migrated = true;
		else if (text && streq(text, "failed"))
			vm->has_not_migrated = true;
	} else if (streq(name, "RESUME")) {
		vm->is_running = true;
	} else if (streq(name, "SHUTDOWN") && data && !vm->shutdown) {
		json_opt_str(data, "reason", &text, &ignored);
		vm->shutdown = xstrdup(text ? text : "unknown");
	} else if (streq(name, "BLOCK_IO_ERROR") && data) {
		vm->has_io_error = true;
		json_opt_bool(data, "nospace", &vm->is_full, &ignored);
	}
}

/*
 * Start.
 */

static int check_chain(const char *const *chain, size_t n, struct err **e)
{
	for (size_t i = 1; i < n; i++) {
		struct qcow2_info info;

		if (qcow2_check(chain[i], &info, e))
			return -1;
	}
	return 0;
}

static int check_opts(const struct vm_opts *o, struct err **e)
{
	if (o->cpus < 1 || o->cpus > VM_MAX_CPUS)
		return err_set(e, ERR_USAGE, "a machine has 1 to %d CPUs, not %u", VM_MAX_CPUS,
			       o->cpus);
	if (o->memory_mib < VM_MIN_MEMORY_MIB || o->memory_mib > VM_MAX_MEMORY_MIB)
		return err_set(
			e, ERR_USAGE,
			"a machine has %d to %d MiB of memory, not %u: less does not boot",
			VM_MIN_MEMORY_MIB, VM_MAX_MEMORY_MIB, o->memory_mib);
	if (o->n_disks > VM_MAX_DISKS)
		return err_set(e, ERR_LIMIT, "%zu disks; a machine has room for %d", o->n_disks,
			       VM_MAX_DISKS);
	if (o->n_forwards > VM_MAX_FORWARDS)
		return err_set(e, ERR_LIMIT, "%zu published ports; at most %d", o->n_forwards,
			       VM_MAX_FORWARDS);
	if (check_chain(o->chain, o->n_chain, e))
		return -1;
	for (size_t i = 0; i < o->n_disks; i++)
		if (check_chain(o->disks[i].chain, o->disks[i].n_chain, e))
			return -1;
	return 0;
}

static int make_overlays(const struct vm_opts *o, struct err **e)
{
	if (o->n_chain && qcow2_create(o->overlay_path, o->disk_bytes, e))
		return -1;
	for (size_t i = 0; i < o->n_disks; i++)
		if (o->disks[i].overlay_path &&
		    qcow2_create(o->disks[i].overlay_path, o->disks[i].disk_bytes, e))
			return -1;
	return 0;
}

/* Boot makes the RAM file; restore finds one of the machine's size. */
static int open_ram(const struct vm_opts *o, bool is_restore, int *ret_fd, struct err **e)
{
	off_t bytes = (off_t)o->memory_mib << 20;
	int flags = !is_restore ? O_RDWR | O_CREAT | O_EXCL : o->owns_ram ? O_RDWR : O_RDONLY;
	autoclose int fd = open(o->ram_path, flags | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || (!is_restore && ftruncate(fd, bytes)) || fstat(fd, &st))
		return err_sys(e, "opening the memory file %s", o->ram_path);
	/* QEMU 7.2 opens it for writing even when it maps it privately. */
	if (is_restore && access(o->ram_path, W_OK))
		return err_sys(e, "opening the memory file %s for QEMU", o->ram_path);
	if (st.st_size != bytes)
		return err_set(e, ERR_CORRUPT,
			       "memory file %s has %lld bytes for a machine of %u MiB",
			       o->ram_path, (long long)st.st_size, o->memory_mib);
	*ret_fd = take_fd(fd);
	return 0;
}

/* A connected pair; ours[0] stays here. */
static int socket_pair(int flags, int *ret_ours, int *ret_theirs, struct err **e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "making a socket pair");
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	if (fcntl(pair[0], F_SETFL, flags))
		return err_sys(e, "making a socket pair");
	return 0;
}

/*
 * QEMU's environment. In threads other than the first, glibc grows the heap by a page at a
 * time, a system call each; translating the first code of a resumed guest takes hundreds of
 * them.
 */
static void set_environment(struct strv *ret)
{
	for (char **v = environ; *v; v++)
		strv_push(ret, *v);
	strv_env_set(ret, "MALLOC_TOP_PAD_", "4194304");
}

/* Starts QEMU with its ends of the three channels; state is -1 or the state file. */
static int spawn(struct vm *vm, const struct strv *argv, int state, struct err **e)
{
	autostrv env = STRV_INIT;
	autoclose int control = -1, agent = -1, words = -1;
	struct proc_fd fds[4];
	int pipe_ends[2];

	if (socket_pair(O_NONBLOCK, &vm->control, &control, e) ||
	    socket_pair(0, &vm->agent, &agent, e))
		return -1;
	/* Not blocking at both ends: a guest that makes QEMU complain without end cannot stop
	 * it. */
	if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK))
		return err_sys(e, "making a pipe");
	vm->words = pipe_ends[0];
	words = pipe_ends[1];
	fds[0] = (struct proc_fd){ words, STDERR_FILENO };
	fds[1] = (struct proc_fd){ control, QEMU_FD_QMP };
	fds[2] = (struct proc_fd){ agent, QEMU_FD_AGENT };
	fds[3] = (struct proc_fd){ state, QEMU_FD_STATE };
	set_environment(&env);
	struct proc_opts p = {
		.argv = argv->at,
		.env = env.at,
		.fds = fds,
		.n_fds = state < 0 ? 3 : 4,
		/* Ctrl-C is for us to handle. */
		.has_own_group = true,
	};

	if (proc_spawn(&p, &vm->pid, e))
		return -1;
	vm->qmp = qmp_new(vm->control, note_event, vm);
	return 0;
}

static struct vm *vm_new(const struct vm_opts *o)
{
	struct vm *vm = xcalloc(1, sizeof(*vm));

	vm->agent = vm->control = vm->words = vm->ram = -1;
	vm->stderr_text = vm->console = (struct str)STR_INIT;
	vm->disk_bytes = o->disk_bytes;
	vm->n_nodes = o->n_chain + 1;
	return vm;
}

void vm_kill(struct vm *vm)
{
	if (vm->pid)
		kill(vm->pid, SIGKILL);
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	proc_kill(vm->pid);
	qmp_free(vm->qmp);
	auto_close_(&vm->agent);
	auto_close_(&vm->control);
	auto_close_(&vm->words);
	auto_close_(&vm->ram);
	str_release(&vm->stderr_text);
	str_release(&vm->console);
	forwards_free(vm->forwards);
	free(vm->shutdown);
	free(vm);
}

/* {"key": "value"}, owned by the caller. */
static struct json *argument(const char *key, const char *value)
{
	struct json *o = json_object_new();

	json_put(o, key, json_from_str(value));
	return o;
}

static void push_capability(struct json *list, const char *name)
{
	struct json *c = argument("capability", name);

	json_put(c, "state", json_from_bool(true));
	json_push(list, c);
}

/*
 * x-ignore-shared: RAM that is a shared file isn't copied. On the restoring side the file is
 * mapped privately, but both must say the same. events: tell when it is done.
 */
static int send_capabilities(struct vm *vm, struct err **e)
{
	struct json *args = json_object_new(), *list = json_array_new();

	push_capability(list, "x-ignore-shared");
	push_capability(list, "events");
	json_put(args, "capabilities", list);
	return qmp_send(vm->qmp, "migrate-set-capabilities", args, -1, e);
}

/* Until QEMU reports that it has read the device state, and runs, or has written it. `what`
 * failed otherwise. */
static int wait_migration(struct vm *vm, bool must_run, const char *what, struct err **e)
{
	int64_t deadline = clock_usec() + MIGRATION_TIMEOUT_MS * 1000LL;

	while (!vm->has_not_migrated && !(vm->has_migrated && (vm->is_running || !must_run))) {
		if (clock_usec() > deadline)
			return err_set(e, ERR_TIMEOUT, "QEMU is not done after %d seconds",
				       MIGRATION_TIMEOUT_MS / 1000);
		if (qmp_poll(vm->qmp, 1000, e))
			return -1;
	}
	if (!vm->has_not_migrated)
		return 0;
	/* After a failed restore it ends, and says why as it does. */
	if (qmp_poll(vm->qmp, ENDING_MS, e))
		return -1;
	return err_set(e, ERR_VM, "QEMU cannot %s the machine's state", what);
}

/* Reads the state. The machine was running when it was saved: so it goes on by itself. */
static int resume(struct vm *vm, struct err **e)
{
	int64_t start = clock_usec(), talking;
	_Static_assert(QEMU_FD_STATE == 5, "the uri below");

	if (qmp_open(vm->qmp, e) || send_capabilities(vm, e) ||
	    qmp_send(vm->qmp, "migrate-incoming", argument("uri", "fd:5"), -1, e) ||
	    qmp_wait_all(vm->qmp, e))
		return -1;
	talking = clock_usec();
	if (wait_migration(vm, true, "read", e))
		return -1;
	log_debug("restore: QEMU answers after %lld us, runs what it has read in %lld us",
		  (long long)(talking - start), (long long)(clock_usec() - talking));
	return 0;
}

static int launch(struct vm *vm, const struct qemu_args_opts *a, struct err **e)
{
	const struct vm_opts *o = a->vm;
	autoclose int state = -1;
	autostrv argv = STRV_INIT;
	int64_t start = clock_usec();

	if (forwards_reserve(o->forwards, o->n_forwards, &vm->forwards, e))
		return -1;
	qemu_args(a, &argv);
	if (a->is_restore) {
		state = open(o->state_path, O_RDONLY | O_CLOEXEC);
		if (state < 0)
			return err_sys(e, "opening the saved state %s", o->state_path);
	}
	if (spawn(vm, &argv, state, e))
		return -1;
	log_debug("QEMU %d spawned in %lld us", (int)vm->pid,
		  (long long)(clock_usec() - start));
	if (a->is_restore ? resume(vm, e) : qmp_open(vm->qmp, e) || qmp_wait_all(vm->qmp, e))
		return vm_explain(vm, e);
	return 0;
}

static int start_machine(const struct vm_opts *o, bool is_restore, struct vm **ret,
			 struct err **e)
{
	autofree char *qemu = NULL;
	autoclose int ram = -1;
	struct qemu_args_opts a = { .vm = o, .is_restore = is_restore };
	AUTO(vm) vm = vm_new(o);

	if (check_opts(o, e) || accel_find_qemu(&qemu, e) || open_ram(o, is_restore, &ram, e) ||
	    make_overlays(o, e))
		return -1;
	a.qemu = qemu;
	if (!is_restore && streq(o->accel, "tcg"))
		a.tsc_khz = tsc_measure_khz();
	vm->is_restored = is_restore;
	if (launch(vm, &a, e))
		return -1;
	vm->ram = is_restore && !o->owns_ram ? -1 : take_fd(ram);
	if (!is_restore)
		vm->watch_until_usec = clock_usec() + WATCH_MS * 1000LL;
	*ret = take(vm);
	return 0;
}

int vm_boot(const struct vm_opts *o, struct vm **ret, struct err **e)
{
	return start_machine(o, false, ret, e);
}

int vm_restore(const struct vm_opts *o, struct vm **ret, struct err **e)
{
	return start_machine(o, true, ret, e);
}

int vm_agent_fd(const struct vm *vm)
{
	return vm->agent;
}

pid_t vm_pid(const struct vm *vm)
{
	return vm->pid;
}

int vm_publish(struct vm *vm, struct err **e)
{
	return forwards_open(vm->forwards, vm->qmp, e) ? vm_explain(vm, e) : 0;
}

uint16_t vm_forward_port(const struct vm *vm, size_t i)
{
	return forwards_port(vm->forwards, i);
}

/*
 * Disks.
 */

int vm_switch_overlay(struct vm *vm, const char *new_overlay_path, struct err **e)
{
	autofree char *below = qemu_disk_node(vm->n_nodes - 1);
	autofree char *node = qemu_disk_node(vm->n_nodes);
	autofree char *file = qemu_file_node(vm->n_nodes);
	struct json *args;

	if (qcow2_create(new_overlay_path, vm->disk_bytes, e))
		return -1;
	args = argument("node", below);
	json_put(args, "overlay", json_from_str(node));
	if (qmp_send(vm->qmp, "blockdev-add", qemu_blockdev_file(file, new_overlay_path, true),
		     -1, e) ||
	    qmp_send(vm->qmp, "blockdev-add", qemu_blockdev_qcow2(node, file, NULL, true), -1,
		     e) ||
	    qmp_send(vm->qmp, "blockdev-snapshot", args, -1, e) || qmp_wait_all(vm->qmp, e)) {
		vm_explain(vm, e);
		return err_wrap(e, "switching to overlay %s", new_overlay_path);
	}
	vm->n_nodes++;
	return 0;
}

/*
 * Save.
 */

/* QEMU stops the machine for the last of it, and notes that it was running: see resume(). */
static int write_state(struct vm *vm, int state, struct err **e)
{
	vm->has_migrated = false; /* a machine that was restored itself has had one */
	if (send_capabilities(vm, e) ||
	    qmp_send(vm->qmp, "getfd", argument("fdname", "state"), state, e) ||
	    qmp_send(vm->qmp, "migrate", argument("uri", "fd:state"), -1, e) ||
	    qmp_wait_all(vm->qmp, e) || wait_migration(vm, false, "write", e))
		return vm_explain(vm, e);
	return 0;
}

int vm_save(struct vm *vm, const char *state_path, struct err **e)
{
	int64_t start = clock_usec(), written;
	uint64_t data_bytes;
	autoclose int state = -1;

	if (vm->ram < 0)
		return err_set(e, ERR_BUG, "a restored machine's memory is private to it");
	state = open(state_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (state < 0)
		return err_sys(e, "making %s", state_path);
	if (write_state(vm, state, e))
		return err_wrap(e, "saving the machine");
	written = clock_usec();
	if (memory_punch_zeros(vm->ram, &data_bytes, e))
		return err_wrap(e, "saving the machine");
	log_debug("save: state in %lld us, holes in %lld us, %llu MiB of memory in use",
		  (long long)(written - start), (long long)(clock_usec() - written),
		  (unsigned long long)(data_bytes >> 20));
	return 0;
}
