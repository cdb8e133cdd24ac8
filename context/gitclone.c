#include "context/gitclone.h"

#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/fs.h"
#include "base/str.h"
#include "context/gitrun.h"

enum { OPEN_MAX = 64 };

struct git {
	const struct gitclone_opts *o;
	struct gitrun *run;
};

static int start(const struct gitclone_opts *o, struct gitrun **ret, struct err **e)
{
	return gitrun_new(&(struct gitrun_opts){ .remote = o->from->remote,
						 .auth = o->auth,
						 .is_file_ok = o->is_file_ok,
						 .has_users_ssh = o->has_users_ssh },
			  ret, e);
}

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
	char *rest;
	int best = 0;

	for (char *line = strtok_r(lines, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *tab = strchr(line, '\t');
		int fits = tab ? rank(tab + 1, wanted) : 0;

		if (fits > best) {
			best = fits;
			copy_commit(line, ret);
		}
	}
	return best > 0;
}

static void copy_lower(const char *from, char ret[GIT_COMMIT_MAX + 1])
{
	size_t i = 0;

	for (; i < GIT_COMMIT_MAX && from[i]; i++)
		ret[i] = (char)tolower((unsigned char)from[i]);
	ret[i] = '\0';
}

/* The commit that the URL itself names, as what is to be fetched; NULL if it doesn't. */
static int named_commit(const struct df_git *from, const char **ret, struct err **e)
{
	*ret = is_commit(from->ref) ? from->ref : NULL;
	if (!from->is_fetched_by_commit || *ret)
		return 0;
	if (!is_commit(from->checksum))
		return err_set(e, ERR_USAGE, "fetch-by-commit needs a commit in full");
	*ret = from->checksum;
	return 0;
}

int gitclone_resolve(const struct gitclone_opts *o, char ret_commit[GIT_COMMIT_MAX + 1],
		     struct err **e)
{
	const struct df_git *from = o->from;
	const char *wanted = *from->ref ? from->ref : "HEAD";
	autofree char *peeled = xasprintf("%s^{}", wanted);
	autostr out = STR_INIT;
	AUTO(gitrun) g = NULL;
	const char *named;

	if (named_commit(from, &named, e))
		return -1;
	if (named) {
		copy_lower(named, ret_commit);
		return 0;
	}
	if (start(o, &g, e) ||
	    GIT(g, NULL, &out, e, "ls-remote", "--quiet", "--", from->remote, wanted, peeled))
		return -1;
	if (!choose(out.at, wanted, ret_commit))
		return err_set(e, ERR_NOTFOUND, "the repository has no reference %s", wanted);
	return 0;
}

/* ---- the files ---- */

static int check_out(struct git *g, const char *dir, const char *what, struct err **e)
{
	return GIT(g->run, dir, NULL, e, "checkout", "--quiet", "--detach", what);
}

/* As little as there is to it; a server of plain files has no such thing. */
static int fetch_shallow(struct git *g, const char *dir, const char *what, struct err **e)
{
	return GIT(g->run, dir, NULL, e, "fetch", "--quiet", "--no-tags", "--depth=1",
		   "--update-head-ok", "origin", what);
}

static int fetch_commit(struct git *g, const char *dir, const char *commit, struct err **e)
{
	autofree char *shallow = xasprintf("%s/.git/shallow", dir);
	struct err *why = NULL;

	if (fetch_shallow(g, dir, commit, &why) == 0)
		return check_out(g, dir, "FETCH_HEAD", e);
	/* A server that doesn't give single commits gives all of its branches and tags. */
	err_drop(&why);
	if (fs_exists(shallow)
		    ? GIT(g->run, dir, NULL, e, "fetch", "--quiet", "--tags", "--unshallow",
			  "origin")
		    : GIT(g->run, dir, NULL, e, "fetch", "--quiet", "--tags", "origin"))
		return -1;
	if (check_out(g, dir, commit, &why)) {
		err_drop(&why);
		return err_set(e, ERR_NOTFOUND,
			       "none of its branches and tags has the commit %s", commit);
	}
	return 0;
}

static int fetch_name(struct git *g, const char *dir, const char *name, struct err **e)
{
	struct err *why = NULL;

	if (fetch_shallow(g, dir, name, &why)) {
		if (!strstr(why->msg, "does not support shallow")) {
			*e = why;
			return -1;
		}
		err_drop(&why);
		if (GIT(g->run, dir, NULL, e, "fetch", "--quiet", "--no-tags",
			"--update-head-ok", "origin", name))
			return -1;
	}
	return check_out(g, dir, "FETCH_HEAD", e);
}

