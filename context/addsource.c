#include "context/addsource.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/vec.h"
#include "context/archivetree.h"
#include "context/context_internal.h"
#include "context/gitclone.h"
#include "context/packlist.h"
#include "context/untar.h"
#include "context/urlmemo.h"
#include "dockerfile/value.h"

enum addtree_kind { TREE_URL, TREE_UNPACKED_URL, TREE_GIT, TREE_ARCHIVE };

struct addtree {
	enum addtree_kind kind;
	char *dir;    /* of ours: where its bytes are or will be */
	char *prefix; /* in the image */
	/* URLs */
	char *url, *file_name;
	struct download got;
	bool is_here; /* the bytes are in dir */
	/* git */
	struct df_git git;
	char *checksum, *commit;
	bool keeps_git_dir;
	/* archives of a context */
	struct context *from; /* borrowed */
	char *path;
	struct stat seen;
	int blob_fd;
	struct context *files; /* of dir, when it is there */
};

struct addsources {
	struct store *store;
	struct cancel *cancel; /* or NULL */
	pthread_mutex_t lock;  /* of work */
	const struct fetch_auth *auth;
	struct workdir *work;
	VEC(struct addtree *) trees;
};

int addsources_new(struct store *store, const struct fetch_auth *auth, struct addsources **ret,
		   struct err **e)
{
	AUTO(addsources) a = xcalloc(1, sizeof(*a));

	(void)e;
	a->store = store;
	pthread_mutex_init(&a->lock, NULL);
	a->auth = auth;
	*ret = take(a);
	return 0;
}

static void tree_free_(struct addtree *t)
{
	context_free(t->files);
	download_release(&t->got);
	df_git_release(&t->git);
	if (t->blob_fd >= 0)
		close(t->blob_fd);
	free(t->dir);
	free(t->prefix);
	free(t->url);
	free(t->file_name);
	free(t->checksum);
	free(t->commit);
	free(t->path);
	free(t);
}

void addsources_free(struct addsources *a)
{
	if (!a)
		return;
	vec_each (t, &a->trees)
		tree_free_(*t);
	vec_release(&a->trees);
	workdir_free(a->work);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

void addsources_heed(struct addsources *a, struct cancel *cancel)
{
	a->cancel = cancel;
}

/* A work directory is made when something is to be put into it. */
static int need_work(struct addsources *a, struct err **e)
{
	int failed;

	pthread_mutex_lock(&a->lock);
	failed = a->work ? 0 : workdir_new(a->store, &a->work, e);
	pthread_mutex_unlock(&a->lock);
	return failed;
}

static const char unpacked[] = ".unpacked"; /* at the end of an archive's place */

bool addsource_is_unpacked(const char *path)
{
	const char *name = path + strlen(ADDSOURCE_DIR "/");

	return str_starts(path, ADDSOURCE_DIR "/") && !strchr(name, '/') &&
	       str_ends(name, unpacked);
}

static void mark_unpacked(struct addtree *t)
{
	char *prefix = xasprintf("%s%s", t->prefix, unpacked);

	free(t->prefix);
	t->prefix = prefix;
}

static struct addtree *new_tree(struct addsources *a, enum addtree_kind kind)
{
	struct addtree *t = xcalloc(1, sizeof(*t));

	t->kind = kind;
	t->blob_fd = -1;
	t->prefix = xasprintf(ADDSOURCE_DIR "/%zu", a->trees.n);
	vec_push(&a->trees, t);
	return t;
}

/* Its own directory; in_front: what stands before its number. */
static int make_dir(struct addsources *a, struct addtree *t, const char *what, struct err **e)
{
	const char *number = strrchr(t->prefix, '/') + 1;
	autofree char *name = xasprintf("%s%s", what, number);

	if (need_work(a, e))
		return -1;
	free(t->dir);
	t->dir = workdir_path(a->work, name);
	return 0;
}

/* No message has a user's password. */
static int wrap(struct err **e, const char *doing, const char *url)
{
	autofree char *shown = str_redacted(url);

	return err_wrap(e, "%s %s", doing, shown);
}

/* ---- URLs ---- */

/* The last part of the path, as it stands in the URL but for %XX; "__unnamed__" if there is
 * none. */
static char *url_file_name(const char *url)
{
	const char *path = strchr(strstr(url, "://") + 3, '/');
	size_t n = path ? strcspn(path, "?#") : 0;
	autostr name = STR_INIT;

	while (n && path[n - 1] == '/')
		n--;
	for (size_t i = n; i > 0 && path[i - 1] != '/'; i--)
		if (i == 1 || path[i - 2] == '/')
			str_addn(&name, path + i - 1, n - i + 1);
	if (!name.len || streq(name.at, ".") || streq(name.at, ".."))
		return xstrdup("__unnamed__");
	for (char *at = name.at; (at = strchr(at, '%')); at++) {
		unsigned c;

		/* Never a slash or a NUL: it is one name. */
		if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]) ||
		    sscanf(at + 1, "%2x", &c) != 1 || !c || c == '/')
			continue;
		*at = (char)c;
		memmove(at + 1, at + 3, strlen(at + 3) + 1);
	}
	if (streq(name.at, ".") || streq(name.at, "..") || strlen(name.at) > NAME_MAX)
		return xstrdup("__unnamed__");
	return str_take(&name);
}

