#include "context/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/csv.h"

/* ---- what is said ---- */

struct raw {
	const char *id, *src, *env, *type;
};

/* What isn't understood may be the secret itself: no message shows it. */
static int take_field(char *field, struct raw *raw, struct err **e)
{
	const struct {
		const char *key;
		const char **to;
	} keys[] = {
		{ "id", &raw->id },   { "src", &raw->src },   { "source", &raw->src },
		{ "env", &raw->env }, { "type", &raw->type },
	};
	char *value = strchr(field, '=');

	if (!value)
		return err_set(e, ERR_USAGE, "each field is KEY=VALUE, as in id=ID,src=FILE");
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcasecmp(field, keys[i].key)) {
			*keys[i].to = value;
			return 0;
		}
	return err_set(e, ERR_USAGE, "there is no '%s': it takes id, src, env and type", field);
}

static bool is_given(const char *text)
{
	return text && *text;
}

/* Which file or variable is meant. */
static int settle(struct raw raw, struct secret_spec *ret, struct err **e)
{
	bool is_env = is_given(raw.type) && streq(raw.type, "env");
	bool is_file = is_given(raw.type) && streq(raw.type, "file");

	if (is_given(raw.type) && !is_env && !is_file)
		return err_set(e, ERR_USAGE, "type '%s' is neither file nor env", raw.type);
	if (!is_given(raw.id))
		return err_set(e, ERR_USAGE, "the id is missing: id=ID");
	if (is_env && !is_given(raw.env)) {
		raw.env = is_given(raw.src) ? raw.src : raw.id;
		raw.src = NULL;
	}
	if (!is_given(raw.env) && !is_given(raw.src)) {
		if (!is_file && getenv(raw.id))
			raw.env = raw.id;
		else
			raw.src = raw.id;
	}
	ret->id = xstrdup(raw.id);
	ret->env = is_given(raw.env) ? xstrdup(raw.env) : NULL;
	ret->file = ret->env ? NULL : xstrdup(raw.src);
	return 0;
}

int secret_spec_parse(const char *text, struct secret_spec *ret, struct err **e)
{
	autostrv fields = STRV_INIT;
	struct raw raw = { 0 };
	int failed = csv_split(text, &fields, e);

	*ret = (struct secret_spec){ 0 };
	for (size_t i = 0; !failed && i < fields.n; i++)
		failed = take_field(fields.at[i], &raw, e);
	if (failed || settle(raw, ret, e))
		return err_wrap(e, "--secret");
	return 0;
}

void secret_spec_release(struct secret_spec *s)
{
	free(s->id);
	free(s->file);
	free(s->env);
}

/* ---- the bytes ---- */

/* A mapping of its own: no allocator copies it, and it is in no core file. */
static char *hidden_new(size_t n)
{
	void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort(); /* as xmalloc() */
	madvise(at, n, MADV_DONTDUMP);
	return at;
}

static void hidden_free(char *at, size_t n)
{
	explicit_bzero(at, n);
	munmap(at, n);
}

enum { HIDDEN_BYTES = SECRET_MAX_BYTES + 1 }; /* one more: the NUL, or the byte too many */

static void secret_release(struct secret *s)
{
	free(s->id);
	if (s->bytes)
		hidden_free(s->bytes, HIDDEN_BYTES);
}

/* Reads to the end of fd, at most HIDDEN_BYTES. -1 with errno. */
static int read_all(int fd, struct secret *s)
{
	while (s->n < HIDDEN_BYTES) {
		ssize_t got = read(fd, s->bytes + s->n, HIDDEN_BYTES - s->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		s->n += (size_t)got;
	}
	return 0;
}

static int too_big(struct err **e, const char *kind, const char *name)
{
	return err_set(e, ERR_LIMIT, "%s %s is larger than %d KiB, the most a secret may be",
		       kind, name, SECRET_MAX_BYTES >> 10);
}

static int load_file(const char *path, struct secret *s, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOTFOUND, "there is no file %s", path);
	if (fd < 0)
		return err_sys(e, "opening %s", path);
	if (read_all(fd, s))
		return err_sys(e, "reading %s", path);
	return s->n > SECRET_MAX_BYTES ? too_big(e, "the file", path) : 0;
}

static int load_env(const char *name, struct secret *s, struct err **e)
{
	const char *value = getenv(name);

	if (!value)
		return err_set(e, ERR_NOTFOUND, "the environment variable %s is not set", name);
	s->n = strlen(value);
	if (s->n > SECRET_MAX_BYTES)
		return too_big(e, "the environment variable", name);
	memcpy(s->bytes, value, s->n);
	return 0;
}

static int load(const char *text, struct secret *ret, struct err **e)
{
	struct secret_spec spec;
	int failed = secret_spec_parse(text, &spec, e);

	*ret = (struct secret){ 0 };
	if (!failed) {
		ret->id = take(spec.id);
		ret->bytes = hidden_new(HIDDEN_BYTES);
		failed = spec.env ? load_env(spec.env, ret, e) : load_file(spec.file, ret, e);
		if (failed)
			err_wrap(e, "secret %s", ret->id);
		else
			ret->bytes[ret->n] = '\0';
	}
	secret_spec_release(&spec);
	return failed;
}

static void drop(struct secrets *s, const char *id)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->all.n; i++) {
		if (streq(s->all.at[i].id, id))
			secret_release(&s->all.at[i]);
		else
			s->all.at[kept++] = s->all.at[i];
	}
	s->all.n = kept;
}

int secrets_load(const struct strv *specs, struct secrets *ret, struct err **e)
{
	*ret = (struct secrets){ 0 };
	for (size_t i = 0; i < specs->n; i++) {
		struct secret secret;

		if (load(specs->at[i], &secret, e)) {
			secret_release(&secret);
			secrets_release(ret);
			return -1;
		}
		drop(ret, secret.id);
		vec_push(&ret->all, secret);
	}
	return 0;
}

const struct secret *secrets_find(const struct secrets *s, const char *id)
{
	vec_each (secret, &s->all)
		if (streq(secret->id, id))
			return secret;
	return NULL;
}

void secrets_release(struct secrets *s)
{
	vec_each (secret, &s->all)
		secret_release(secret);
	vec_release(&s->all);
}