static int head(struct git *g, const char *dir, char ret_commit[GIT_COMMIT_MAX + 1],
		struct err **e)
{
	autostr out = STR_INIT;

	if (GIT(g->run, dir, &out, e, "rev-parse", "--verify", "HEAD^{commit}"))
		return -1;
	copy_commit(out.at, ret_commit);
	return 0;
}

static int fetch(struct git *g, const char *dir, char ret_commit[GIT_COMMIT_MAX + 1],
		 struct err **e)
{
	const struct df_git *from = g->o->from;
	const char *named;

	if (named_commit(from, &named, e) ||
	    GIT(g->run, NULL, NULL, e, "init", "--quiet", "--template=", "--", dir) ||
	    GIT(g->run, dir, NULL, e, "remote", "add", "--", "origin", from->remote))
		return -1;
	if (named ? fetch_commit(g, dir, named, e)
		  : fetch_name(g, dir, *from->ref ? from->ref : "HEAD", e))
		return -1;
	if (head(g, dir, ret_commit, e))
		return -1;
	/* The reference has moved since it was looked up. */
	if (!g->o->commit || streq(g->o->commit, ret_commit))
		return 0;
	return fetch_commit(g, dir, g->o->commit, e) || head(g, dir, ret_commit, e) ? -1 : 0;
}

static int check_commit(const struct git *g, const char *commit, struct err **e)
{
	const char *wanted = g->o->checksum ? g->o->checksum : "";

	if (strncasecmp(wanted, commit, strlen(wanted)) != 0)
		return err_set(e, ERR_USAGE, "expected checksum to match %s, got %s", wanted,
			       commit);
	return 0;
}

/* From servers that give neither single commits nor a part of their history. */
static int fetch_whole_submodules(struct git *g, const char *dir, struct err **e)
{
	autofree char *modules = xasprintf("%s/.git/modules", dir);

	if (GIT(g->run, dir, NULL, e, "submodule", "--quiet", "deinit", "--all", "--force") ||
	    (fs_exists(modules) && fs_remove_tree(modules, e)))
		return -1;
	return GIT(g->run, dir, NULL, e, "submodule", "--quiet", "update", "--init",
		   "--recursive", "--no-recommend-shallow");
}

static int fetch_submodules(struct git *g, const char *dir, struct err **e)
{
	autofree char *modules = xasprintf("%s/.gitmodules", dir);
	struct err *why = NULL;

	if (!g->o->from->has_submodules || !fs_exists(modules))
		return 0;
	if (GIT(g->run, dir, NULL, &why, "submodule", "--quiet", "update", "--init",
		"--recursive", "--depth=1") == 0)
		return 0;
	err_drop(&why);
	if (fetch_whole_submodules(g, dir, e))
		return err_wrap(e, "fetching the submodules");
	return 0;
}

/* A .git that is kept has no user and password of the URL. */
static int hide_password(struct git *g, const char *dir, struct err **e)
{
	const char *remote = g->o->from->remote;
	const char *host = strstr(remote, "://");
	const char *at = host ? memrchr(host + 3, '@', strcspn(host + 3, "/")) : NULL;
	autofree char *url = NULL;

	if (!at || !memchr(host + 3, ':', (size_t)(at - host - 3)))
		return 0;
	url = xasprintf("%.*s%s", (int)(host + 3 - remote), remote, at + 1);
	return GIT(g->run, dir, NULL, e, "remote", "set-url", "--", "origin", url);
}

/* ---- putting them in order ---- */

/* nftw(3) takes no argument; stages are built at the same time. */
static _Thread_local struct {
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
		if (GIT(g->run, dir, &out, e, "log", "-1", "--format=%ct"))
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

	if (fetch(g, dir, ret_commit, e) || check_commit(g, ret_commit, e) ||
	    fetch_submodules(g, dir, e) || hide_password(g, dir, e) || tidy(g, dir, e))
		return -1;
	if (!o->keeps_git_dir && drop_git_dirs(dir, e))
		return -1;
	return find_subdir(dir, o->from->subdir, ret_dir, e);
}

int gitclone(const struct gitclone_opts *o, char ret_commit[GIT_COMMIT_MAX + 1], char **ret_dir,
	     struct err **e)
{
	AUTO(gitrun) run = NULL;
	struct git g = { .o = o };

	if (start(o, &run, e))
		return -1;
	g.run = run;
	if (clone(&g, ret_commit, ret_dir, e)) {
		autofree char *shown = str_redacted(o->from->remote);

		return err_wrap(e, "fetching %s", shown);
	}
	return 0;
}
