#include "context/contextsource.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "context/download.h"
#include "context/gitclone.h"
#include "context/untar.h"
#include "rootfs/rootfs.h"

static bool is_url(const char *word)
{
	return str_starts(word, "http://") || str_starts(word, "https://");
}

static bool is_git(const char *word)
{
	return df_git_is_url(word) || str_starts(word, "file://");
}

bool contextsource_is_path(const char *word)
{
	struct stat st;

	if (streq(word, "-"))
		return false;
	/* A directory may be called like a repository: it is nearer. */
	if (stat(word, &st) == 0)
		return true;
	return !is_url(word) && !is_git(word);
}

/* ---- bytes: a tar, or a Dockerfile ---- */

static int unpack(struct contextsource *c, int fd, const char *what, struct err **e)
{
	autofree char *scratch = workdir_path(c->work, "context.tar");
	AUTO(untar) u = NULL;

	if (untar_open(fd, scratch, &u, e) || untar_into(u, c->dir, e))
		return err_wrap(e, "unpacking the build context from %s", what);
	return 0;
}

/* Is it text that could be a Dockerfile? No Dockerfile holds a NUL. */
static int take_dockerfile(struct contextsource *c, int fd, const char *what, struct err **e)
{
	if (lseek(fd, 0, SEEK_SET))
		return err_sys(e, "reading %s", what);
	if (fs_read_fd(fd, what, CONTEXT_MAX_FILE_BYTES, &c->dockerfile, e)) {
		if ((*e)->code == ERR_LIMIT)
			return err_wrap(e, "%s is no tar, and too large for a Dockerfile",
					what);
		return -1;
	}
	if (memchr(c->dockerfile.at, 0, c->dockerfile.len))
		return err_set(e, ERR_USAGE, "%s is neither a tar nor a Dockerfile", what);
	c->is_dockerfile = true;
	return 0;
}

static int take_bytes(struct contextsource *c, int fd, const char *what, struct err **e)
{
	return rootfs_is_archive(fd) ? unpack(c, fd, what, e) : take_dockerfile(c, fd, what, e);
}

static int copy_stdin(int to, struct err **e)
{
	autofree char *buf = xmalloc(1 << 16);
	uint64_t total = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, 1 << 16)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "reading standard input");
		total += (uint64_t)n;
		if (total > CONTEXT_MAX_BYTES)
			return err_set(e, ERR_LIMIT,
				       "a build context on standard input is larger than %llu "
				       "GiB",
				       CONTEXT_MAX_BYTES >> 30);
		if (fs_write_full(to, buf, (size_t)n))
			return err_sys(e, "keeping standard input");
	}
	return 0;
}

static int new_spool(struct contextsource *c, int *ret_fd, struct err **e)
{
	autofree char *path = workdir_path(c->work, "context.in");

	*ret_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return *ret_fd < 0 ? err_sys(e, "making %s", path) : 0;
}

static int from_stdin(struct contextsource *c, struct err **e)
{
	autoclose int fd = -1;

	if (new_spool(c, &fd, e) || copy_stdin(fd, e))
		return -1;
	return take_bytes(c, fd, "standard input", e);
}

static int from_url(struct contextsource *c, const struct contextsource_opts *from,
		    struct err **e)
{
	struct download_opts o = { .url = from->word, .max_bytes = CONTEXT_MAX_BYTES };
	autofree char *shown = str_redacted(from->word);
	struct download d;
	autoclose int fd = -1;
	char *authorization;
	int failed;

	if (new_spool(c, &fd, e) || fetchauth_web(from->auth, o.url, &authorization, e))
		return -1;
	o.authorization = authorization;
	failed = download_get(&o, fd, &d, e);
	fetchauth_forget(authorization);
	if (failed)
		return err_wrap(e, "fetching the build context %s", shown);
	download_release(&d);
	return take_bytes(c, fd, shown, e);
}

static int from_file(struct contextsource *c, const char *path, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "opening the build context %s", path);
	if (!rootfs_is_archive(fd))
		return err_set(e, ERR_USAGE,
			       "the build context %s is not a directory, and no tar either",
			       path);
	return unpack(c, fd, path, e);
}

