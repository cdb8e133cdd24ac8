/*
 * Real machines: Debian's kernel, the real agent, a root with nothing but busybox. One boot
 * serves most tests, in the order they stand. Skipped if build/guest isn't there (make guest).
 */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/sha256.h"
#include "builder/agent_image.h"
#include "builder/agentlink.h"
#include "rootfs/rootfs.h"
#include "snapshot/guest.h"
#include "snapshot/qcow2.h"
#include "snapshot/vm.h"

enum { N_CLONES = 5, MEMORY_MIB = 256, BOOT_MS = 120 * 1000 };

/* A directory with everything, the machine that was booted, the chain under it. */
struct lab {
	char dir[64];
	struct guest *guest;
	const char *accel;
	char *base, *first, *second, *ram, *state;
	struct vm *vm;
	struct agentlink *link;
};

static char *in_lab(const struct lab *l, const char *name)
{
	return xasprintf("%s/%s", l->dir, name);
}

static int open_busybox(void *arg, size_t i, int *ret_fd, struct err **e)
{
	(void)arg;
	(void)i;
	*ret_fd = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(e, "opening /bin/busybox (apt-get install busybox-static)")
			   : 0;
}

static void make_base(struct lab *l)
{
	struct rootfs_file file = { .name = "bin/busybox", .mode = S_IFREG | 0755 };
	struct rootfs_stats stats;
	struct err *e = NULL;
	struct stat st;

	assert_int_equal(stat("/bin/busybox", &st), 0);
	file.size_bytes = (uint64_t)st.st_size;
	assert_ok(rootfs_pack(&(struct rootfs_pack_opts){ .files = &file,
							  .n_files = 1,
							  .open_file = open_busybox,
							  .out_path = l->base },
			      &stats, &e),
		  e);
}

