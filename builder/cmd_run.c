/* cmd_run.c - `kiln run`: a private clone of a template, resumed from memory or booted from
 * disk. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "builder/commands.h"
#include "builder/machine.h"
#include "builder/service.h"
#include "builder/session.h"
#include "progress/progress.h"

enum { PORTS_MAX = 64, COLD_TIMEOUT_SEC = 120 };

struct run {
	const char *name;
	struct strv ports, env, command;
	const char *user, *cwd, *kernel;
	bool is_interactive, has_tty, is_cold, is_json;
	unsigned ready_timeout;
	struct vm_forward forwards[PORTS_MAX];
	struct strv addresses; /* host addresses the forwards borrow */
};

static int parse_port(const char *s, size_t n, uint16_t *ret)
{
	unsigned long port = 0;

	if (!n || n > 5)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		port = port * 10 + (unsigned long)(s[i] - '0');
	}
	if (port > 65535)
		return -1;
	*ret = (uint16_t)port;
	return 0;
}

/* Cuts text at its last colon: the part behind it, and n is what stands before. */
static const char *after_colon(const char *text, size_t *n)
{
	const char *colon = memrchr(text, ':', *n);

	*n = colon ? (size_t)(colon - text) : 0;
	return colon ? colon + 1 : text;
}

/* [[ADDRESS:]HOST:]GUEST[/udp]; no HOST, or 0: any free port. */
static int parse_forward(struct run *r, const char *text, struct vm_forward *ret)
{
	size_t n = strlen(text), end;
	const char *part;

	*ret = (struct vm_forward){ .is_udp = str_ends(text, "/udp") };
	if (str_ends(text, "/udp") || str_ends(text, "/tcp"))
		n -= 4;
	end = n;
	part = after_colon(text, &n);
	if (parse_port(part, (size_t)(text + end - part), &ret->guest_port) || !ret->guest_port)
		return -1;
	if (part == text)
		return 0;
	end = n;
	part = after_colon(text, &n);
	if (end && parse_port(part, (size_t)(text + end - part), &ret->host_port))
		return -1;
	if (part == text)
		return 0;
	strv_push_take(&r->addresses, xstrndup(text, n));
	ret->host_addr = r->addresses.at[r->addresses.n - 1];
	return 0;
}

static int parse_forwards(struct run *r, struct err **e)
{
	if (r->ports.n > PORTS_MAX)
		return err_set(e, ERR_USAGE,
			       "-p was given %zu times: at most %d ports can be published",
			       r->ports.n, PORTS_MAX);
	for (size_t i = 0; i < r->ports.n; i++)
		if (parse_forward(r, r->ports.at[i], &r->forwards[i]))
			return err_set(e, ERR_USAGE,
				       "-p \"%s\": [ADDRESS:]HOSTPORT:PORT[/udp] is meant",
				       r->ports.at[i]);
	return 0;
}

/* The image's environment, then -e; "-e KEY" takes ours. */
static void environment(const struct run *r, const struct oci_config *config, struct strv *ret)
{
	strv_copy(ret, &config->env);
	for (size_t i = 0; i < r->env.n; i++) {
		const char *entry = r->env.at[i], *equals = strchr(entry, '=');
		autofree char *key = xstrndup(entry, strcspn(entry, "="));
		const char *value = equals ? equals + 1 : getenv(key);

		if (value)
			strv_env_set(ret, key, value);
	}
}

static int start_cold(const struct run *r, const struct tmpl *t,
		      const struct oci_config *config, struct machine *m, struct err **e)
{
	AUTO(progress) progress = NULL;
	autostr log = STR_INIT;
	struct ready ready = { 0 };
	struct service_opts service = { &t->start, &r->env, config, &ready, r->ready_timeout };
	int64_t ready_ms;
	int failed;

	if (ready_from_text(t->ready, &ready, e))
		return -1;
	failed = progress_new("quiet", NULL, &progress, e);
	if (!failed) {
		progress_begin(progress, "start command");
		failed = service_start(m->link, &service, progress, &log, &ready_ms, e);
		if (failed)
			progress_failed(progress);
		else
			progress_done(progress);
	}
	ready_release(&ready);
	return failed;
}