static int from_git(struct contextsource *c, const struct contextsource_opts *from,
		    struct err **e)
{
	const char *word = from->word;
	struct df_git git;
	autofree char *dir = workdir_path(c->work, "repository");
	autofree char *shown = str_redacted(word);
	char commit[GIT_COMMIT_MAX + 1];
	int failed;

	if (df_git_parse(word, &git, e))
		return err_wrap(e, "the build context %s", shown);
	free(take(c->dir));
	failed = gitclone(
		&(struct gitclone_opts){ .from = &git,
					 .checksum = git.checksum,
					 .dir = dir,
					 .keeps_git_dir = git.has_keep_git_dir
								  ? git.keeps_git_dir
								  : from->keeps_git_dir,
					 .auth = from->auth,
					 .has_users_ssh = true,
					 .is_file_ok = str_starts(word, "file://") },
		commit, &c->dir, e);
	df_git_release(&git);
	return failed;
}

/* ---- the whole ---- */

static int open_remote(struct contextsource *c, struct store *store,
		       const struct contextsource_opts *o, bool is_path, struct err **e)
{
	if (workdir_new(store, &c->work, e))
		return -1;
	c->dir = workdir_path(c->work, "context");
	if (fs_mkdirs(c->dir, 0755, e))
		return -1;
	if (is_path)
		return from_file(c, o->word, e);
	if (streq(o->word, "-"))
		return from_stdin(c, e);
	return is_git(o->word) ? from_git(c, o, e) : from_url(c, o, e);
}

int contextsource_open(struct store *store, const struct contextsource_opts *o,
		       struct contextsource **ret, struct err **e)
{
	const char *word = o->word;
	AUTO(contextsource) c = xcalloc(1, sizeof(*c));
	bool is_path = contextsource_is_path(word);
	struct stat st;

	c->dockerfile = (struct str)STR_INIT;
	if (is_path && stat(word, &st))
		return err_set(e, ERR_NOTFOUND,
			       "there is no directory %s to take as build context", word);
	if (is_path && S_ISDIR(st.st_mode)) {
		c->dir = xstrdup(word);
		c->is_local = true;
	} else if (open_remote(c, store, o, is_path, e)) {
		return -1;
	}
	*ret = take(c);
	return 0;
}

void contextsource_free(struct contextsource *c)
{
	if (!c)
		return;
	workdir_free(c->work);
	str_release(&c->dockerfile);
	free(c->dir);
	free(c);
}

int contextsource_read(const struct contextsource *c, const char *name, struct str *ret,
		       struct err **e)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
				.resolve = RESOLVE_NO_MAGICLINKS };
	autoclose int root = open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int fd = -1;

	/* A user's own directory may have links to wherever the user likes. */
	if (!c->is_local)
		how.resolve |= RESOLVE_IN_ROOT;
	fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_NOTFOUND, "open %s: no such file or directory", name);
	if (fd < 0)
		return err_sys(e, "opening %s in the build context", name);
	return fs_read_fd(fd, name, CONTEXT_MAX_FILE_BYTES, ret, e);
}

int context_open_word(struct store *store, const char *word, const struct fetch_auth *auth,
		      struct context **ret, struct err **e)
{
	struct contextsource_opts o = { .word = word, .auth = auth };
	AUTO(contextsource) source = NULL;
	autostr text = STR_INIT;
	bool has_file = false;

	if (contextsource_open(store, &o, &source, e))
		return -1;
	if (source->is_dockerfile)
		return err_set(e, ERR_USAGE, "%s is no build context", word);
	if (source->is_local) {
		has_file = contextsource_read(source, ".dockerignore", &text, e) == 0;
		if (!has_file && (*e)->code != ERR_NOTFOUND)
			return -1;
		err_drop(e);
	}
	if (context_open(source->dir, has_file ? &text : NULL, ".dockerignore", ret, e))
		return -1;
	context_keep_source(*ret, take(source));
	return 0;
}