static int check_digest_form(const char *checksum, struct err **e)
{
	if (!str_starts(checksum, "sha256:") || strlen(checksum) != 7 + SHA256_HEX ||
	    strspn(checksum + 7, "0123456789abcdef") != SHA256_HEX)
		return err_set(e, ERR_USAGE,
			       "invalid checksum \"%s\": sha256: and %d hexadecimal digits are "
			       "meant",
			       checksum, SHA256_HEX);
	return 0;
}

static int get(const struct addsources *a, const struct download_opts *o, int fd,
	       struct download *ret, struct err **e)
{
	struct download_opts with = *o;
	char *authorization;
	int failed;

	if (fetchauth_web(a->auth, o->url, &authorization, e))
		return -1;
	with.authorization = authorization;
	failed = download_get(&with, fd, ret, e);
	fetchauth_forget(authorization);
	return failed;
}

/* Into dir, under its file name, as ADD leaves it. */
static int download(struct addsources *a, struct addtree *t, const char *etag,
		    struct download *ret, struct err **e)
{
	struct download_opts o = { .url = t->url,
				   .etag = etag,
				   .max_bytes = ADDSOURCE_MAX_URL_BYTES,
				   .cancel = a->cancel };
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	autofree char *path = NULL;
	autoclose int fd = -1;

	if (make_dir(a, t, "url", e) || fs_mkdirs(t->dir, 0700, e))
		return -1;
	path = xasprintf("%s/%s", t->dir, t->file_name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "making %s", path);
	if (get(a, &o, fd, ret, e))
		return wrap(e, "fetching", t->url);
	times[1].tv_sec = ret->modified_sec;
	if (fchmod(fd, 0600) || futimens(fd, times))
		return err_sys(e, "setting the time of %s", path);
	return 0;
}

/* What the URL holds: asked for, or known from the last time. */
static int look_at_url(struct addsources *a, struct addtree *t, const char *checksum,
		       struct err **e)
{
	struct download known, got;
	bool has_known = urlmemo_get(a->store, t->url, &known);
	int failed;

	/* What is pinned by its digest, and known, needs no asking. */
	if (has_known && *checksum && streq(checksum + 7, known.digest)) {
		t->got = known;
		return 0;
	}
	failed = download(a, t, has_known ? known.etag : NULL, &got, e);
	if (!failed && got.is_unchanged) {
		download_release(&got);
		t->got = known;
		return 0;
	}
	download_release(&known);
	if (failed)
		return -1;
	t->got = got;
	t->is_here = true;
	urlmemo_put(a->store, t->url, &got);
	return 0;
}

static int check_digest(const struct addtree *t, const char *checksum, struct err **e)
{
	if (*checksum && !streq(checksum + 7, t->got.digest))
		return err_set(e, ERR_USAGE, "digest mismatch sha256:%s: %s", t->got.digest,
			       checksum);
	return 0;
}

/* What was known only by its digest is wanted now. */
static int need_url(struct addsources *a, struct addtree *t, struct err **e)
{
	struct download got;
	bool is_same;

	if (t->is_here)
		return 0;
	if (download(a, t, NULL, &got, e))
		return -1;
	is_same = streq(got.digest, t->got.digest);
	download_release(&got);
	if (!is_same)
		return err_set(e, ERR_USAGE, "%s changed during the build", t->url);
	t->is_here = true;
	return 0;
}

