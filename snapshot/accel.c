#include "snapshot/accel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "snapshot/guest.h"
#include "snapshot/vm.h"

enum {
	PROBE_TIMEOUT_MS = 1500,
	PROBE_EVERY_MS = 20,
	PROBE_MEMORY_MIB = 128,
	CACHE_MAX_BYTES = 4096,
	VERSION_MAX_BYTES = 4096,
};

int accel_find_qemu(char **ret_path, struct err **e)
{
	const char *wanted = getenv("KILN_QEMU");
	const char *name = wanted && *wanted ? wanted : "qemu-system-x86_64";

	*ret_path = proc_find(name);
	if (*ret_path)
		return 0;
	if (wanted && *wanted)
		return err_set(e, ERR_NOTFOUND, "no program '%s', which KILN_QEMU names", name);
	return err_set(e, ERR_NOTFOUND, "no %s in PATH: apt-get install qemu-system-x86", name);
}

/* What tells one QEMU from another without running it: "/usr/bin/... 1712345678.5 16777216". */
static int identify(const char *qemu, char **ret, struct err **e)
{
	struct stat st;

	if (stat(qemu, &st))
		return err_sys(e, "looking at %s", qemu);
	*ret = xasprintf("%s %lld.%09ld %lld", qemu, (long long)st.st_mtim.tv_sec,
			 st.st_mtim.tv_nsec, (long long)st.st_size);
	return 0;
}

/*
 * An answer kept in cache_dir under `name`: an object whose "key" says what it was true for. A
 * cache that cannot be read or written is as good as none.
 */
static struct json *recall(const char *cache_dir, const char *name, const char *key)
{
	autofree char *path = xasprintf("%s/%s", cache_dir, name);
	AUTO(json) kept = NULL;
	AUTO(err) ignored = NULL;
	autostr text = STR_INIT;
	const char *kept_key;

	if (fs_read_file(path, CACHE_MAX_BYTES, &text, &ignored) ||
	    json_parse(text.at, text.len, path, &kept, &ignored) ||
	    json_get_str(kept, "key", &kept_key, &ignored) || !streq(kept_key, key))
		return NULL;
	return take(kept);
}

static void remember(const char *cache_dir, const char *name, const char *key,
		     struct json *answer)
{
	autofree char *path = xasprintf("%s/%s", cache_dir, name);
	autofree char *text = NULL;
	AUTO(err) ignored = NULL;

	json_put(answer, "key", json_from_str(key));
	text = json_text_indented(answer);
	fs_write_atomic(path, text, strlen(text), 0600, &ignored);
}

/*
 * Version.
 */

/* "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\n..." -> "qemu 7.2.22 (Debian ...)". */
static int read_version(const char *qemu, char **ret, struct err **e)
{
	static const char prefix[] = "QEMU emulator version ";
	char *argv[] = { (char *)(uintptr_t)qemu, (char[]){ "--version" }, NULL };
	autostr out = STR_INIT;

	if (proc_run(argv, VERSION_MAX_BYTES, &out, e))
		return -1;
	if (!str_starts(out.at, prefix))
		return err_set(e, ERR_VM, "%s is no QEMU", qemu);
	out.at[strcspn(out.at, "\r\n")] = '\0';
	*ret = xasprintf("qemu %s", out.at + strlen(prefix));
	return 0;
}

int vm_version(const char *cache_dir, char **ret_version, struct err **e)
{
	autofree char *qemu = NULL, *key = NULL;
	AUTO(json) kept = NULL;
	AUTO(err) ignored = NULL;
	const char *version;

	if (accel_find_qemu(&qemu, e) || identify(qemu, &key, e))
		return -1;
	kept = recall(cache_dir, "vmm-version.json", key);
	if (kept && !json_get_str(kept, "version", &version, &ignored)) {
		*ret_version = xstrdup(version);
		return 0;
	}
	if (read_version(qemu, ret_version, e))
		return -1;
	json_free(kept);
	kept = json_object_new();
	json_put(kept, "version", json_from_str(*ret_version));
	remember(cache_dir, "vmm-version.json", key, kept);
	return 0;
}

/*
 * Accelerator.
 */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * The kernel, given no root, ends with a panic that says so: it has then been through all of
 * its start under the accelerator. A few bytes of real-mode code would prove nothing: they also
 * run where a kernel hangs.
 */
static bool reaches_its_end(struct vm *vm, struct err **e)
{
	int64_t start = now_ms();

	do {
		struct timespec pause = { .tv_nsec = PROBE_EVERY_MS * 1000000L };
		autostr console = STR_INIT;

		nanosleep(&pause, NULL);
		if (!vm_check(vm, e))
			continue;
		vm_console_tail(vm, &console);
		if (!strstr(console.at, "Unable to mount root fs"))
			return false;
		err_drop(e);
		return true;
	} while (now_ms() - start < PROBE_TIMEOUT_MS);
	err_set(e, ERR_TIMEOUT, "a kernel did not start within %.1f s",
		PROBE_TIMEOUT_MS / 1000.0);
	return false;
}