/* The disk as the build's steps left it: what the template's own disk holds belongs to its
 * memory. */
static int boot_cold(const struct run *r, struct store *s, struct host *h, const struct tmpl *t,
		     struct machine_opts *o, struct identity *id,
		     const struct oci_config *config, struct machine **ret, struct err **e)
{
	AUTO(machine) m = NULL;
	struct timespec now;

	if (host_find_guest(h, s, r->kernel, e))
		return -1;
	o->n_chain = t->chain_paths.n - 1;
	o->is_cold = true;
	if (machine_boot(h, o, &m, e))
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	id->agent.now_sec = now.tv_sec;
	id->agent.now_nsec = (uint32_t)now.tv_nsec;
	if (agent_identify(m->link, &id->agent, e) || start_cold(r, t, config, m, e))
		return -1;
	*ret = take(m);
	return 0;
}

static void print_addresses(const struct run *r, const struct tmpl *t,
			    const struct identity *id, const struct machine *m)
{
	AUTO(json) o = json_object_new();
	struct json *ports = json_array_new();
	autofree char *text = NULL;

	if (!r->is_json)
		printf("%s is running as %s\n", t->name, id->sandbox_id);
	for (size_t i = 0; i < r->ports.n; i++) {
		const struct vm_forward *f = &r->forwards[i];
		const char *address = f->host_addr ? f->host_addr : "127.0.0.1";
		struct json *port = json_object_new();

		if (!r->is_json)
			printf("%s:%u -> %u%s\n", address, vm_forward_port(m->vm, i),
			       f->guest_port, f->is_udp ? "/udp" : "");
		json_put(port, "address", json_from_str(address));
		json_put(port, "hostPort", json_from_int(vm_forward_port(m->vm, i)));
		json_put(port, "port", json_from_int(f->guest_port));
		json_put(port, "protocol", json_from_str(f->is_udp ? "udp" : "tcp"));
		json_push(ports, port);
	}
	if (r->is_json) {
		json_put(o, "id", json_from_str(id->sandbox_id));
		json_put(o, "template", json_from_str(t->name));
		json_put(o, "ports", ports);
		text = json_text(o);
		puts(text);
	} else {
		json_free(ports);
	}
	fflush(stdout);
}

static int run_command(const struct run *r, const struct tmpl *t,
		       const struct oci_config *config, const struct identity *id,
		       struct machine *m, struct err **e)
{
	autostrv env = STRV_INIT;
	autofree char *listening = NULL;
	struct session s = {
		.machine = m,
		.argv = &r->command,
		.env = &env,
		.user = r->user ? r->user : config->user,
		.cwd = r->cwd ? r->cwd : config->cwd,
		.is_interactive = r->is_interactive,
		.has_tty = r->has_tty,
	};
	int status = 0;

	environment(r, config, &env);
	if (!r->command.n) {
		/* An answer means that the guest has its identity, and its network knows it. */
		if (agent_listening(m->link, &listening, e))
			return -1;
		print_addresses(r, t, id, m);
		return session_hold(m, &status, e) ? -1 : status;
	}
	if (session_run(&s, &status, e)) {
		/* A command that can't be started ends as it would in a shell, not as a failed
		 * build step. */
		if ((*e)->code == ERR_STEP)
			(*e)->code = ERR_NOEXEC;
		err_wrap(e, "running \"%s\" in %s", r->command.at[0], t->name);
		return -1;
	}
	return status;
}