/* Looked at, and so fetched: an archive is unpacked, anything else stays a file. */
static int choose_kind(struct addsources *a, struct addtree *t, struct err **e)
{
	autofree char *path = NULL;
	autoclose int fd = -1;

	if (need_url(a, t, e))
		return -1;
	path = xasprintf("%s/%s", t->dir, t->file_name);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "opening %s", path);
	if (rootfs_is_archive(fd)) {
		t->kind = TREE_UNPACKED_URL;
		mark_unpacked(t);
	}
	return 0;
}

static int fetch_url(struct addsources *a, const char *url, const struct add_flags *flags,
		     struct sha256 *h, struct context_selection *ret, struct err **e)
{
	const char *checksum = flags->checksum ? flags->checksum : "";
	struct addtree *t = new_tree(a, TREE_URL);

	t->url = xstrdup(url);
	t->file_name = url_file_name(url);
	if (*checksum && check_digest_form(checksum, e))
		return -1;
	if (look_at_url(a, t, checksum, e) || check_digest(t, checksum, e))
		return -1;
	if (flags->is_unpacked > 0 && choose_kind(a, t, e))
		return -1;
	sha256_add_field(h, t->kind == TREE_URL ? "url" : "unpacked url");
	sha256_add_field(h, t->file_name);
	sha256_add_u64(h, (uint64_t)t->got.modified_sec);
	sha256_add_field(h, t->got.digest);
	context_add_other(ret, url, t->got.digest, false);
	strv_push_take(&ret->paths, t->kind == TREE_URL
					    ? xasprintf("%s/%s", t->prefix, t->file_name)
					    : xstrdup(t->prefix));
	return 0;
}

/* ---- git ---- */

static int fetch_git(struct addsources *a, const char *url, const struct add_flags *flags,
		     struct sha256 *h, struct context_selection *ret, struct err **e)
{
	struct addtree *t = new_tree(a, TREE_GIT);
	char commit[GIT_COMMIT_MAX + 1];

	if (df_git_parse(url, &t->git, e))
		return wrap(e, "reading the URL", url);
	t->checksum = xstrdup(flags->checksum && *flags->checksum ? flags->checksum
								  : t->git.checksum);
	t->keeps_git_dir =
		flags->keeps_git_dir >= 0 ? flags->keeps_git_dir : t->git.keeps_git_dir;
	if (gitclone_resolve(&(struct gitclone_opts){ .from = &t->git, .auth = a->auth },
			     commit, e))
		return wrap(e, "looking up", t->git.remote);
	if (strncasecmp(t->checksum, commit, strlen(t->checksum)) != 0)
		return err_set(e, ERR_USAGE, "expected checksum to match %s, got %s",
			       t->checksum, commit);
	t->commit = xstrdup(commit);
	sha256_add_field(h, "git");
	sha256_add_field(h, t->keeps_git_dir ? t->git.remote : "");
	sha256_add_field(h, commit);
	sha256_add_field(h, t->git.subdir);
	sha256_add_u64(h, (uint64_t)t->keeps_git_dir << 2 |
				  (uint64_t)t->git.has_submodules << 1 |
				  t->git.is_mtime_of_commit);
	context_add_other(ret, url, commit, false);
	strv_push(&ret->paths, t->prefix);
	return 0;
}

static int need_git(struct addsources *a, struct addtree *t, struct err **e)
{
	char commit[GIT_COMMIT_MAX + 1];
	struct gitclone_opts o = { .from = &t->git,
				   .checksum = t->commit,
				   .commit = t->commit,
				   .auth = a->auth,
				   .keeps_git_dir = t->keeps_git_dir };
	autofree char *dir = NULL;
	char *found;

	if (make_dir(a, t, "git", e))
		return -1;
	dir = take(t->dir);
	o.dir = dir;
	if (gitclone(&o, commit, &found, e))
		return -1;
	t->dir = found;
	t->is_here = true;
	return 0;
}

/* ---- archives ---- */

char *addsources_archive(struct addsources *a, struct context *c, const char *path,
			 const struct stat *seen)
{
	struct addtree *t = new_tree(a, TREE_ARCHIVE);

	mark_unpacked(t);
	t->from = c;
	t->path = xstrdup(path);
	t->seen = *seen;
	return xstrdup(t->prefix);
}

static bool is_as_seen(int fd, const struct stat *seen)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_ino == seen->st_ino && st.st_dev == seen->st_dev &&
	       st.st_size == seen->st_size && st.st_mtim.tv_sec == seen->st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == seen->st_mtim.tv_nsec;
}