/* Whether a kernel runs under KVM; *e says why not. */
static bool runs_kernel(const char *cache_dir, const char *kernel, struct err **e)
{
	uint64_t random;
	autofree char *ram = NULL;
	AUTO(vm) vm = NULL;
	int failed;

	fs_random(&random, sizeof(random));
	ram = xasprintf("%s/probe-%016llx", cache_dir, (unsigned long long)random);
	failed = vm_boot(&(struct vm_opts){ .cpus = 1,
					    .memory_mib = PROBE_MEMORY_MIB,
					    .accel = "kvm",
					    .kernel = kernel,
					    .ram_path = ram,
					    .has_no_network = true },
			 &vm, e);
	unlink(ram);
	return !failed && reaches_its_end(vm, e);
}

/* Why KVM cannot even be tried, or NULL. */
static const char *kvm_obstacle(void)
{
	autoclose int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return NULL;
	if (errno == ENOENT)
		return "there is no /dev/kvm, so machines are emulated";
	if (errno == EACCES || errno == EPERM)
		return "no permission to use /dev/kvm (usermod -aG kvm USER), so machines are "
		       "emulated";
	return "/dev/kvm cannot be opened, so machines are emulated";
}

static int from_environment(const char **ret_accel, char **ret_why, struct err **e)
{
	const char *wanted = getenv("KILN_ACCEL");

	if (!wanted || !*wanted || streq(wanted, "auto"))
		return 0;
	if (!streq(wanted, "kvm") && !streq(wanted, "tcg"))
		return err_set(e, ERR_USAGE, "KILN_ACCEL is '%s', not kvm, tcg or auto",
			       wanted);
	*ret_accel = streq(wanted, "kvm") ? "kvm" : "tcg";
	*ret_why = xasprintf("KILN_ACCEL says %s", wanted);
	return 1;
}

/* The answer holds for this QEMU, this kernel and this start of the host. */
static int probe_key(const char *kernel, char **ret, struct err **e)
{
	autofree char *qemu = NULL, *id = NULL, *kernel_id = NULL;
	autostr boot = STR_INIT;

	if (accel_find_qemu(&qemu, e) || identify(qemu, &id, e) ||
	    identify(kernel, &kernel_id, e) ||
	    fs_read_file("/proc/sys/kernel/random/boot_id", 64, &boot, e))
		return -1;
	*ret = xasprintf("%s %s %.36s", id, kernel_id, boot.at);
	return 0;
}

static bool recall_accel(const char *cache_dir, const char *key, const char **ret_accel,
			 char **ret_why)
{
	AUTO(json) kept = recall(cache_dir, "vmm-accel.json", key);
	AUTO(err) ignored = NULL;
	const char *accel, *why;

	if (!kept || json_get_str(kept, "accel", &accel, &ignored) ||
	    json_get_str(kept, "why", &why, &ignored))
		return false;
	*ret_accel = streq(accel, "kvm") ? "kvm" : "tcg";
	*ret_why = xstrdup(why);
	return true;
}

static void measure(const char *cache_dir, const char *kernel, const char **ret_accel,
		    char **ret_why)
{
	AUTO(err) failure = NULL;
	autofree char *text = NULL;
	int64_t start = now_ms();

	if (runs_kernel(cache_dir, kernel, &failure)) {
		*ret_accel = "kvm";
		*ret_why = xasprintf("a kernel started under KVM in %lld ms",
				     (long long)(now_ms() - start));
		return;
	}
	text = err_text(failure);
	*ret_accel = "tcg";
	*ret_why = xasprintf(
		"/dev/kvm is there but does not work (%s), so machines are emulated", text);
}

int vm_accel_probe(const char *cache_dir, const char **ret_accel, char **ret_why,
		   struct err **e)
{
	const char *obstacle;
	autofree char *kernel = NULL, *key = NULL;
	AUTO(err) no_kernel = NULL;
	AUTO(json) answer = NULL;
	int set = from_environment(ret_accel, ret_why, e);

	if (set)
		return set < 0 ? -1 : 0;
	*ret_accel = "tcg";
	obstacle = kvm_obstacle();
	if (!obstacle && guest_find_kernel(NULL, &kernel, NULL, &no_kernel))
		obstacle = "no guest kernel was found to try KVM with";
	if (obstacle) {
		*ret_why = xstrdup(obstacle);
		return 0;
	}
	if (probe_key(kernel, &key, e))
		return -1;
	if (recall_accel(cache_dir, key, ret_accel, ret_why))
		return 0;
	measure(cache_dir, kernel, ret_accel, ret_why);
	log_debug("accelerator: %s: %s", *ret_accel, *ret_why);
	answer = json_object_new();
	json_put(answer, "accel", json_from_str(*ret_accel));
	json_put(answer, "why", json_from_str(*ret_why));
	remember(cache_dir, "vmm-accel.json", key, answer);
	return 0;
}
