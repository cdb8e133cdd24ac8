#include "context/gitrun.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"

enum { OUTPUT_MAX_BYTES = 4 << 20 };

extern char **environ;

struct gitrun {
	struct strv env;
};

/* "ssh://..." or "user@host:path". */
static bool is_ssh(const char *remote)
{
	return !strncasecmp(remote, "ssh://", 6) || !strstr(remote, "://");
}

/* A word for the shell that git starts ssh with. */
static char *quote(const char *word)
{
	autostr out = STR_INIT;

	str_addc(&out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			str_add(&out, "'\\'");
		str_addc(&out, *word);
	}
	str_addc(&out, '\'');
	return str_take(&out);
}

static void add_ssh(struct strv *env, const struct gitrun_opts *o, const char *socket)
{
	const char *known = getenv("KILN_SSH_KNOWN_HOSTS");
	autofree char *option =
		known && *known ? xasprintf("UserKnownHostsFile=%s", known) : NULL;
	autofree char *word = option ? quote(option) : NULL;

	strv_pushf(env,
		   "GIT_SSH_COMMAND=ssh -o BatchMode=yes -o StrictHostKeyChecking=yes%s%s%s",
		   o->has_users_ssh && !socket ? "" : " -F /dev/null -o IdentityFile=none",
		   word ? " -o " : "", word ? word : "");
	if (socket)
		strv_pushf(env, "SSH_AUTH_SOCK=%s", socket);
	else if (o->has_users_ssh && getenv("SSH_AUTH_SOCK"))
		strv_pushf(env, "SSH_AUTH_SOCK=%s", getenv("SSH_AUTH_SOCK"));
}

/* For this process and those it starts for submodules. */
static void add_authorization(struct strv *env, const char *remote, const char *value)
{
	strv_push(env, "GIT_CONFIG_COUNT=2");
	strv_pushf(env, "GIT_CONFIG_KEY_0=http.%s.extraHeader", fetchauth_git_scope(remote));
	strv_pushf(env, "GIT_CONFIG_VALUE_0=Authorization: %s", value);
	strv_push(env, "GIT_CONFIG_KEY_1=http.followRedirects");
	strv_push(env, "GIT_CONFIG_VALUE_1=false");
}

/* Nothing of our own GIT_... settings, and nobody to answer a question. */
static void make_env(struct strv *env, const struct gitrun_opts *o, const char *socket)
{
	static const char *const left_out[] = { "GIT_",
						"SSH_ASKPASS=", "SSH_AUTH_SOCK=", "LC_ALL=" };

	for (char **at = environ; *at; at++) {
		bool is_left_out = false;

		for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
			is_left_out |= str_starts(*at, left_out[i]);
		if (!is_left_out)
			strv_push(env, *at);
	}
	strv_pushf(env, "GIT_ALLOW_PROTOCOL=http:https:ssh:git%s",
		   o->is_file_ok ? ":file" : "");
	strv_push(env, "GIT_TERMINAL_PROMPT=0");
	strv_push(env, "GIT_ASKPASS=true");
	strv_push(env, "GIT_CONFIG_NOSYSTEM=1");
	strv_push(env, "GIT_CONFIG_GLOBAL=/dev/null");
	strv_push(env, "GIT_LFS_SKIP_SMUDGE=1");
	strv_push(env, "LC_ALL=C.UTF-8");
	add_ssh(env, o, socket);
}

/* What git printed on a descriptor of ours. */
static int read_output(int fd, struct str *ret, struct err **e)
{
	if (lseek(fd, 0, SEEK_SET))
		return err_sys(e, "reading what git says");
	return fs_read_fd(fd, "what git says", OUTPUT_MAX_BYTES, ret, e);
}