static int lab_setup(void **state)
{
	struct lab *l = xcalloc(1, sizeof(*l));
	struct err *e = NULL;
	char *why = NULL;

	if (!getenv("KILN_GUEST_DIR"))
		setenv("KILN_GUEST_DIR", "build/guest", 1);
	strcpy(l->dir, "/tmp/kiln-test-vm-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	l->base = in_lab(l, "base.ext4");
	l->first = in_lab(l, "first.qcow2");
	l->second = in_lab(l, "second.qcow2");
	l->ram = in_lab(l, "ram");
	l->state = in_lab(l, "state");
	make_base(l);
	assert_ok(vm_accel_probe(l->dir, &l->accel, &why, &e), e);
	free(why);
	assert_ok(guest_find(NULL, agent_image, (size_t)(agent_image_end - agent_image), l->dir,
			     &l->guest, &e),
		  e);
	*state = l;
	return 0;
}

static int lab_teardown(void **state)
{
	struct lab *l = *state;
	struct err *e = NULL;

	agentlink_free(l->link);
	vm_free(l->vm);
	guest_free(l->guest);
	assert_ok(fs_remove_tree(l->dir, &e), e);
	free(l->base);
	free(l->first);
	free(l->second);
	free(l->ram);
	free(l->state);
	free(l);
	return 0;
}

static int check(void *vm, struct err **e)
{
	return vm_check(vm, e);
}

static struct agentlink_opts link_opts(struct vm *vm)
{
	return (struct agentlink_opts){ vm_agent_fd(vm), check, vm };
}

static void add_output(void *arg, int stream, const char *bytes, size_t n)
{
	(void)stream;
	str_addn(arg, bytes, n);
}

/* Runs a shell command in the guest; adds what it prints to *out. */
static struct agent_exit sh(struct agentlink *link, const char *command, struct str *out)
{
	autostrv argv = STRV_INIT, env = STRV_INIT;
	struct agent_exit exit = { 0 };
	struct err *e = NULL;

	strv_push(&argv, "/bin/busybox");
	strv_push(&argv, "sh");
	strv_push(&argv, "-c");
	strv_push(&argv, command);
	strv_push(&env, "PATH=/bin");
	assert_ok(agent_run(link,
			    &(struct agent_exec){ .argv = &argv,
						  .env = &env,
						  .user = "",
						  .cwd = "",
						  .on_output = add_output,
						  .arg = out },
			    60000, &exit, &e),
		  e);
	return exit;
}

static void assert_says(struct agentlink *link, const char *command, const char *want)
{
	autostr out = STR_INIT;

	sh(link, command, &out);
	assert_string_equal(out.at, want);
}

static struct vm_opts boot_opts(const struct lab *l, const char *const *chain)
{
	return (struct vm_opts){
		.cpus = 2,
		.memory_mib = MEMORY_MIB,
		.accel = l->accel,
		.kernel = l->guest->kernel,
		.initrd = l->guest->initrd,
		.chain = chain,
		.n_chain = 1,
		.overlay_path = l->first,
		.disk_bytes = 1ULL << 30,
		.ram_path = l->ram,
	};
}

/* Until its agent answers. A guest that stops dead at boot, since the machine was busy just
 * then, is started afresh (builder/machine.c does the same). */
static void boot(const struct vm_opts *o, struct vm **ret_vm, struct agentlink **ret_link)
{
	for (int tries = 3; !*ret_link; tries--) {
		struct agentlink_opts link;
		struct err *e = NULL;

		assert_ok(vm_boot(o, ret_vm, &e), e);
		link = link_opts(*ret_vm);
		if (!agentlink_open(&link, BOOT_MS, ret_link, &e))
			return;
		if (e->code != ERR_TIMEOUT || tries == 1)
			fail_msg("%s", e->msg);
		err_drop(&e);
		vm_free(take(*ret_vm));
		unlink(o->overlay_path);
		unlink(o->ram_path);
	}
}

static void it_boots_as_asked(void **state)
{
	struct lab *l = *state;
	const char *chain[] = { l->base };
	const char *context_chain[] = { l->base };
	struct vm_disk context = { context_chain, 1, "context" };
	struct vm_forward forwards[] = { { .guest_port = 80 }, { .guest_port = 80 } };
	struct vm_opts o = boot_opts(l, chain);
	struct agent_setup setup = { .hostname = "lab", .has_network = true };
	uint64_t fs_bytes = 0;
	struct err *e = NULL;

	o.disks = &context;
	o.n_disks = 1;
	o.forwards = forwards;
	o.n_forwards = 2;
	boot(&o, &l->vm, &l->link);
	assert_true(vm_pid(l->vm) > 0);
	assert_true(vm_forward_port(l->vm, 0) && vm_forward_port(l->vm, 1));
	assert_int_not_equal(vm_forward_port(l->vm, 0), vm_forward_port(l->vm, 1));
	assert_ok(agent_setup(l->link, &setup, &fs_bytes, &e), e);
	assert_true(fs_bytes > 900 << 20);
	assert_says(l->link, "busybox nproc", "2\n");
	assert_says(
		l->link,
		"busybox awk '/MemTotal/ { print ($2 > 190000 && $2 < 262144) }' /proc/meminfo",
		"1\n");
	assert_says(l->link,
		    "busybox cat /sys/block/vda/serial; echo; "
		    "busybox cat /sys/block/vdb/serial /sys/block/vdb/ro",
		    "root\ncontext1\n");
}

static void a_flooded_console_is_bounded(void **state)
{
	struct lab *l = *state;
	autostr out = STR_INIT, console = STR_INIT;

	sh(l->link,
	   "for i in $(busybox seq 3000); do "
	   "echo \"line $i is sixty bytes long or so, and then it is repeated.\"; "
	   "done >/dev/console; echo last words >/dev/console",
	   &out);
	vm_console_tail(l->vm, &console);
	assert_true(console.len > 32 << 10 && console.len <= 64 << 10);
	assert_non_null(strstr(console.at, "last words"));
	assert_null(strstr(console.at, "line 1 is"));
}

static void judge(const char *path)
{
	char *argv[] = { (char[]){ "qemu-img" },
			 (char[]){ "check" },
			 (char[]){ "-U" },
			 (char[]){ "-f" },
			 (char[]){ "qcow2" },
			 (char *)(uintptr_t)path,
			 NULL };
	autostr out = STR_INIT;
	struct err *e = NULL;

	assert_ok(proc_run(argv, 1 << 16, &out, &e), e);
	assert_non_null(strstr(out.at, "No errors"));
}

static char *digest(const char *path)
{
	AUTO(sha256) h = sha256_new();
	char hex[SHA256_HEX + 1], buf[65536];
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		sha256_add(h, buf, (size_t)n);
	sha256_end_hex(h, hex);
	return xstrdup(hex);
}

static void an_overlay_is_left_behind(void **state)
{
	struct lab *l = *state;
	autofree char *before = NULL, *after = NULL;
	struct err *e = NULL;

	assert_says(l->link,
		    "echo one >/one; busybox dd if=/dev/zero of=/zeros bs=1M count=32 "
		    "2>/dev/null; busybox sync; echo done",
		    "done\n");
	assert_ok(agent_freeze(l->link, &e), e);
	assert_ok(vm_switch_overlay(l->vm, l->second, &e), e);
	assert_ok(agent_thaw(l->link, &e), e);
	judge(l->first);
	before = digest(l->first);
	assert_says(l->link, "echo two >/two; busybox sync; busybox cat /one /two",
		    "one\ntwo\n");
	after = digest(l->first);
	assert_string_equal(before, after);
	assert_fails(vm_switch_overlay(l->vm, l->second, &e), e, ERR_SYS, "File exists");
	/* Zeros are not stored. */
	struct stat st;

	assert_int_equal(stat(l->first, &st), 0);
	assert_true(st.st_blocks * 512 < 24 << 20);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void memory_is_saved_without_its_zeros(void **state)
{
	struct lab *l = *state;
	struct err *e = NULL;
	double start;
	struct stat st;

	assert_says(l->link, "echo remembered >/dev/shm/note; echo done", "done\n");
	assert_ok(agent_quiesce(l->link, &e), e);
	start = seconds();
	assert_ok(vm_save(l->vm, l->state, &e), e);
	print_message("saved in %.0f ms\n", (seconds() - start) * 1000);
	assert_int_equal(stat(l->ram, &st), 0);
	assert_int_equal(st.st_size, MEMORY_MIB << 20);
	print_message("%lld of %d MiB stored\n", (long long)st.st_blocks / 2048, MEMORY_MIB);
	assert_true(st.st_blocks / 2048 < 128);
	judge(l->second);
	agentlink_free(take(l->link));
	vm_free(take(l->vm));
	/* As the store keeps it. */
	assert_int_equal(chmod(l->state, 0444), 0);
	assert_int_equal(chmod(l->second, 0444), 0);
}

struct clone {
	struct vm *vm;
	struct agentlink *link;
};

static void resume(struct lab *l, size_t i, struct clone *ret)
{
	autofree char *overlay = xasprintf("%s/clone%zu", l->dir, i);
	const char *chain[] = { l->base, l->first, l->second };
	const char *context_chain[] = { l->base };
	struct vm_disk context = { context_chain, 1, "context" };
	struct vm_forward forward = { .guest_port = 80 };
	struct vm_opts o = boot_opts(l, chain);
	struct agent_identity identity = { .now_sec = time(NULL),
					   .hostname = "clone",
					   .machine_id = "0123456789abcdef0123456789abcdef" };
	autostrv env = STRV_INIT;
	struct agentlink_opts link;
	struct err *e = NULL;
	double start = seconds(), runs;

	identity.env = &env;
	o.kernel = o.initrd = NULL;
	o.n_chain = 3;
	o.overlay_path = overlay;
	o.state_path = l->state;
	o.disks = &context;
	o.n_disks = 1;
	o.forwards = &forward;
	o.n_forwards = 1;
	o.has_no_network = i == 0;
	assert_ok(vm_restore(&o, &ret->vm, &e), e);
	runs = seconds();
	link = link_opts(ret->vm);
	assert_ok(agentlink_reopen(&link, 30000, &ret->link, &e), e);
	assert_ok(agent_identify(ret->link, &identity, &e), e);
	assert_ok(vm_publish(ret->vm, &e), e);
	print_message("clone %zu runs after %.0f ms, answers after %.0f ms\n", i,
		      (runs - start) * 1000, (seconds() - start) * 1000);
}

static void clones_share_and_stay_apart(void **state)
{
	struct lab *l = *state;
	struct clone clones[N_CLONES];
	autofree char *ram = digest(l->ram), *disk = digest(l->second);
	autofree char *ram_after = NULL, *disk_after = NULL;

	for (size_t i = 0; i < N_CLONES; i++)
		resume(l, i, &clones[i]);
	for (size_t i = 0; i < N_CLONES; i++) {
		autofree char *write = xasprintf("busybox cat /one /two /dev/shm/note; "
						 "echo %zu >/mine; echo %zu >/dev/shm/mine; "
						 "busybox sync",
						 i, i);

		assert_says(clones[i].link, write, "one\ntwo\nremembered\n");
	}
	for (size_t i = 0; i < N_CLONES; i++) {
		autofree char *want = xasprintf("%zu\n%zu\n", i, i);

		assert_says(clones[i].link, "busybox cat /mine /dev/shm/mine", want);
		agentlink_free(clones[i].link);
		vm_free(clones[i].vm);
	}
	ram_after = digest(l->ram);
	disk_after = digest(l->second);
	assert_string_equal(ram, ram_after);
	assert_string_equal(disk, disk_after);
}

/* Waits for vm_check() to fail. */
static int wait_for_end(struct vm *vm, struct err **e)
{
	for (int i = 0; i < 1500; i++) {
		struct timespec pause = { .tv_nsec = 20000000 };

		if (vm_check(vm, e))
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void what_became_of_it_is_told(void **state)
{
	static const struct {
		const char *command;
		const char *text;
	} cases[] = {
		{ "echo farewell >/dev/console; echo b >/proc/sysrq-trigger", "has rebooted" },
		{ "echo o >/proc/sysrq-trigger", "has shut down" },
		{ "echo c >/proc/sysrq-trigger", "the guest's kernel gave up: Kernel panic" },
	};
	struct lab *l = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autostrv argv = STRV_INIT, env = STRV_INIT;
		struct clone c;
		uint32_t id;
		struct err *e = NULL;

		resume(l, 10 + i, &c);
		strv_push(&argv, "/bin/busybox");
		strv_push(&argv, "sh");
		strv_push(&argv, "-c");
		strv_push(&argv, cases[i].command);
		strv_push(&env, "PATH=/bin");
		assert_ok(
			agent_start(c.link,
				    &(struct agent_exec){
					    .argv = &argv, .env = &env, .user = "", .cwd = "" },
				    &id, &e),
			e);
		assert_fails(wait_for_end(c.vm, &e), e, ERR_VM, cases[i].text);
		agentlink_free(c.link);
		vm_free(c.vm);
	}
}

static void a_killed_vmm_is_told(void **state)
{
	struct lab *l = *state;
	struct clone c;
	struct err *e = NULL;

	resume(l, 20, &c);
	assert_int_equal(kill(vm_pid(c.vm), SIGKILL), 0);
	assert_fails(wait_for_end(c.vm, &e), e, ERR_VM, "killed by signal 9");
	agentlink_free(c.link);
	vm_free(c.vm);
}

static void a_spoilt_state_is_told(void **state)
{
	struct lab *l = *state;
	autofree char *spoilt = in_lab(l, "spoilt"), *overlay = in_lab(l, "spoilt.qcow2");
	const char *chain[] = { l->base };
	struct vm_opts o = boot_opts(l, chain);
	struct vm *vm = NULL;
	struct err *e = NULL;

	assert_ok(fs_write_atomic(spoilt, "this is no state", 16, 0600, &e), e);
	o.overlay_path = overlay;
	o.state_path = spoilt;
	assert_fails(vm_restore(&o, &vm, &e), e, ERR_VM, "QEMU ended: ");
	o.memory_mib = MEMORY_MIB * 2;
	assert_fails(vm_restore(&o, &vm, &e), e, ERR_CORRUPT, "memory file");
}

static void bad_options_are_refused(void **state)
{
	static const char *const bad[] = { "localhost", "::1", "1.2.3", "1.2.3.4,restrict=off",
					   "" };
	struct lab *l = *state;
	const char *chain[] = { l->base, l->base };
	struct vm_forward taken = { .guest_port = 1 };
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	autoclose int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct vm_opts o = boot_opts(l, chain);
	struct vm *vm = NULL;
	struct err *e = NULL;

	o.cpus = 0;
	assert_fails(vm_boot(&o, &vm, &e), e, ERR_USAGE, "CPUs, not 0");
	o = boot_opts(l, chain);
	o.memory_mib = VM_MIN_MEMORY_MIB - 1;
	assert_fails(vm_boot(&o, &vm, &e), e, ERR_USAGE, "MiB of memory, not");
	o = boot_opts(l, chain);
	assert_fails(vm_boot(&o, &vm, &e), e, ERR_SYS, "File exists");
	o.n_chain = 2;
	assert_fails(vm_boot(&o, &vm, &e), e, ERR_CORRUPT, "no qcow2 file");

	/* A port that somebody else has. */
	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	taken.host_port = ntohs(a.sin_port);
	autofree char *ram = in_lab(l, "ram2"), *overlay = in_lab(l, "taken.qcow2");

	o = boot_opts(l, chain);
	o.ram_path = ram;
	o.overlay_path = overlay;
	o.forwards = &taken;
	o.n_forwards = 1;
	assert_fails(vm_boot(&o, &vm, &e), e, ERR_SYS, "Address already in use");
	unlink(overlay);
	unlink(ram);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		taken.host_addr = bad[i];
		assert_fails(vm_boot(&o, &vm, &e), e, ERR_USAGE, "no IPv4 address");
		unlink(overlay);
		unlink(ram);
	}
}

static void the_smallest_machine_boots(void **state)
{
	struct lab *l = *state;
	autofree char *ram = in_lab(l, "ram3"), *overlay = in_lab(l, "small.qcow2");
	const char *chain[] = { l->base };
	struct vm_opts o = boot_opts(l, chain);
	struct agent_setup setup = { .hostname = "small", .has_network = true };
	AUTO(vm) vm = NULL;
	AUTO(agentlink) a = NULL;
	uint64_t fs_bytes;
	struct err *e = NULL;

	o.cpus = 1;
	o.memory_mib = VM_MIN_MEMORY_MIB;
	o.ram_path = ram;
	o.overlay_path = overlay;
	boot(&o, &vm, &a);
	assert_ok(agent_setup(a, &setup, &fs_bytes, &e), e);
	assert_says(a, "echo works", "works\n");
}

/* The end of its own restore is not the end of its save. */
static void a_restored_machine_is_saved_whole(void **state)
{
	char dir[] = "/tmp/kiln-test-save-XXXXXX";
	autofree char *ram = NULL, *from = NULL, *to = NULL;
	struct vm_opts o = {
		.accel = "tcg", .cpus = 1, .memory_mib = VM_MIN_MEMORY_MIB, .owns_ram = true
	};
	AUTO(vm) vm = NULL;
	autostr saved = STR_INIT;
	struct err *e = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	o.ram_path = ram = xasprintf("%s/ram", dir);
	o.state_path = from = xasprintf("%s/from", dir);
	to = xasprintf("%s/to", dir);
	assert_ok(fs_write_atomic(ram, "", 0, 0600, &e), e);
	assert_int_equal(truncate(ram, (off_t)o.memory_mib << 20), 0);
	assert_ok(fs_write_atomic(from, "", 0, 0600, &e), e);
	setenv("KILN_QEMU", "tests/lib/slowqemu.py", 1);
	assert_ok(vm_restore(&o, &vm, &e), e);
	unsetenv("KILN_QEMU");
	assert_ok(vm_save(vm, to, &e), e);
	assert_ok(fs_read_file(to, 64, &saved, &e), e);
	assert_string_equal(saved.at, "whole");
	assert_ok(fs_remove_tree(dir, &e), e);
}

static void no_kernel_to_boot(void **state)
{
	(void)state;
	print_message("there is no build/guest: make guest\n");
	skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_boots_as_asked),
		cmocka_unit_test(a_flooded_console_is_bounded),
		cmocka_unit_test(an_overlay_is_left_behind),
		cmocka_unit_test(memory_is_saved_without_its_zeros),
		cmocka_unit_test(clones_share_and_stay_apart),
		cmocka_unit_test(what_became_of_it_is_told),
		cmocka_unit_test(a_killed_vmm_is_told),
		cmocka_unit_test(a_spoilt_state_is_told),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(the_smallest_machine_boots),
		cmocka_unit_test(a_restored_machine_is_saved_whole),
	};

	const struct CMUnitTest no_guest[] = {
		cmocka_unit_test(no_kernel_to_boot),
		cmocka_unit_test(a_restored_machine_is_saved_whole),
	};

	if (!getenv("KILN_GUEST_DIR") && !fs_exists("build/guest/vmlinuz"))
		return cmocka_run_group_tests(no_guest, NULL, NULL);
	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
