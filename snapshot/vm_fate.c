/* vm_fate.c - whether a machine still runs, and what it said before it didn't. */
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "snapshot/qemu_args.h"
#include "snapshot/vm_internal.h"

enum {
	STDERR_KEPT = 4096,
	ENDING_MS = 2000, /* from the end of the control connection to the end of the process */
	WATCH_EVERY_MS = 500,
	TAIL_LINES = 6,
	TAIL_BYTES = 800,
};

/* Keeps the last `max` bytes. */
static void keep_tail(struct str *s, size_t max)
{
	if (s->len > max) {
		memmove(s->at, s->at + s->len - max, max);
		s->len = max;
		s->at[max] = '\0';
	}
}

static void drain_stderr(struct vm *vm)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(vm->words, buf, sizeof(buf))) > 0) {
		str_addn(&vm->stderr_text, buf, (size_t)n);
		keep_tail(&vm->stderr_text, STDERR_KEPT);
	}
}

/* The last lines of a text as one: "a | b | c", control bytes made visible. */
static char *last_lines(const struct str *text)
{
	autostr line = STR_INIT;
	const char *end = text->at + text->len, *from;
	int n = 0;

	while (end > text->at && strchr(" \r\n", end[-1]))
		end--;
	for (from = end; from > text->at && end - from < TAIL_BYTES; from--)
		if (from[-1] == '\n' && ++n == TAIL_LINES)
			break;
	while (from < end) {
		const char *stop = memchr(from, '\n', (size_t)(end - from));
		const char *next = stop ? stop + 1 : end;

		stop = stop ? stop : end;
		while (stop > from && stop[-1] == '\r')
			stop--;
		if (stop > from && line.len)
			str_add(&line, " | ");
		str_add_visible(&line, from, (size_t)(stop - from));
		from = next;
	}
	return str_take(&line);
}

static bool reap(struct vm *vm, int timeout_ms)
{
	int64_t deadline = clock_usec() + (int64_t)timeout_ms * 1000;

	while (vm->pid) {
		struct timespec pause = { .tv_nsec = 2000000 };
		pid_t got = waitpid(vm->pid, &vm->exit_status, WNOHANG);

		if (got != 0)
			vm->pid = 0;
		else if (clock_usec() >= deadline)
			return false;
		else
			nanosleep(&pause, NULL);
	}
	return true;
}

/*
 * QEMU has failed us with *e. If it did because it has ended, what it had to say on stderr is
 * the better error.
 */
int vm_explain(struct vm *vm, struct err **e)
{
	autofree char *words = NULL;

	if (!vm->qmp || !qmp_is_closed(vm->qmp) || !reap(vm, ENDING_MS)) {
		drain_stderr(vm);
		return -1;
	}
	drain_stderr(vm);
	words = last_lines(&vm->stderr_text);
	err_drop(e);
	if (*words)
		return err_set(e, ERR_VM, "QEMU ended: %s", words);
	/* Its memory is a file: no block could be had for a page. */
	if (WIFSIGNALED(vm->exit_status) && WTERMSIG(vm->exit_status) == SIGBUS)
		return err_set(e, ERR_SYS,
			       "no space is left on the host for the guest's memory");
	if (WIFSIGNALED(vm->exit_status))
		return err_set(e, ERR_VM, "QEMU was killed by signal %d (%s)",
			       WTERMSIG(vm->exit_status), strsignal(WTERMSIG(vm->exit_status)));
	return err_set(e, ERR_VM, "QEMU ended with status %d", WEXITSTATUS(vm->exit_status));
}

static void read_console(struct vm *vm)
{
	struct json *args = json_object_new();
	const struct json *data = NULL;
	AUTO(json) answer = NULL;
	AUTO(err) ignored = NULL;
	const char *text;

	json_put(args, "device", json_from_str(QEMU_CONSOLE));
	json_put(args, "size", json_from_int(QEMU_CONSOLE_BYTES));
	if (qmp_send(vm->qmp, "ringbuf-read", args, -1, &ignored) ||
	    qmp_wait(vm->qmp, &answer, &data, &ignored))
		return;
	text = json_as_str(data);
	if (text)
		str_add(&vm->console, text);
	keep_tail(&vm->console, QEMU_CONSOLE_BYTES);
}

void vm_console_tail(struct vm *vm, struct str *ret)
{
	if (vm->pid)
		read_console(vm);
	str_addn(ret, vm->console.at, vm->console.len);
}

/* Why the guest's kernel gave up, and what its console said before that. */
static int guest_panicked(const struct vm *vm, const char *panic, struct err **e)
{
	autofree char *reason = xstrndup(panic, strcspn(panic, "\r\n"));
	autostr before = STR_INIT;
	autofree char *lines = NULL;

	str_addn(&before, vm->console.at, (size_t)(panic - vm->console.at));
	/* Without what stands in front of the panic on its own line, its time. */
	while (before.len && before.at[before.len - 1] != '\n')
		before.at[--before.len] = '\0';
	lines = last_lines(&before);
	return err_set(e, ERR_VM, "the guest's kernel gave up: %s%s%s", reason,
		       *lines ? "; its console said before: " : "", lines);
}

static int guest_ended(struct vm *vm, struct err **e)
{
	bool has_rebooted = streq(vm->shutdown, "guest-reset");
	autofree char *lines = NULL;
	const char *panic;

	read_console(vm);
	panic = strstr(vm->console.at, "Kernel panic");
	if (panic)
		return guest_panicked(vm, panic, e);
	if (has_rebooted && !vm->is_restored && !vm->console.len)
		return err_set(
			e, ERR_VM,
			"the guest's kernel ended before its first word: it has too little "
			"memory, or is no kernel for this machine");
	lines = last_lines(&vm->console);
	return err_set(e, ERR_VM, "the guest has %s%s%s",
		       has_rebooted ? "rebooted" : "shut down",
		       *lines ? "; its console ended: " : "", lines);
}

/*
 * The kernel finds out how fast its timer runs by watching it for a tenth of a second. If the
 * host gives the emulated CPU no time in just that moment, it sees a timer that stands still,
 * gives it up, and waits for ever for the next tick: there is no other. (Linux
 * calibrate_APIC_clock(). Less of a delay only makes interrupts come early or late; the clock
 * itself is not affected.)
 */
static bool is_timer_dead(struct vm *vm)
{
	int64_t now = clock_usec();

	if (now > vm->watch_until_usec || now < vm->next_watch_usec)
		return false;
	vm->next_watch_usec = now + WATCH_EVERY_MS * 1000;
	read_console(vm);
	return strstr(vm->console.at, "disabling apic timer") != NULL;
}

int vm_check(struct vm *vm, struct err **e)
{
	drain_stderr(vm);
	if (qmp_poll(vm->qmp, 0, e))
		return vm_explain(vm, e);
	if (vm->is_full)
		return err_set(e, ERR_SYS, "no space is left on the host for the guest's disk");
	if (vm->has_io_error)
		return err_set(e, ERR_VM, "the guest's disk failed on the host");
	if (vm->shutdown)
		return guest_ended(vm, e);
	if (is_timer_dead(vm))
		return err_set(
			e, ERR_TIMEOUT,
			"the guest could not set its timer, because this machine was busy");
	return 0;
}
