/* QEMU's command line: what is asked for is there, and resuming changes no device. */
#include "unit.h"

#include "snapshot/qemu_args.h"

static const char *const chain[] = { "/d/base,a=b.ext4", "/d/1.qcow2", "/d/2.qcow2" };
static const char *const context_chain[] = { "/d/context.ext4", "/d/c1.qcow2" };
static const struct vm_disk context = { context_chain, 2, "context" };
static const struct vm_forward forwards[] = {
	{ .guest_port = 80 },
	{ .host_addr = "0.0.0.0", .host_port = 53, .guest_port = 53, .is_udp = true },
};

static struct vm_opts machine(void)
{
	return (struct vm_opts){
		.cpus = 2,
		.memory_mib = 512,
		.accel = "tcg",
		.kernel = "/k/vmlinuz",
		.initrd = "/k/initrd",
		.cmdline = "loglevel=7",
		.chain = chain,
		.n_chain = 3,
		.overlay_path = "/w/top.qcow2",
		.disk_bytes = 1 << 30,
		.disks = &context,
		.n_disks = 1,
		.ram_path = "/w/ram",
		.state_path = "/w/state",
		.forwards = forwards,
		.n_forwards = 2,
	};
}

static void make(const struct vm_opts *vm, bool is_restore, struct strv *ret)
{
	struct qemu_args_opts o = { .qemu = "qemu",
				    .vm = vm,
				    .is_restore = is_restore,
				    .tsc_khz = is_restore ? 0 : 2596148 };

	qemu_args(&o, ret);
}

/* The value after the n-th appearance of an option, or NULL. */
static const char *value(const struct strv *a, const char *option, size_t n)
{
	for (size_t i = 0; i + 1 < a->n; i++)
		if (streq(a->at[i], option) && n-- == 0)
			return a->at[i + 1];
	return NULL;
}

static void assert_holds(const char *text, const char *part)
{
	assert_non_null(text);
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static void boot_has_all(void **state)
{
	struct vm_opts vm = machine();
	autostrv a = STRV_INIT;

	(void)state;
	make(&vm, false, &a);
	assert_string_equal(value(&a, "-smp", 0), "2");
	assert_string_equal(value(&a, "-m", 0), "512M");
	assert_string_equal(value(&a, "-accel", 0), "tcg");
	assert_string_equal(value(&a, "-kernel", 0), "/k/vmlinuz");
	assert_string_equal(value(&a, "-initrd", 0), "/k/initrd");
	assert_holds(value(&a, "-append", 0), "panic=-1");
	assert_holds(value(&a, "-append", 0), "tsc_early_khz=2596148");
	assert_holds(value(&a, "-append", 0), " loglevel=7");
	assert_holds(value(&a, "-object", 0), "\"mem-path\":\"/w/ram\"");
	assert_holds(value(&a, "-object", 0), "\"size\":536870912");
	assert_holds(value(&a, "-object", 0), "\"share\":true");
	assert_holds(value(&a, "-sandbox", 0), "spawn=deny");
	assert_string_equal(value(&a, "-netdev", 0), "user,id=net,ipv6=off");
	assert_null(value(&a, "-incoming", 0));
}

static void the_chain_is_explicit(void **state)
{
	static const char *const want[] = {
		"\"driver\":\"file\",\"node-name\":\"file0\",\"read-only\":true",
		"\"driver\":\"raw\",\"node-name\":\"disk0\",\"read-only\":true",
		"\"driver\":\"file\",\"node-name\":\"file1\",\"read-only\":true",
		"\"driver\":\"qcow2\",\"node-name\":\"disk1\",\"read-only\":true",
		"\"node-name\":\"file2\",\"read-only\":true",
		"\"node-name\":\"disk2\",\"read-only\":true",
		"\"node-name\":\"file3\",\"read-only\":false",
		"\"node-name\":\"disk3\",\"read-only\":false",
		"\"node-name\":\"extra-file0-0\",\"read-only\":true",
		"\"driver\":\"raw\",\"node-name\":\"extra0-0\",\"read-only\":true",
		"\"node-name\":\"extra-file0-1\",\"read-only\":true",
		"\"driver\":\"qcow2\",\"node-name\":\"extra0-1\",\"read-only\":true",
	};
	struct vm_opts vm = machine();
	autostrv a = STRV_INIT;

	(void)state;
	make(&vm, false, &a);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_holds(value(&a, "-blockdev", i), want[i]);
		assert_holds(value(&a, "-blockdev", i), "\"auto-read-only\":false");
	}
	assert_null(value(&a, "-blockdev", sizeof(want) / sizeof(want[0])));
	/* A comma in a path is no separator. */
	assert_holds(value(&a, "-blockdev", 0), "\"filename\":\"/d/base,a=b.ext4\"");
	assert_holds(value(&a, "-blockdev", 3), "\"backing\":\"disk0\"");
	assert_holds(value(&a, "-blockdev", 5), "\"backing\":\"disk1\"");
	assert_holds(value(&a, "-blockdev", 7), "\"backing\":\"disk2\"");
	assert_holds(value(&a, "-blockdev", 6), "/w/top.qcow2");
}

