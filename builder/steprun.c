#include "builder/steprun.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "builder/session.h"
#include "builder/ssh_relay.h"
#include "builder/stepmounts.h"

enum { PUMP_MS = 50 };

struct steprun {
	struct steprun_opts o;
	struct step_mounts mounts;
	struct strv env;
	VEC(struct ssh_relay *) relays;
};

void steprun_free(struct steprun *r)
{
	if (!r)
		return;
	vec_each (relay, &r->relays)
		ssh_relay_free(*relay);
	vec_release(&r->relays);
	for (size_t i = 0; i < r->env.n; i++) /* secrets may be among them */
		explicit_bzero(r->env.at[i], strlen(r->env.at[i]));
	strv_release(&r->env);
	step_mounts_release(&r->mounts);
	free(r);
}

static void take_env(struct steprun *r)
{
	strv_copy(&r->env, &r->o.step->plan->env);
	for (size_t i = 0; r->o.proxies && i < r->o.proxies->n; i++)
		strv_push(&r->env, r->o.proxies->at[i]);
	for (size_t i = 0; i < r->mounts.env.n; i++) {
		const char *entry = r->mounts.env.at[i];

		/* The step's own SSH_AUTH_SOCK wins over ours; a secret's variable is asked
		 * for. */
		if (!str_starts(entry, "SSH_AUTH_SOCK=") ||
		    !strv_env_get(&r->env, "SSH_AUTH_SOCK"))
			strv_push(&r->env, entry);
	}
}

static int start_relays(struct steprun *r, struct err **e)
{
	for (size_t i = 0; i < r->mounts.ssh_ids.n; i++) {
		autofree char *name = xasprintf("ssh.%zu", i);
		struct ssh_relay *relay;

		if (ssh_relay_start(r->o.ssh, r->mounts.ssh_ids.at[i], name, r->o.machine->link,
				    &relay, e))
			return -1;
		vec_push(&r->relays, relay);
	}
	return 0;
}

int steprun_open(const struct steprun_opts *o, struct steprun **ret, struct err **e)
{
	AUTO(steprun) r = xcalloc(1, sizeof(*r));

	r->o = *o;
	if (step_mounts_fill(o->disks, o->step, o->secrets, o->ssh, &r->mounts, e))
		return -1;
	take_env(r);
	if (start_relays(r, e))
		return -1;
	*ret = take(r);
	return 0;
}

static int serve_relays(void *arg, struct err **e)
{
	struct steprun *r = arg;

	vec_each (relay, &r->relays)
		if (ssh_relay_serve(*relay, e))
			return -1;
	return 0;
}

/* Until it has ended, or its time is over: then it is killed. An ear is kept for the ssh
 * agents' sockets. */
static int run_to_end(struct steprun *r, const struct agent_exec *x, struct agent_exit *ret,
		      struct err **e)
{
	struct agentlink *link = r->o.machine->link;
	int64_t end_ms = clock_ms() + r->o.timeout_sec * INT64_C(1000);
	bool is_over = false;
	uint32_t id;

	if (agent_start(link, x, &id, e))
		return -1;
	while (!is_over && !agent_exit_of(link, id).has_ended) {
		if (agent_pump(link, PUMP_MS, e) || serve_relays(r, e)) {
			agent_mute(link, id);
			return -1;
		}
		is_over = r->o.timeout_sec && clock_ms() >= end_ms;
	}
	if (is_over && agent_stop(link, id, e))
		return -1;
	*ret = agent_exit_of(link, id);
	ret->is_timeout = is_over;
	if (is_over && !ret->has_ended) /* whatever keeps it: the machine goes anyway */
		ret->signal = SIGKILL;
	return 0;
}

int steprun_command(struct steprun *r, struct guest_output *output, struct agent_exit *ret,
		    struct err **e)
{
	const struct step *step = r->o.step->plan;
	struct agent_exec x = {
		.argv = &step->argv,
		.env = &r->env,
		.user = step->user,
		.cwd = step->cwd,
		.has_no_network = step->has_no_network,
		.mounts = r->mounts.at,
		.n_mounts = r->mounts.n,
		.on_output = guest_output_feed,
		.arg = output,
	};

	return run_to_end(r, &x, ret, e);
}

int steprun_enter(struct steprun *r, const struct strv *argv, bool has_tty, int *ret_status,
		  struct err **e)
{
	const struct step *step = r->o.step->plan;
	struct session s = {
		.machine = r->o.machine,
		.argv = argv,
		.env = &r->env,
		.user = step->user,
		.cwd = step->cwd,
		.is_interactive = true,
		.has_tty = has_tty,
		.has_no_network = step->has_no_network,
		.mounts = r->mounts.at,
		.n_mounts = r->mounts.n,
		.on_turn = serve_relays,
		.arg = r,
	};

	return session_run(&s, ret_status, e);
}

void steprun_shell(const struct strv *failed_argv, struct strv *ret)
{
	static const char *const shells[] = { "sh", "bash", "ash", "dash", "zsh", "ksh" };
	const char *program = failed_argv->n ? failed_argv->at[0] : "";
	const char *slash = strrchr(program, '/');

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (streq(slash ? slash + 1 : program, shells[i])) {
			strv_push(ret, program);
			return;
		}
	strv_push(ret, "/bin/sh");
}
