#include "builder/gitclone.h"

#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/str.h"

enum { OUTPUT_MAX_BYTES = 4 << 20, OPEN_MAX = 64 };

extern char **environ;

struct git {
	const struct gitclone_opts *o;
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

/* git with these words; NULL ends them. */
static int run_git(struct git *g, const char *cwd, struct str *ret_out, struct err **e,
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
#define GIT(g, cwd, out, e, ...) \
	run_git(g, cwd, out, e, (const char *const[]){ __VA_ARGS__, NULL })

static bool is_commit(const char *s)
{
	size_t n = strspn(s, "0123456789abcdefABCDEF");

	return !s[n] && (n == 40 || n == 64);
}

static void copy_commit(const char *from, char ret[GIT_COMMIT_MAX + 1])
{
	size_t n = strspn(from, "0123456789abcdef");

	if (n > GIT_COMMIT_MAX)
		n = GIT_COMMIT_MAX;
	memcpy(ret, from, n);
	ret[n] = '\0';
}

/* ---- what a reference means ---- */

/* How well a name of the remote fits; 0: not at all. git's own order. */
static int rank(const char *name, const char *wanted)
{
	static const char *const forms[] = { "%s", "refs/%s", "refs/tags/%s^{}", "refs/tags/%s",
					     "refs/heads/%s" };

	for (int i = 0; i < 5; i++) {
		autostr form = STR_INIT;
		const char *mark = strstr(forms[i], "%s");

		str_addn(&form, forms[i], (size_t)(mark - forms[i]));
		str_add(&form, wanted);
		str_add(&form, mark + 2);
		if (streq(form.at, name))
			return 5 - i;
	}
	if (str_ends(name, "^{}") && strlen(name) == strlen(wanted) + 3 &&
	    str_starts(name, wanted))
		return 6;
	return 0;
}

/* Lines "commit<TAB>name". */
static bool choose(char *lines, const char *wanted, char ret[GIT_COMMIT_MAX + 1])
{
	int best = 0;

	for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
		char *tab = strchr(line, '\t');
		int fits = tab ? rank(tab + 1, wanted) : 0;

		if (fits > best) {
			best = fits;
			copy_commit(line, ret);
		}
	}
	return best > 0;
}

int gitclone_resolve(const struct df_git *from, bool is_file_ok,
		     char ret_commit[GIT_COMMIT_MAX + 1], struct err **e)
{
	const char *wanted = *from->ref ? from->ref : "HEAD";
	autofree char *peeled = xasprintf("%s^{}", wanted);
	autostr out = STR_INIT;
	struct git g = { 0 };
	int failed;

	if (is_commit(from->ref)) {
		for (size_t i = 0; i <= strlen(from->ref); i++)
			ret_commit[i] = (char)tolower((unsigned char)from->ref[i]);
		return 0;
	}
	make_env(&g.env, is_file_ok);
	failed = GIT(&g, NULL, &out, e, "ls-remote", "--quiet", "--", from->remote, wanted,
		     peeled);
	strv_release(&g.env);
	if (failed)
		return -1;
	if (!choose(out.at, wanted, ret_commit))
		return err_set(e, ERR_NOTFOUND, "the repository %s has no reference %s",
			       from->remote, wanted);
	return 0;
}

/* ---- the files ---- */

static int fetch(struct git *g, const char *dir, struct err **e)
{
	const struct df_git *from = g->o->from;
	const char *wanted = *from->ref ? from->ref : "HEAD";
	struct err *why = NULL;

	if (GIT(g, NULL, NULL, e, "init", "--quiet", "--template=", "--", dir) ||
	    GIT(g, dir, NULL, e, "remote", "add", "--", "origin", from->remote))
		return -1;
	if (GIT(g, dir, NULL, &why, "fetch", "--quiet", "--no-tags", "--depth=1",
		"--update-head-ok", "origin", wanted) == 0)
		return GIT(g, dir, NULL, e, "checkout", "--quiet", "--detach", "FETCH_HEAD");
	if (!is_commit(from->ref)) {
		*e = why;
		return -1;
	}
	/* A server that doesn't give single commits gives all of its branches. */
	err_drop(&why);
	if (GIT(g, dir, NULL, e, "fetch", "--quiet", "--tags", "origin"))
		return -1;
	return GIT(g, dir, NULL, e, "checkout", "--quiet", "--detach", from->ref);
}

static int check_commit(struct git *g, const char *dir, char ret_commit[GIT_COMMIT_MAX + 1],
			struct err **e)
{
	const char *wanted = g->o->checksum ? g->o->checksum : "";
	autostr out = STR_INIT;