static void restore_has_the_same_devices(void **state)
{
	struct vm_opts vm = machine();
	autostrv boot = STRV_INIT, restore = STRV_INIT;

	(void)state;
	make(&vm, false, &boot);
	vm.forwards = NULL;
	vm.n_forwards = 0;
	vm.has_no_network = true;
	make(&vm, true, &restore);
	for (size_t i = 0; value(&boot, "-device", i) || value(&restore, "-device", i); i++)
		assert_string_equal(value(&boot, "-device", i), value(&restore, "-device", i));
	for (const char *const *o =
		     (const char *const[]){ "-machine", "-cpu", "-smp", "-m", "-accel", NULL };
	     *o; o++)
		assert_string_equal(value(&boot, *o, 0), value(&restore, *o, 0));
	assert_string_equal(value(&restore, "-incoming", 0), "defer");
	assert_holds(value(&restore, "-object", 0), "\"share\":false");
	assert_string_equal(value(&restore, "-netdev", 0), "user,id=net,ipv6=off,restrict=on");
	assert_null(value(&restore, "-kernel", 0));
	assert_null(value(&restore, "-append", 0));
}

static size_t count(const struct strv *a, const char *option, const char *part)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < a->n; i++)
		n += streq(a->at[i], option) && strstr(a->at[i + 1], part);
	return n;
}

/* As many devices as places, used or not, so that what was saved with one fits the other. */
static void empty_places_have_devices(void **state)
{
	struct vm_opts vm = machine();
	autostrv full = STRV_INIT, empty = STRV_INIT;

	(void)state;
	vm.n_disk_places = 4;
	make(&vm, true, &full);
	assert_int_equal(count(&full, "-device", "virtio-blk-device"), 4);
	assert_int_equal(count(&full, "-blockdev", "null-co"), 2);
	vm.n_chain = vm.n_disks = 0;
	make(&vm, false, &empty);
	assert_int_equal(count(&empty, "-device", "virtio-blk-device"), 4);
	assert_int_equal(count(&empty, "-blockdev", "null-co"), 4);
	vm.owns_ram = true;
	strv_release(&full);
	make(&vm, true, &full);
	assert_holds(value(&full, "-object", 0), "\"share\":true");
}

static void kvm_gets_no_crutches(void **state)
{
	struct vm_opts vm = machine();
	autostrv a = STRV_INIT;
	struct qemu_args_opts o = { .qemu = "qemu", .vm = &vm };

	(void)state;
	vm.accel = "kvm";
	qemu_args(&o, &a);
	assert_string_equal(value(&a, "-cpu", 0), "max");
	assert_null(strstr(value(&a, "-append", 0), "tsc"));
	assert_null(strstr(value(&a, "-append", 0), "clearcpuid"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boot_has_all),
		cmocka_unit_test(the_chain_is_explicit),
		cmocka_unit_test(restore_has_the_same_devices),
		cmocka_unit_test(empty_places_have_devices),
		cmocka_unit_test(kvm_gets_no_crutches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
