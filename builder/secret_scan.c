#include "builder/secret_scan.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>

#include "base/fs.h"
#include "base/scan.h"

/* What is looked for of one secret: `n_pieces` of them, `piece_bytes` each. */
struct wanted {
	const struct secret *secret;
	const char *at; /* without white space around it */
	size_t piece_bytes, n_pieces;
	size_t first_mark; /* then SECRET_FORMS marks for each piece */
	bool is_in_base;   /* known to be, and said; under the lock */
};

struct secret_scan {
	struct progress *progress;
	VEC(struct wanted) all;
	struct scan *scan;
	size_t n_marks;

	pthread_mutex_t lock; /* of what follows */
	struct strv bases;
	size_t n_asked;   /* of the bases: those that in_base speaks of */
	uint8_t *in_base; /* what they hold, by mark */
};

/* ---- what is looked for ---- */

static bool is_telling(const char *bytes, size_t n)
{
	bool has[256] = { 0 };
	int distinct = 0;

	for (size_t i = 0; i < n; i++) {
		distinct += !has[(unsigned char)bytes[i]];
		has[(unsigned char)bytes[i]] = true;
	}
	return n >= SCAN_MIN_BYTES && distinct >= SECRET_MIN_DISTINCT;
}

static struct wanted cut(const struct secret *secret)
{
	const char *at = secret->bytes;
	size_t n = secret->n;
	struct wanted w = { .secret = secret };

	while (n && isspace((unsigned char)*at)) {
		at++;
		n--;
	}
	while (n && isspace((unsigned char)at[n - 1]))
		n--;
	w.at = at;
	w.piece_bytes = n > SECRET_WHOLE_BYTES ? SECRET_PIECE_BYTES : n;
	w.n_pieces = n > SECRET_WHOLE_BYTES ? n / SECRET_PIECE_BYTES : n > 0;
	return w;
}

static const char *piece_at(const struct wanted *w, size_t i)
{
	return w->at + i * w->piece_bytes;
}

static size_t count_telling(const struct wanted *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_pieces; i++)
		n += is_telling(piece_at(w, i), w->piece_bytes);
	return n;
}

struct visit {
	void (*each)(void *arg, const struct secret_pattern *p);
	void *arg;
	size_t secret;
	size_t mark; /* the piece's first */
};

static void visit_form(void *arg, enum secret_form form, const void *bytes, size_t n,
		       bool may_be_wrapped)
{
	const struct visit *v = arg;
	const struct secret_pattern p = { v->secret, v->mark + form, bytes, n, may_be_wrapped };

	v->each(v->arg, &p);
}

void secret_scan_each(const struct secret_scan *s,
		      void (*each)(void *arg, const struct secret_pattern *p), void *arg)
{
	for (size_t i = 0; s && i < s->all.n; i++) {
		const struct wanted *w = &s->all.at[i];

		for (size_t k = 0; k < w->n_pieces; k++) {
			struct visit v = { each, arg, i, w->first_mark + k * SECRET_FORMS };

			if (is_telling(piece_at(w, k), w->piece_bytes))
				secret_forms(piece_at(w, k), w->piece_bytes, visit_form, &v);
		}
	}
}

static void add_to_scan(void *arg, const struct secret_pattern *p)
{
	scan_add(arg, p->bytes, p->n, p->may_be_wrapped, (uint32_t)p->mark);
}

struct secret_scan *secret_scan_new(const struct secrets *secrets, struct progress *p)
{
	struct secret_scan *s = xcalloc(1, sizeof(*s));

	s->progress = p;
	pthread_mutex_init(&s->lock, NULL);
	vec_each (secret, &secrets->all) {
		struct wanted w = cut(secret);

		w.first_mark = s->n_marks;
		if (count_telling(&w) * 2 < w.n_pieces + !w.n_pieces) {
			if (secret->n)
				progress_warn(p,
					      "the secret \"%s\" is too short or too regular "
					      "to be told from chance: what is built is not "
					      "searched for it",
					      secret->id);
			continue;
		}
		s->n_marks += w.n_pieces * SECRET_FORMS;
		vec_push(&s->all, w);
	}
	if (!s->all.n) {
		secret_scan_free(s);
		return NULL;
	}
	s->in_base = xcalloc(s->n_marks, 1);
	s->scan = scan_new();
	secret_scan_each(s, add_to_scan, s->scan);
	scan_close(s->scan);
	return s;
}

