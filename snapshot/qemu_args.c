#include "snapshot/qemu_args.h"

#include <string.h>

char *qemu_disk_node(size_t i)
{
	return xasprintf("disk%zu", i);
}

char *qemu_file_node(size_t i)
{
	return xasprintf("file%zu", i);
}

/*
 * No flush of the guest reaches the host's disk: nothing in these files outlives a crash of the
 * host anyway. What is to be kept is synced by the store when it takes a file over, and apt and
 * dpkg, which sync after each file, would be many times slower.
 */
static struct json *cache_mode(void)
{
	struct json *o = json_object_new();

	json_put(o, "direct", json_from_bool(false));
	json_put(o, "no-flush", json_from_bool(true));
	return o;
}

static struct json *blockdev(const char *driver, const char *node, bool is_writable)
{
	struct json *o = json_object_new();

	json_put(o, "driver", json_from_str(driver));
	json_put(o, "node-name", json_from_str(node));
	json_put(o, "read-only", json_from_bool(!is_writable));
	json_put(o, "auto-read-only", json_from_bool(false));
	json_put(o, "cache", cache_mode());
	if (is_writable)
		json_put(o, "discard", json_from_str("unmap"));
	return o;
}

struct json *qemu_blockdev_file(const char *node, const char *path, bool is_writable)
{
	struct json *o = blockdev("file", node, is_writable);

	json_put(o, "filename", json_from_str(path));
	return o;
}

struct json *qemu_blockdev_qcow2(const char *node, const char *file_node, const char *below,
				 bool is_writable)
{
	struct json *o = blockdev("qcow2", node, is_writable);

	json_put(o, "file", json_from_str(file_node));
	json_put(o, "backing", below ? json_from_str(below) : json_null_new());
	/* Zeros that a guest writes take no room in its layer: half of it, in a Debian guest.
	 */
	if (is_writable)
		json_put(o, "detect-zeroes", json_from_str("unmap"));
	return o;
}

static struct json *blockdev_raw(const char *node, const char *file_node, bool is_writable)
{
	struct json *o = blockdev("raw", node, is_writable);

	json_put(o, "file", json_from_str(file_node));
	return o;
}

static void add(struct strv *a, const char *option, const char *value)
{
	strv_push(a, option);
	strv_push(a, value);
}

static void add_json(struct strv *a, const char *option, struct json *take_value)
{
	AUTO(json) value = take_value;

	strv_push(a, option);
	strv_push_take(a, json_text(value));
}

/*
 * Machine: no PIT and PIC (ACPI's reduced hardware, where Linux uses neither), no option ROMs
 * (qboot, microvm's firmware, loads the kernel by itself), but an RTC: without one Linux waits
 * for it twice, a second each time. Pages are not shared with other machines by KSM.
 */