	if (GIT(g, dir, &out, e, "rev-parse", "--verify", "HEAD^{commit}"))
		return -1;
	copy_commit(out.at, ret_commit);
	if (strncasecmp(wanted, ret_commit, strlen(wanted)) != 0)
		return err_set(e, ERR_USAGE, "expected checksum to match %s, got %s", wanted,
			       ret_commit);
	return 0;
}

static int fetch_submodules(struct git *g, const char *dir, struct err **e)
{
	autofree char *modules = xasprintf("%s/.gitmodules", dir);

	if (!g->o->from->has_submodules || !fs_exists(modules))
		return 0;
	if (GIT(g, dir, NULL, e, "submodule", "--quiet", "update", "--init", "--recursive",
		"--depth=1"))
		return err_wrap(e, "fetching the submodules");
	return 0;
}

/* ---- putting them in order ---- */

/* nftw(3) takes no argument. */
static struct {
	bool has_time;
	struct timespec times[2];
} tidying;

static int tidy_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)at;
	if ((type == FTW_F && chmod(path, st->st_mode & 0111 ? 0755 : 0644)) ||
	    (type == FTW_DP && chmod(path, 0755)))
		return -1;
	return tidying.has_time ? utimensat(AT_FDCWD, path, tidying.times, AT_SYMLINK_NOFOLLOW)
				: 0;
}

/* Modes as git has them, and if asked the commit's time. */
static int tidy(struct git *g, const char *dir, struct err **e)
{
	autostr out = STR_INIT;

	tidying.has_time = g->o->from->is_mtime_of_commit;
	if (tidying.has_time) {
		if (GIT(g, dir, &out, e, "log", "-1", "--format=%ct"))
			return -1;
		tidying.times[0] = tidying.times[1] =
			(struct timespec){ .tv_sec = strtoll(out.at, NULL, 10) };
	}
	if (nftw(dir, tidy_one, OPEN_MAX, FTW_PHYS | FTW_DEPTH))
		return err_sys(e, "going through the files of the repository");
	return 0;
}

static int remove_git_dirs(const char *path, const struct stat *st, int type, struct FTW *at)
{
	struct err *why = NULL;

	(void)st, (void)type;
	if (!streq(path + at->base, ".git"))
		return FTW_CONTINUE;
	if (fs_remove_tree(path, &why)) {
		err_drop(&why);
		return FTW_STOP;
	}
	return FTW_SKIP_SUBTREE;
}

static int drop_git_dirs(const char *dir, struct err **e)
{
	if (nftw(dir, remove_git_dirs, OPEN_MAX, FTW_PHYS | FTW_ACTIONRETVAL))
		return err_set(e, ERR_SYS, "removing .git of the repository");
	return 0;
}

/* The subdirectory, wherever links lead inside the repository. */
static int find_subdir(const char *dir, const char *subdir, char **ret, struct err **e)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	autoclose int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int fd = -1;
	autofree char *link = NULL;
	char *path;

	fd = (int)syscall(SYS_openat2, root, *subdir ? subdir : ".", &how, sizeof(how));
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_NOTFOUND, "the repository has no directory %s", subdir);
	if (fd < 0)
		return err_sys(e, "opening %s of the repository", subdir);
	link = xasprintf("/proc/self/fd/%d", fd);
	path = realpath(link, NULL);
	if (!path)
		return err_sys(e, "finding %s of the repository", subdir);
	*ret = path;
	return 0;
}

static int clone(struct git *g, char ret_commit[GIT_COMMIT_MAX + 1], char **ret_dir,
		 struct err **e)
{
	const struct gitclone_opts *o = g->o;
	const char *dir = o->dir;

	if (fetch(g, dir, e) || check_commit(g, dir, ret_commit, e) ||
	    fetch_submodules(g, dir, e) || tidy(g, dir, e))
		return -1;
	if (!o->keeps_git_dir && drop_git_dirs(dir, e))
		return -1;
	return find_subdir(dir, o->from->subdir, ret_dir, e);
}

int gitclone(const struct gitclone_opts *o, char ret_commit[GIT_COMMIT_MAX + 1], char **ret_dir,
	     struct err **e)
{
	struct git g = { .o = o };
	int failed;

	make_env(&g.env, o->is_file_ok);
	failed = clone(&g, ret_commit, ret_dir, e);
	strv_release(&g.env);
	return failed ? err_wrap(e, "fetching %s", o->from->remote) : 0;
}
