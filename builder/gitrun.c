#include "builder/gitrun.h"

#include <ctype.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"

enum { OUTPUT_MAX_BYTES = 4 << 20 };

extern char **environ;

struct gitrun {
	struct strv env;
};

/* Nothing of our own GIT_... settings, and nobody to answer a question. */
static void make_env(struct strv *env, bool is_file_ok)
{
	for (char **at = environ; *at; at++)
		if (!str_starts(*at, "GIT_") && !str_starts(*at, "SSH_ASKPASS=") &&
		    !str_starts(*at, "LC_ALL="))
			strv_push(env, *at);
	strv_pushf(env, "GIT_ALLOW_PROTOCOL=http:https:ssh:git%s", is_file_ok ? ":file" : "");
	strv_push(env, "GIT_TERMINAL_PROMPT=0");
	strv_push(env, "GIT_ASKPASS=true");
	strv_push(env, "GIT_CONFIG_NOSYSTEM=1");
	strv_push(env, "GIT_CONFIG_GLOBAL=/dev/null");
	strv_push(env, "GIT_SSH_COMMAND=ssh -o BatchMode=yes");
	strv_push(env, "GIT_LFS_SKIP_SMUDGE=1");
	strv_push(env, "LC_ALL=C.UTF-8");
}

/* What git printed on a descriptor of ours. */
static int read_output(int fd, struct str *ret, struct err **e)
{
	if (lseek(fd, 0, SEEK_SET))
		return err_sys(e, "reading what git says");
	return fs_read_fd(fd, "what git says", OUTPUT_MAX_BYTES, ret, e);
}

/* The last words of git's complaint. */
static int git_failed(int err_fd, struct err **e)
{
	autostr text = STR_INIT;
	autostr shown = STR_INIT;
	char *line;
	bool is_missing;

	if (read_output(err_fd, &text, e))
		return -1;
	while (text.len && isspace((unsigned char)text.at[text.len - 1]))
		text.at[--text.len] = '\0';
	is_missing = strstr(text.at, "couldn't find remote ref") ||
		     strstr(text.at, "not our ref") || strstr(text.at, "unknown revision") ||
		     strstr(text.at, "not found") ||
		     strstr(text.at, "does not appear to be a git repository");
	line = strstr(text.at, "fatal: ");
	if (line)
		line[strcspn(line, "\n")] = '\0';
	str_add_visible(&shown, line ? line + 7 : text.at, strlen(line ? line + 7 : text.at));
	return err_set(e, is_missing ? ERR_NOTFOUND : ERR_NET, "git: %s",
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

	(void)e;
	make_env(&g->env, o->is_file_ok);
	*ret = take(g);
	return 0;
}

void gitrun_free(struct gitrun *g)
{
	if (!g)
		return;
	strv_release(&g->env);
	free(g);
}