/* What git or ssh says, and what it means; what comes first counts. */
static const struct reason {
	const char *text;
	enum err_code code;
	const char *means; /* NULL: git's own words */
} reasons[] = {
	{ "Host key verification failed", ERR_AUTH,
	  "ssh doesn't know the host's key: add it to ~/.ssh/known_hosts (ssh-keyscan prints "
	  "it), or name a file of such in KILN_SSH_KNOWN_HOSTS" },
	{ "Permission denied (", ERR_AUTH,
	  "the server takes none of the ssh keys that it was offered" },
	{ "Authentication failed", ERR_AUTH,
	  "the server wants authorization, or another one: --secret id=GIT_AUTH_TOKEN" },
	{ "returned error: 403", ERR_AUTH, NULL },
	{ "returned error: 30", ERR_NET,
	  "the server redirects, and an authorized request is not sent elsewhere" },
	{ "couldn't find remote ref", ERR_NOTFOUND, NULL },
	{ "not our ref", ERR_NOTFOUND, NULL },
	{ "unknown revision", ERR_NOTFOUND, NULL },
	{ "not found", ERR_NOTFOUND, NULL },
	{ "does not appear to be a git repository", ERR_NOTFOUND, NULL },
	{ "", ERR_NET, NULL },
};

/* The last words of its complaint. */
static int git_failed(int err_fd, struct err **e)
{
	const struct reason *r = reasons;
	autostr text = STR_INIT;
	autostr shown = STR_INIT;
	autofree char *words = NULL;
	char *line;

	if (read_output(err_fd, &text, e))
		return -1;
	while (text.len && isspace((unsigned char)text.at[text.len - 1]))
		text.at[--text.len] = '\0';
	while (!strstr(text.at, r->text))
		r++;
	if (r->means)
		return err_set(e, r->code, "git: %s", r->means);
	line = strstr(text.at, "fatal: ");
	if (line)
		line[strcspn(line, "\n")] = '\0';
	words = str_redacted(line ? line + 7 : text.at);
	str_add_visible(&shown, words, strlen(words));
	return err_set(e, r->code, "git: %s",
		       shown.len ? shown.at : "it failed without a word");
}

int gitrun(struct gitrun *g, const char *cwd, struct str *ret_out, struct err **e,
	   const char *const *words)
{
	static const char *const before[] = {
		"git",
		"-c",
		"core.hooksPath=/dev/null",
		"-c",
		"core.fsmonitor=false",
		"-c",
		"core.autocrlf=false",
		"-c",
		"init.defaultBranch=main",
		"-c",
		"advice.detachedHead=false",
		"-c",
		"core.protectHFS=true",
		"-c",
		"core.protectNTFS=true",
		"-c",
		"gc.auto=0",
	};
	autostrv argv = STRV_INIT;
	autoclose int out = memfd_create("git-out", MFD_CLOEXEC);
	autoclose int errs = memfd_create("git-err", MFD_CLOEXEC);
	struct proc_fd fds[] = { { out, 1 }, { errs, 2 } };
	int status;
	pid_t pid;

	if (out < 0 || errs < 0)
		return err_sys(e, "making room for what git says");
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		strv_push(&argv, before[i]);
	for (; *words; words++)
		strv_push(&argv, *words);
	if (proc_spawn(&(struct proc_opts){ .argv = argv.at,
					    .env = g->env.at,
					    .cwd = cwd,
					    .fds = fds,
					    .n_fds = 2 },
		       &pid, e))
		return (*e)->code == ERR_NOTFOUND
			       ? err_wrap(e, "a git repository needs the git program: "
					     "apt-get install git")
			       : -1;
	if (proc_wait(pid, &status, e))
		return -1;
	if (status)
		return git_failed(errs, e);
	return ret_out ? read_output(out, ret_out, e) : 0;
}

int gitrun_new(const struct gitrun_opts *o, struct gitrun **ret, struct err **e)
{
	AUTO(gitrun) g = xcalloc(1, sizeof(*g));
	const char *socket = fetchauth_ssh(o->auth);
	char *value;

	if (is_ssh(o->remote) && !socket && !o->has_users_ssh)
		return err_set(e, ERR_USAGE,
			       "ssh needs an agent that may be asked: --ssh default, or --ssh "
			       "default=KEY");
	if (fetchauth_git(o->auth, o->remote, &value, e))
		return -1;
	make_env(&g->env, o, socket);
	if (value)
		add_authorization(&g->env, o->remote, value);
	fetchauth_forget(value);
	*ret = take(g);
	return 0;
}

void gitrun_free(struct gitrun *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->env.n; i++)
		if (str_starts(g->env.at[i], "GIT_CONFIG_VALUE_"))
			explicit_bzero(g->env.at[i], strlen(g->env.at[i]));
	strv_release(&g->env);
	free(g);
}
