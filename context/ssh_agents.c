#include "context/ssh_agents.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/proc.h"
#include "base/vec.h"

struct ssh_agent {
	char *id, *socket;
	char *dir; /* of our own agent's socket; NULL: it isn't ours */
	pid_t pid;
	int on_interrupt; /* dir is removed then, too */
};
struct ssh_agents {
	VEC(struct ssh_agent) all;
};

enum { START_MS = 5000 };

static void remove_dir(void *arg)
{
	struct err *ignored = NULL;

	if (fs_remove_tree(arg, &ignored))
		err_drop(&ignored);
}

void ssh_agents_free(struct ssh_agents *a)
{
	if (!a)
		return;
	vec_each (agent, &a->all) {
		proc_kill(agent->pid);
		interrupt_pop(agent->on_interrupt);
		if (agent->dir)
			remove_dir(agent->dir);
		free(agent->id);
		free(agent->socket);
		free(agent->dir);
	}
	vec_release(&a->all);
	free(a);
}

static const struct ssh_agent *find(const struct ssh_agents *a, const char *id)
{
	for (size_t i = a ? a->all.n : 0; i > 0; i--)
		if (streq(a->all.at[i - 1].id, id))
			return &a->all.at[i - 1];
	return NULL;
}

bool ssh_agents_has(const struct ssh_agents *a, const char *id)
{
	return find(a, id) != NULL;
}

const char *ssh_agents_socket(const struct ssh_agents *a, const char *id)
{
	const struct ssh_agent *agent = find(a, id);

	return agent ? agent->socket : NULL;
}

/* ---- keys ---- */
static int add_key(const struct ssh_agent *agent, const char *key, struct err **e)
{
	static const char *const words[] = { "env",         "-u",      "DISPLAY", "-u",
					     "SSH_ASKPASS", "ssh-add", "-q",      "--" };
	autostrv argv = STRV_INIT;
	autostr out = STR_INIT;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (streq(words[i], "ssh-add"))
			strv_pushf(&argv, "SSH_AUTH_SOCK=%s", agent->socket);
		strv_push(&argv, words[i]);
	}
	strv_push(&argv, key);
	if (proc_run(argv.at, 65536, &out, e))
		return err_wrap(e, "loading the ssh key %s", key);
	return 0;
}

static int await_socket(const struct ssh_agent *agent, struct err **e)
{
	for (int waited = 0; !fs_exists(agent->socket); waited += 10) {
		if (waited > START_MS)
			return err_set(e, ERR_TIMEOUT, "ssh-agent did not start");
		poll(NULL, 0, 10);
	}
	return 0;
}

static int start_own(struct ssh_agent *agent, const struct strv *keys, struct err **e)
{
	char dir[] = "/tmp/kiln-ssh.XXXXXX";
	autostrv argv = STRV_INIT;

	if (!mkdtemp(dir))
		return err_sys(e, "making a directory for ssh-agent");
	agent->dir = xstrdup(dir);
	agent->on_interrupt = interrupt_push(remove_dir, agent->dir);
	agent->socket = xasprintf("%s/socket", dir);
	strv_push(&argv, "ssh-agent");
	strv_push(&argv, "-D");
	strv_push(&argv, "-a");
	strv_push(&argv, agent->socket);
	if (proc_spawn(&(struct proc_opts){ .argv = argv.at, .has_own_group = true },
		       &agent->pid, e))
		return err_wrap(e, "starting ssh-agent (package openssh-client) for --ssh %s",
				agent->id);
	if (await_socket(agent, e))
		return -1;
	for (size_t i = 0; i < keys->n; i++)
		if (add_key(agent, keys->at[i], e))
			return -1;
	return 0;
}

static int open_value(struct ssh_agent *agent, const char *value, struct err **e)
{
	autostrv paths = STRV_INIT;
	struct stat st;

	for (const char *at = value; *at;) {
		size_t n = strcspn(at, ",");
		autofree char *path = xstrndup(at, n);

		strv_push(&paths, path);
		at += n + (at[n] == ',');
	}
	for (size_t i = 0; i < paths.n; i++) {
		if (stat(paths.at[i], &st))
			return err_set(e, ERR_NOTFOUND, "--ssh %s: there is no file %s",
				       agent->id, paths.at[i]);
		if (!S_ISSOCK(st.st_mode))
			continue;
		if (paths.n > 1)
			return err_set(
				e, ERR_USAGE,
				"--ssh %s takes one socket, or keys, not several sockets",
				agent->id);
		agent->socket = xstrdup(paths.at[i]);
		return 0;
	}
	return start_own(agent, &paths, e);
}

static int open_one(struct ssh_agent *agent, const char *spec, struct err **e)
{
	const char *equals = strchr(spec, '=');
	const char *standard = getenv("SSH_AUTH_SOCK");

	agent->id = equals ? xstrndup(spec, (size_t)(equals - spec)) : xstrdup(spec);
	if (!*agent->id)
		return err_set(e, ERR_USAGE, "--ssh takes ID[=SOCKET|KEY[,KEY]], not \"%s\"",
			       spec);
	if (equals && equals[1])
		return open_value(agent, equals + 1, e);
	if (!standard || !*standard)
		return err_set(
			e, ERR_USAGE,
			"--ssh %s: SSH_AUTH_SOCK isn't set: start an ssh agent, or name a "
			"socket or key: --ssh %s=PATH",
			agent->id, agent->id);
	agent->socket = xstrdup(standard);
	return 0;
}

int ssh_agents_open(const struct strv *specs, struct ssh_agents **ret, struct err **e)
{
	AUTO(ssh_agents) a = NULL;

	if (!specs->n)
		return 0;
	a = xcalloc(1, sizeof(*a));
	for (size_t i = 0; i < specs->n; i++) {
		struct ssh_agent agent = { .pid = -1, .on_interrupt = -1 };
		int failed = open_one(&agent, specs->at[i], e);

		vec_push(&a->all, agent);
		if (failed)
			return -1;
	}
	*ret = take(a);
	return 0;
}