static void add_machine(const struct qemu_args_opts *o, struct strv *a)
{
	bool is_tcg = streq(o->vm->accel, "tcg");

	strv_push(a, o->qemu);
	strv_push(a, "-nodefaults");
	strv_push(a, "-no-user-config");
	add(a, "-display", "none");
	add(a, "-sandbox",
	    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	/* When the guest ends or panics (panic=-1: it reboots), QEMU stays: its console is
	 * read. */
	add(a, "-action", "reboot=shutdown,shutdown=pause,panic=pause");
	add(a, "-machine",
	    "microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on,usb=off,x-option-roms=off,"
	    "auto-kernel-cmdline=off,mem-merge=off,dump-guest-core=off,memory-backend=ram");
	add(a, "-accel", o->vm->accel);
	/*
	 * Emulation does string instructions element by element: memory is cleared ten times as
	 * fast by plain stores, which the guest takes when it is not told that `rep` is fast.
	 */
	add(a, "-cpu", is_tcg ? "max,-erms,-fsrm" : "max");
	strv_push(a, "-smp");
	strv_pushf(a, "%u", o->vm->cpus);
	strv_push(a, "-m");
	strv_pushf(a, "%uM", o->vm->memory_mib);
}

static void add_memory(const struct qemu_args_opts *o, struct strv *a)
{
	struct json *m = json_object_new();

	json_put(m, "qom-type", json_from_str("memory-backend-file"));
	json_put(m, "id", json_from_str("ram"));
	json_put(m, "mem-path", json_from_str(o->vm->ram_path));
	json_put(m, "size", json_from_int((int64_t)o->vm->memory_mib << 20));
	json_put(m, "share", json_from_bool(!o->is_restore || o->vm->owns_ram));
	/* Many clones may stand beside each other; few write much of their memory. */
	json_put(m, "reserve", json_from_bool(false));
	add_json(a, "-object", m);
}

/*
 * tsc_early_khz: without PIT there is nothing to calibrate against. clearcpuid: see -cpu; the
 * third reason for `rep` isn't a CPUID bit. norandmaps: emulated code is translated once per
 * address it is mapped at, so that with randomised addresses every process is translated anew:
 * 18 ms for a `true` instead of 4. The self-tests of the kernel's ciphers take a fifth of a
 * second. reboot=t: a triple fault always ends the machine; of the other ways some lead back
 * into the firmware, which halts. noautogroup, psi, audit: bookkeeping nobody reads here; a
 * resumed guest has to translate its code before the first command. lsm: of Debian's security
 * modules those that work without being given a policy; the hooks of the others (AppArmor,
 * TOMOYO, BPF) were a twelfth of what had to be translated for a first command. loglevel=5:
 * warnings, since vm_check() looks for one.
 */
static void add_kernel(const struct qemu_args_opts *o, struct strv *a)
{
	autostr cmdline = STR_INIT;

	str_add(&cmdline, "console=ttyS0 loglevel=5 edd=off pci=off panic=-1 reboot=t "
			  "cryptomgr.notests=1 noautogroup psi=0 audit=0 nowatchdog "
			  "lsm=landlock,yama");
	if (streq(o->vm->accel, "tcg"))
		str_add(&cmdline, " clearcpuid=rep_good tsc=reliable norandmaps");
	if (o->tsc_khz)
		str_addf(&cmdline, " tsc_early_khz=%llu", (unsigned long long)o->tsc_khz);
	if (o->vm->cmdline)
		str_addf(&cmdline, " %s", o->vm->cmdline);
	add(a, "-kernel", o->vm->kernel);
	if (o->vm->initrd)
		add(a, "-initrd", o->vm->initrd);
	add(a, "-append", cmdline.at);
}

static void add_channels(struct strv *a)
{
	strv_push(a, "-chardev");
	strv_pushf(a, "socket,id=qmp,fd=%d", QEMU_FD_QMP);
	add(a, "-mon", "chardev=qmp,mode=control");
	/* A guest that floods its console overwrites its own last words, and nothing else. */
	strv_push(a, "-chardev");
	strv_pushf(a, "ringbuf,id=" QEMU_CONSOLE ",size=%d", QEMU_CONSOLE_BYTES);
	add(a, "-serial", "chardev:" QEMU_CONSOLE);
	strv_push(a, "-chardev");
	strv_pushf(a, "socket,id=agent,fd=%d", QEMU_FD_AGENT);
	add(a, "-device", "virtio-serial-device,max_ports=2");
	add(a, "-device", "virtserialport,chardev=agent,name=kiln.agent.0");
	add(a, "-object", "rng-builtin,id=rng");
	add(a, "-device", "virtio-rng-device,rng=rng");
}

static void add_disk_device(struct strv *a, const char *node, const char *serial)
{
	struct json *d = json_object_new();

	json_put(d, "driver", json_from_str("virtio-blk-device"));
	json_put(d, "drive", json_from_str(node));
	json_put(d, "serial", json_from_str(serial));
	add_json(a, "-device", d);
}

static void add_root_disk(const struct vm_opts *vm, struct strv *a)
{
	autofree char *below = NULL;

	for (size_t i = 0; i <= vm->n_chain; i++) {
		autofree char *file = qemu_file_node(i);
		char *node = qemu_disk_node(i);
		bool is_top = i == vm->n_chain;
		const char *path = is_top ? vm->overlay_path : vm->chain[i];

		add_json(a, "-blockdev", qemu_blockdev_file(file, path, is_top));
		add_json(a, "-blockdev",
			 i == 0 ? blockdev_raw(node, file, false)
				: qemu_blockdev_qcow2(node, file, below, is_top));
		free(below);
		below = node;
	}
	add_disk_device(a, below, "root");
}

static void add_extra_disk(const struct vm_disk *disk, size_t i, struct strv *a)
{
	size_t n = disk->n_chain + (disk->overlay_path != NULL);
	autofree char *below = NULL;

	for (size_t k = 0; k < n; k++) {
		autofree char *file = xasprintf("extra-file%zu-%zu", i, k);
		char *node = xasprintf("extra%zu-%zu", i, k);
		bool is_overlay = k == disk->n_chain;
		const char *path = is_overlay ? disk->overlay_path : disk->chain[k];
		bool is_writable = is_overlay || disk->is_writable;

		add_json(a, "-blockdev", qemu_blockdev_file(file, path, is_writable));
		add_json(a, "-blockdev",
			 k == 0 ? blockdev_raw(node, file, is_writable)
				: qemu_blockdev_qcow2(node, file, below, is_writable));
		free(below);
		below = node;
	}
	add_disk_device(a, below, disk->serial);
}

/* A machine without network has the same device; nothing behind it answers. After a restore
 * nobody has to be told where the guest's address has gone to. */
static void add_network(const struct qemu_args_opts *o, struct strv *a)
{
	add(a, "-netdev",
	    o->vm->has_no_network ? "user,id=net,ipv6=off,restrict=on"
				  : "user,id=net,ipv6=off");
	add(a, "-device", "virtio-net-device,netdev=net,guest_announce=off");
}

static void add_empty_place(size_t i, struct strv *a)
{
	autofree char *node = xasprintf("empty%zu", i);
	struct json *o = json_object_new();

	json_put(o, "driver", json_from_str("null-co"));
	json_put(o, "node-name", json_from_str(node));
	json_put(o, "size", json_from_int(0));
	add_json(a, "-blockdev", o);
	add_disk_device(a, node, node);
}

void qemu_args(const struct qemu_args_opts *o, struct strv *ret)
{
	const struct vm_opts *vm = o->vm;

	add_machine(o, ret);
	add_memory(o, ret);
	/* A machine that resumes has its kernel in memory already. */
	if (o->is_restore)
		add(ret, "-incoming", "defer");
	else
		add_kernel(o, ret);
	add_channels(ret);
	add_network(o, ret);
	if (vm->n_chain)
		add_root_disk(vm, ret);
	for (size_t i = 0; i < vm->n_disks; i++)
		add_extra_disk(&vm->disks[i], i, ret);
	for (size_t i = (vm->n_chain != 0) + vm->n_disks; i < vm->n_disk_places; i++)
		add_empty_place(i, ret);
}