static int run(struct run *r, struct err **e)
{
	AUTO(store) store = NULL;
	AUTO(tmpl) t = NULL;
	AUTO(machine) m = NULL; /* before `work`, which can go while this one dies */
	AUTO(workdir) work = NULL;
	AUTO(host) host = NULL;
	autofree char *overlay = NULL;
	autofree char *ram = NULL;
	struct oci_config config = { 0 };
	struct identity id = { 0 };
	struct machine_opts o = { 0 };
	int status = -1;

	interrupt_start_guard();
	if (store_open(NULL, &store, e) || store_template_open(store, r->name, &t, e) ||
	    host_open(store, &host, e) || workdir_new(store, &work, e))
		return -1;
	overlay = workdir_path(work, "disk.qcow2");
	ram = workdir_path(work, "ram");
	o = (struct machine_opts){
		.cpus = t->cpus,
		.memory_mib = t->memory_mib,
		.disk_bytes = t->disk_bytes,
		.chain = (const char *const *)t->chain_paths.at,
		.n_chain = t->chain_paths.n,
		.overlay_path = overlay,
		.ram_path = ram,
		.forwards = r->forwards,
		.n_forwards = r->ports.n,
	};
	identity_new(&id, t->name, t->id);
	o.hostname = id.sandbox_id;
	if (oci_config_from_json(t->config, &config, e))
		err_wrap(e, "reading template '%s'", r->name);
	else if (r->is_cold ? boot_cold(r, store, host, t, &o, &id, &config, &m, e)
			    : machine_resume(host, t, &o, &id.agent, &m, e))
		err_wrap(e, "%s template '%s'", r->is_cold ? "booting" : "resuming", r->name);
	else
		status = run_command(r, t, &config, &id, m, e);
	/* To give back its memory takes the VMM a while. */
	if (m)
		vm_kill(m->vm);
	oci_config_release(&config);
	identity_release(&id);
	return status;
}

int cmd_run(const struct command *self, int argc, char **argv, struct err **e)
{
	struct run r = { .ready_timeout = COLD_TIMEOUT_SEC };
	autostrv operands = STRV_INIT;
	const struct option_def defs[] = {
		{ 'p', "publish", OPTION_STRV, &r.ports, "[ADDRESS:]HOST:PORT[/udp]",
		  "make a port of the guest reachable on the host (127.0.0.1; HOST 0: any free "
		  "port)" },
		{ 'e', "env", OPTION_STRV, &r.env, "KEY=VALUE",
		  "environment of CMD; KEY alone takes ours" },
		{ 'u', "user", OPTION_STR, &r.user, "USER[:GROUP]",
		  "who CMD runs as (default: the image's USER)" },
		{ 'w', "workdir", OPTION_STR, &r.cwd, "DIR",
		  "where CMD runs (default: the image's WORKDIR)" },
		{ 'i', "interactive", OPTION_BOOL, &r.is_interactive, NULL,
		  "standard input goes to CMD" },
		{ 't', "tty", OPTION_BOOL, &r.has_tty, NULL, "CMD gets a terminal" },
		{ 0, "cold", OPTION_BOOL, &r.is_cold, NULL,
		  "boot from disk and start the start command, instead of resuming" },
		{ 0, "kernel", OPTION_STR, &r.kernel, "FILE", "guest kernel for --cold" },
		{ 0, "ready-timeout", OPTION_UINT, &r.ready_timeout, "SEC",
		  "with --cold: give up after this long (default 120)" },
		{ 0, "json", OPTION_BOOL, &r.is_json, NULL, "print the addresses as JSON" },
		{ 0 },
	};
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (!status && !operands.n)
		status = err_set(e, ERR_USAGE,
				 "kiln run needs the NAME of a template (see kiln run --help)");
	for (size_t i = 1; i < operands.n; i++)
		strv_push(&r.command, operands.at[i]);
	r.name = operands.n ? operands.at[0] : NULL;
	if (!status && (r.user && !*r.user))
		status = err_set(e, ERR_USAGE, "-u was given an empty user");
	if (!status)
		status = parse_forwards(&r, e) ? -1 : run(&r, e);
	else if (status == 1)
		status = 0;
	strv_release(&r.ports);
	strv_release(&r.env);
	strv_release(&r.command);
	strv_release(&r.addresses);
	return status;
}
