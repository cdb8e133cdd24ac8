/* The guest directory and the initramfs, which cpio unpacks; QEMU's version and the probe. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "snapshot/guest.h"
#include "snapshot/vm.h"

static const char agent[] = "#!agent";

struct place {
	char dir[64];
	char cache[80];
};

static void put(const char *path, const void *bytes, size_t n)
{
	struct err *e = NULL;

	assert_ok(fs_write_atomic(path, bytes, n, 0644, &e), e);
}

static void put_text(struct place *p, const char *name, const char *text)
{
	autofree char *path = xasprintf("%s/%s", p->dir, name);

	put(path, text, strlen(text));
}

/* The start of a bzImage, as far as anyone here looks at it. */
static void put_kernel(struct place *p, const char *name, const char *release)
{
	autofree char *path = xasprintf("%s/%s", p->dir, name);
	char bytes[4096] = "";

	memcpy(bytes + 0x202, "HdrS", 4);
	bytes[0x20e] = 0x00;
	bytes[0x20f] = 0x02;
	snprintf(bytes + 0x400, 200, "%s (builder@host) #1 SMP", release);
	put(path, bytes, sizeof(bytes));
}

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	struct err *e = NULL;
	autofree char *modules = NULL;

	strcpy(p->dir, "/tmp/kiln-test-guest-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->cache, sizeof(p->cache), "%s/cache", p->dir);
	modules = xasprintf("%s/modules", p->dir);
	assert_ok(fs_mkdirs(p->cache, 0700, &e), e);
	assert_ok(fs_mkdirs(modules, 0700, &e), e);
	put_kernel(p, "vmlinuz", "6.1.0-test");
	put_text(p, "modules/order", "b.ko\na.ko\n");
	put_text(p, "modules/a.ko", "module a");
	put_text(p, "modules/b.ko", "module b");
	put_text(p, "modules/unlisted.ko", "not wanted");
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	struct err *e = NULL;

	unsetenv("KILN_GUEST_DIR");
	unsetenv("KILN_QEMU");
	unsetenv("KILN_ACCEL");
	assert_ok(fs_remove_tree(p->dir, &e), e);
	free(p);
	return 0;
}

static struct guest *find(struct place *p, const char *kernel)
{
	struct guest *g = NULL;
	struct err *e = NULL;

	assert_ok(guest_find(kernel, agent, sizeof(agent) - 1, p->cache, &g, &e), e);
	return g;
}

static void cpio_unpacks_the_initramfs(void **state)
{
	struct place *p = *state;
	AUTO(guest) g = find(p, p->dir);
	autofree char *out = xasprintf("%s/out", p->dir);
	/* Devices are only listed, since making them needs root. */
	autofree char *script = xasprintf(
		"mkdir %s && cd %s && cpio -im --quiet -f 'dev/*' <%s && find . | sort && "
		"stat -c '%%n %%F %%a %%Y' init && cat init modules/* && "
		"cpio -tvn --quiet 'dev/*' <%s | awk '{ print $1, $5, $6, $NF }'",
		out, out, g->initrd, g->initrd);
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, script, NULL };
	autostr text = STR_INIT;
	struct err *e = NULL;

	assert_ok(proc_run(argv, 65536, &text, &e), e);
	assert_string_equal(text.at, ".\n./dev\n./init\n./modules\n./modules/a.ko\n"
				     "./modules/b.ko\n./modules/order\n"
				     "init regular file 755 0\n"
				     "#!agentmodule amodule bb.ko\na.ko\n"
				     "crw------- 5, 1 dev/console\n"
				     "crw------- 1, 3 dev/null\n");
	assert_string_equal(g->release, "6.1.0-test");
}

static void it_is_made_once(void **state)
{
	struct place *p = *state;
	AUTO(guest) first = find(p, p->dir);
	AUTO(guest) second = NULL;
	AUTO(guest) third = NULL;
	AUTO(guest) fourth = NULL;
	struct stat a, b;

	assert_int_equal(stat(first->initrd, &a), 0);
	second = find(p, p->dir);
	assert_int_equal(stat(second->initrd, &b), 0);
	assert_string_equal(first->id, second->id);
	assert_int_equal(a.st_ino, b.st_ino);
	/* Lost: the same again. A changed module: another. */
	unlink(first->initrd);
	third = find(p, p->dir);
	assert_string_equal(first->id, third->id);
	assert_true(fs_exists(third->initrd));
	put_text(p, "modules/a.ko", "module A");
	fourth = find(p, p->dir);
	assert_string_not_equal(first->id, fourth->id);
	assert_string_not_equal(first->initrd, fourth->initrd);
}

static void a_bare_kernel_has_its_drivers(void **state)
{
	struct place *p = *state;
	autofree char *dir = xasprintf("%s/bare", p->dir);
	autofree char *kernel = xasprintf("%s/bzImage", dir);
	AUTO(guest) g = NULL;
	struct err *e = NULL;

	assert_ok(fs_mkdirs(dir, 0700, &e), e);
	put_text(p, "bare/bzImage", "too short to be one");
	g = find(p, kernel);
	assert_string_equal(g->kernel, kernel);
	assert_string_equal(g->release, "unknown");
}