void secret_scan_free(struct secret_scan *s)
{
	if (!s)
		return;
	vec_release(&s->all);
	scan_free(s->scan);
	strv_release(&s->bases);
	free(s->in_base);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

const char *secret_scan_id(const struct secret_scan *s, size_t n)
{
	return s->all.at[n].secret->id;
}

/* ---- what was found ---- */

/* If so, *ret is the form in which most of it was found. */
static bool is_found(const struct wanted *w, const uint8_t *found, enum secret_form *ret)
{
	size_t n_pieces = 0, by_form[SECRET_FORMS] = { 0 };

	for (size_t i = 0; i < w->n_pieces; i++) {
		const uint8_t *marks = found + w->first_mark + i * SECRET_FORMS;
		bool any = false;

		for (enum secret_form f = 0; f < SECRET_FORMS; f++) {
			by_form[f] += marks[f];
			any |= marks[f];
		}
		n_pieces += any;
	}
	*ret = SECRET_RAW;
	for (enum secret_form f = 0; f < SECRET_FORMS; f++)
		if (by_form[f] > by_form[*ret])
			*ret = f;
	return n_pieces * 2 >= count_telling(w);
}

void secret_scan_add_base(struct secret_scan *s, const char *path)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	strv_push(&s->bases, path);
	pthread_mutex_unlock(&s->lock);
}

/* Only asked when something was found: an ordinary build doesn't read its base disk. */
static int ask_base(struct secret_scan *s, struct wanted *w, struct err **e)
{
	enum secret_form form;

	for (; s->n_asked < s->bases.n; s->n_asked++)
		if (scan_file(s->scan, s->bases.at[s->n_asked], s->in_base, e))
			return err_wrap(e, "searching the base image for secrets");
	if (is_found(w, s->in_base, &form) && !w->is_in_base) {
		w->is_in_base = true;
		progress_warn(s->progress,
			      "the secret \"%s\" is also in the base image: that it is found "
			      "elsewhere proves nothing, and is let pass",
			      w->secret->id);
	}
	return 0;
}

static int refuse(struct secret_scan *s, struct wanted *w, enum secret_form form,
		  const char *where, struct err **e)
{
	static const char *const forms[] = {
		[SECRET_RAW] = "",
		[SECRET_BASE64] = " (in base64)",
		[SECRET_HEX] = " (in hexadecimal)",
		[SECRET_URL] = " (URL-encoded)",
	};

	if (ask_base(s, w, e))
		return -1;
	if (w->is_in_base)
		return 0;
	return err_set(e, ERR_STEP, "the secret \"%s\" is in %s%s: no template is made of it",
		       w->secret->id, where, forms[form]);
}

size_t secret_scan_count(const struct secret_scan *s)
{
	return s->n_marks;
}

static int judge(struct secret_scan *s, const uint8_t *found, const char *where, struct err **e)
{
	for (size_t i = 0; i < s->all.n; i++) {
		enum secret_form form;

		if (is_found(&s->all.at[i], found, &form) &&
		    refuse(s, &s->all.at[i], form, where, e))
			return -1;
	}
	return 0;
}

int secret_scan_judge(struct secret_scan *s, const uint8_t *found, const char *where,
		      struct err **e)
{
	int failed;

	pthread_mutex_lock(&s->lock);
	failed = judge(s, found, where, e);
	pthread_mutex_unlock(&s->lock);
	return failed;
}

int secret_scan_text(struct secret_scan *s, const char *text, size_t n, const char *where,
		     struct err **e)
{
	autofree uint8_t *found = NULL;

	if (!s)
		return 0;
	found = xcalloc(s->n_marks, 1);
	scan_bytes(s->scan, text, n, found);
	return secret_scan_judge(s, found, where, e);
}

int secret_scan_file(struct secret_scan *s, const char *path, const char *where, struct err **e)
{
	autofree uint8_t *found = NULL;

	if (!s)
		return 0;
	found = xcalloc(s->n_marks, 1);
	if (scan_file(s->scan, path, found, e))
		return err_wrap(e, "searching for secrets");
	return secret_scan_judge(s, found, where, e);
}

int secret_scan_optional(struct secret_scan *s, const char *path, const char *where,
			 struct err **e)
{
	return s && fs_exists(path) ? secret_scan_file(s, path, where, e) : 0;
}