/* Of an earlier image. */
static int forget_blobs(struct addtree *t, struct err **e)
{
	if (t->blob_fd < 0)
		return 0;
	close(take_fd(t->blob_fd));
	return fs_remove_tree(t->dir, e);
}

static int list_archive(struct addsources *a, struct addtree *t, int fd, size_t index,
			struct packlist *to, struct err **e)
{
	autofree char *scratch = NULL;
	AUTO(untar) u = NULL;

	if (make_dir(a, t, "archive", e) || forget_blobs(t, e) || fs_mkdirs(t->dir, 0700, e))
		return -1;
	scratch = xasprintf("%s.tar", t->dir);
	t->blob_fd = open(t->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->blob_fd < 0)
		return err_sys(e, "opening %s", t->dir);
	if (untar_open(fd, scratch, &u, e))
		return -1;
	/* No device of the host has such a number. */
	return archivetree_add(untar_layer(u), t->prefix, t->blob_fd, UINT64_MAX - index, to,
			       e);
}

static int need_archive(struct addsources *a, struct addtree *t, size_t index,
			struct packlist *to, struct err **e)
{
	autoclose int fd = openat(t->from->root_fd, t->path,
				  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "opening %s in the build context", t->path);
	if (!is_as_seen(fd, &t->seen))
		return err_set(e, ERR_USAGE, "%s in the build context changed during the build",
			       t->path);
	if (list_archive(a, t, fd, index, to, e))
		return err_wrap(e, "unpacking %s", t->path);
	return 0;
}

static int list_unpacked_url(struct addsources *a, struct addtree *t, size_t index,
			     struct packlist *to, struct err **e)
{
	autoclose int fd = -1;

	if (!t->path) /* t->dir will be that of what was in it */
		t->path = xasprintf("%s/%s", t->dir, t->file_name);
	fd = open(t->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "opening %s", t->path);
	if (list_archive(a, t, fd, index, to, e))
		return wrap(e, "unpacking", t->url);
	return 0;
}

/* ---- all together ---- */

/* A directory of ours, as a context without an ignore file. */
static int list_dir(struct addtree *t, struct packlist *to, struct err **e)
{
	struct context_selection all = { 0 };
	autostrv sources = STRV_INIT;
	int failed;

	strv_push(&sources, ".");
	context_free(take(t->files)); /* of an earlier image */
	failed =
		context_open(t->dir, NULL, "", &t->files, e) ||
		context_select(t->files, &(struct context_ask){ .sources = &sources }, &all, e);
	if (!failed)
		context_list(&all, t->prefix, to);
	context_selection_release(&all);
	return failed ? -1 : 0;
}

static int list_tree(struct addsources *a, size_t i, struct packlist *to, struct err **e)
{
	struct addtree *t = a->trees.at[i];

	switch (t->kind) {
	case TREE_URL:
		return need_url(a, t, e) || list_dir(t, to, e) ? -1 : 0;
	case TREE_UNPACKED_URL:
		return list_unpacked_url(a, t, i, to, e);
	case TREE_GIT:
		return (!t->is_here && need_git(a, t, e)) || list_dir(t, to, e) ? -1 : 0;
	case TREE_ARCHIVE:
		return need_archive(a, t, i, to, e);
	}
	return err_set(e, ERR_BUG, "tree of kind %d", t->kind);
}

size_t addsources_count(const struct addsources *a)
{
	return a->trees.n;
}

int addsources_list(struct addsources *a, size_t first, size_t n, struct packlist *to,
		    struct err **e)
{
	for (size_t i = first; i < first + n; i++)
		if (list_tree(a, i, to, e))
			return -1;
	return 0;
}

int addsources_fetch(struct addsources *a, const char *source, const struct add_flags *flags,
		     struct sha256 *h, struct context_selection *ret, struct err **e)
{
	return df_source_kind(source) == DF_SOURCE_URL ? fetch_url(a, source, flags, h, ret, e)
						       : fetch_git(a, source, flags, h, ret, e);
}

int addsources_check(const struct strv *sources, const struct add_flags *flags, struct err **e)
{
	if (!flags->checksum || !*flags->checksum)
		return 0;
	if (sources->n != 1)
		return err_set(e, ERR_USAGE,
			       "checksum can't be specified for multiple sources");
	if (df_source_kind(sources->at[0]) == DF_SOURCE_PATH)
		return err_set(e, ERR_USAGE, "checksum requires HTTP(S) or Git sources");
	return 0;
}