static void places_are_tried_in_order(void **state)
{
	struct place *p = *state;
	autofree char *kernel = NULL;
	struct err *e = NULL;

	assert_fails(guest_find_kernel("/nowhere/bzImage", &kernel, NULL, &e), e, ERR_NOTFOUND,
		     "there is no kernel at /nowhere/bzImage");
	setenv("KILN_GUEST_DIR", "/nowhere", 1);
	assert_fails(guest_find_kernel(NULL, &kernel, NULL, &e), e, ERR_NOTFOUND,
		     "KILN_GUEST_DIR names /nowhere");
	setenv("KILN_GUEST_DIR", p->dir, 1);
	assert_ok(guest_find_kernel(NULL, &kernel, NULL, &e), e);
	assert_true(str_starts(kernel, p->dir));
}

static void hostile_orders_are_refused(void **state)
{
	static const char *const orders[] = { "../a.ko\n", "/etc/passwd\n", "a.ko\n\nb.ko\n",
					      ".hidden\n" };
	struct place *p = *state;
	struct guest *g = NULL;
	struct err *e = NULL;

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		put_text(p, "modules/order", orders[i]);
		assert_fails(guest_find(p->dir, agent, sizeof(agent), p->cache, &g, &e), e,
			     ERR_CORRUPT, "no file name");
	}
	put_text(p, "modules/order", "missing.ko\n");
	assert_fails(guest_find(p->dir, agent, sizeof(agent), p->cache, &g, &e), e, ERR_SYS,
		     "missing.ko");
}

/* A QEMU that says what it is told to. */
static void put_qemu(struct place *p, const char *script)
{
	autofree char *path = xasprintf("%s/qemu", p->dir);

	put(path, script, strlen(script));
	assert_int_equal(chmod(path, 0755), 0);
	setenv("KILN_QEMU", path, 1);
}

static void the_version_is_remembered(void **state)
{
	struct place *p = *state;
	autofree char *first = NULL, *second = NULL;
	autofree char *count = xasprintf("%s/count", p->dir);
	autofree char *script =
		xasprintf("#!/bin/sh\necho x >>%s\n"
			  "echo 'QEMU emulator version 9.1.0 (Test 1)'\necho more\n",
			  count);
	struct stat st;
	struct err *e = NULL;

	put_qemu(p, script);
	assert_ok(vm_version(p->cache, &first, &e), e);
	assert_ok(vm_version(p->cache, &second, &e), e);
	assert_string_equal(first, "qemu 9.1.0 (Test 1)");
	assert_string_equal(second, first);
	assert_int_equal(stat(count, &st), 0);
	assert_int_equal(st.st_size, 2);
}

static void no_qemu_is_explained(void **state)
{
	struct place *p = *state;
	char *version = NULL, *path = xstrdup(getenv("PATH"));
	struct err *e = NULL;

	setenv("PATH", p->dir, 1);
	assert_fails(vm_version(p->cache, &version, &e), e, ERR_NOTFOUND,
		     "apt-get install qemu-system-x86");
	setenv("PATH", path, 1);
	free(path);
	setenv("KILN_QEMU", "/nowhere/qemu", 1);
	assert_fails(vm_version(p->cache, &version, &e), e, ERR_NOTFOUND, "KILN_QEMU names");
	put_qemu(p, "#!/bin/sh\necho hello\n");
	assert_fails(vm_version(p->cache, &version, &e), e, ERR_VM, "is no QEMU");
}

static void the_probe_can_be_overruled(void **state)
{
	struct place *p = *state;
	const char *accel = NULL;
	char *why = NULL;
	struct err *e = NULL;

	setenv("KILN_ACCEL", "kvm", 1);
	assert_ok(vm_accel_probe(p->cache, &accel, &why, &e), e);
	assert_string_equal(accel, "kvm");
	assert_string_equal(why, "KILN_ACCEL says kvm");
	free(why);
	setenv("KILN_ACCEL", "xen", 1);
	assert_fails(vm_accel_probe(p->cache, &accel, &why, &e), e, ERR_USAGE,
		     "not kvm, tcg or");
}

/* Here a KVM that doesn't work is a QEMU that says so, where there is /dev/kvm at all. */
static void a_broken_kvm_is_measured_once(void **state)
{
	struct place *p = *state;
	autofree char *count = xasprintf("%s/count", p->dir);
	autofree char *script =
		xasprintf("#!/bin/sh\necho x >>%s\necho 'broken by the test' >&2\n"
			  "exit 1\n",
			  count);
	const char *accel = NULL;
	char *why = NULL;
	struct stat st;
	struct err *e = NULL;

	setenv("KILN_GUEST_DIR", p->dir, 1);
	put_qemu(p, script);
	for (int i = 0; i < 2; i++) {
		assert_ok(vm_accel_probe(p->cache, &accel, &why, &e), e);
		assert_string_equal(accel, "tcg");
		assert_non_null(strstr(why, "machines are emulated"));
		if (access("/dev/kvm", R_OK | W_OK) == 0) {
			assert_non_null(strstr(why, "broken by the test"));
			assert_int_equal(stat(count, &st), 0);
			assert_int_equal(st.st_size, 2);
		}
		free(why);
	}
}

#define IN_PLACE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(cpio_unpacks_the_initramfs),    IN_PLACE(it_is_made_once),
		IN_PLACE(a_bare_kernel_has_its_drivers), IN_PLACE(places_are_tried_in_order),
		IN_PLACE(hostile_orders_are_refused),    IN_PLACE(the_version_is_remembered),
		IN_PLACE(no_qemu_is_explained),          IN_PLACE(the_probe_can_be_overruled),
		IN_PLACE(a_broken_kvm_is_measured_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
