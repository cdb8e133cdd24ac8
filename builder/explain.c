#include "builder/explain.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { VALUE_SHOWN_MAX = 120, DIGEST_SHOWN = 12, CONTEXT_SHOWN = 20 };

void differences_release(struct differences *d)
{
	vec_each (it, &d->at) {
		free(it->name);
		free(it->old_value);
		free(it->new_value);
	}
	vec_release(&d->at);
}

static void add(struct differences *ret, const char *kind, enum change change, const char *name,
		const char *old_value, const char *new_value)
{
	struct difference d = { kind, change, xstrdup(name), xstrdup(old_value),
				xstrdup(new_value) };

	vec_push(&ret->at, d);
}

/* ---- files: "100644 DIGEST", "120777 -> TARGET", "040755" ---- */

static unsigned file_mode(const char *value)
{
	return (unsigned)strtoul(value, NULL, 8);
}

static const char *file_type(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	default:
		return "special file";
	}
}

/* "sha256:DIGEST", "-> TARGET", or "" for what has no content. The caller frees. */
static char *file_content(const char *value)
{
	const char *blank = strchr(value, ' ');

	if (!blank)
		return xstrdup("");
	return str_starts(blank + 1, "-> ") ? xstrdup(blank + 1)
					    : xasprintf("sha256:%s", blank + 1);
}

static void compare_file(const char *name, const char *old_value, const char *new_value,
			 struct differences *ret)
{
	unsigned old_mode = file_mode(old_value), new_mode = file_mode(new_value);
	autofree char *old_content = file_content(old_value);
	autofree char *new_content = file_content(new_value);

	if ((old_mode ^ new_mode) & S_IFMT) {
		add(ret, "file", CHANGE_TYPE, name, file_type(old_mode), file_type(new_mode));
	} else if (!streq(old_content, new_content)) {
		add(ret, "file", CHANGE_CONTENT, name, old_content, new_content);
	} else {
		autofree char *old_text = xasprintf("%04o", old_mode & 07777);
		autofree char *new_text = xasprintf("%04o", new_mode & 07777);

		add(ret, "file", CHANGE_MODE, name, old_text, new_text);
	}
}

/* ---- parts ---- */

static int by_name(const void *a, const void *b)
{
	const struct record_part *x = *(const struct record_part *const *)a;
	const struct record_part *y = *(const struct record_part *const *)b;

	return strcmp(x->name, y->name);
}

/* The parts of one kind, by name; the caller frees the array. */
static const struct record_part **sorted_parts(const struct record_step *s, enum part_kind kind,
					       size_t *ret_n)
{
	const struct record_part **at =
		xcalloc(s->parts.n + 1, sizeof(const struct record_part *));

	*ret_n = 0;
	vec_each (part, &s->parts)
		if (part->kind == kind)
			at[(*ret_n)++] = part;
	if (*ret_n)
		qsort(at, *ret_n, sizeof(*at), by_name);
	return at;
}

static void add_one(const struct record_part *p, enum change change, struct differences *ret)
{
	autofree char *content =
		p->kind == PART_FILE ? file_content(p->value) : xstrdup(p->value);
	bool is_new = change == CHANGE_ADDED;

	add(ret, part_kind_name(p->kind), change, p->name, is_new ? "" : content,
	    is_new ? content : "");
}

static void compare_part(const struct record_part *old, const struct record_part *new,
			 struct differences *ret)
{
	bool is_unknown = (old->kind == PART_TREE || old->kind == PART_BASE) &&
			  (!*old->value || !*new->value);

	if (is_unknown || streq(old->value, new->value))
		return;
	if (old->kind == PART_FILE)
		compare_file(old->name, old->value, new->value, ret);
	else
		add(ret, part_kind_name(old->kind), CHANGE_CONTENT, old->name, old->value,
		    new->value);
}

/* Both lists are sorted: what is in one of them only, and what differs. */
static void compare_kind(const struct record_step *old, const struct record_step *new,
			 enum part_kind kind, struct differences *ret)
{
	size_t n_old, n_new, i = 0, k = 0;
	autofree const struct record_part **was = sorted_parts(old, kind, &n_old);
	autofree const struct record_part **is = sorted_parts(new, kind, &n_new);

	while (i < n_old || k < n_new) {
		int order = i == n_old   ? 1
			    : k == n_new ? -1
					 : strcmp(was[i]->name, is[k]->name);

		if (order < 0)
			add_one(was[i++], CHANGE_REMOVED, ret);
		else if (order > 0)
			add_one(is[k++], CHANGE_ADDED, ret);
		else
			compare_part(was[i++], is[k++], ret);
	}
}

/* A base that has another name has another digest for that reason. */
static void compare_base(const struct record_step *old, const struct record_step *new,
			 struct differences *ret)
{
	const struct record_part *was = NULL, *is = NULL;

	vec_each (part, &old->parts)
		if (part->kind == PART_BASE)
			was = part;
	vec_each (part, &new->parts)
		if (part->kind == PART_BASE)
			is = part;
	if (was && is && !streq(was->name, is->name))
		add(ret, "base", CHANGE_CONTENT, "", was->name, is->name);
	else
		compare_kind(old, new, PART_BASE, ret);
}

/* ---- the instruction ---- */

static bool has_text(const struct record_stage *stage, size_t from, const char *text)
{
	for (size_t i = from; i < stage->steps.n; i++)
		if (streq(stage->steps.at[i].text, text))
			return true;
	return false;
}

static void compare_text(const struct record_step *was, const struct record_step *is,
			 struct differences *ret)
{
	if (!streq(was->text, is->text))
		add(ret, "instruction", CHANGE_CONTENT, "", was->text, is->text);
}

/* Another instruction stands in its place: there is nothing to compare. */
static bool is_moved(const struct record_stage *old, const struct record_stage *new, size_t i,
		     struct differences *ret)
{
	const char *is = new->steps.at[i].text;
	const char *was = i < old->steps.n ? old->steps.at[i].text : "";

	if (i < old->steps.n && streq(was, is))
		return false;
	if (i >= old->steps.n || has_text(new, i + 1, was))
		add(ret, "instruction", CHANGE_INSERTED, "", "", is);
	else if (has_text(old, i + 1, is))
		add(ret, "instruction", CHANGE_LEFT_OUT, "", was, is);
	return ret->at.n;
}

static bool is_copy(const struct record_step *s)
{
	return str_starts(s->text, "COPY") || str_starts(s->text, "ADD");
}

void explain_step(const struct record_stage *old, const struct record_stage *new, size_t i,
		  struct differences *ret)
{
	static const enum part_kind after[] = { PART_HEREDOC, PART_MOUNT, PART_TREE,
						PART_COMMAND, PART_OPTION };
	const struct record_step *was, *is = &new->steps.at[i];
	bool is_text_first;

	if (is_moved(old, new, i, ret))
		return;
	was = &old->steps.at[i];
	is_text_first = !streq(was->text, is->text) && (is_copy(is) || is_copy(was));
	if (is_text_first)
		compare_text(was, is, ret);
	compare_kind(was, is, PART_FILE, ret);
	compare_kind(was, is, PART_ARG, ret);
	compare_kind(was, is, PART_ENV, ret);
	compare_base(was, is, ret);
	if (!is_text_first)
		compare_text(was, is, ret);
	for (size_t k = 0; k < sizeof(after) / sizeof(after[0]); k++)
		compare_kind(was, is, after[k], ret);
}

/* ---- words ---- */

const char *change_name(enum change change)
{
	switch (change) {
	case CHANGE_ADDED:
		return "added";
	case CHANGE_REMOVED:
		return "removed";
	case CHANGE_CONTENT:
		return "content";
	case CHANGE_MODE:
		return "mode";
	case CHANGE_TYPE:
		return "type";
	case CHANGE_INSERTED:
		return "inserted";
	case CHANGE_LEFT_OUT:
		return "left out";
	}
	return "";
}

static bool is_hex_digest(const char *value)
{
	return strlen(value) == SHA256_HEX && strspn(value, "0123456789abcdef") == SHA256_HEX;
}

/* Digests short; else in quotes on one line, from byte `from` on and cut at its end. */
static void add_value(struct str *s, const char *value, size_t from)
{
	static const char prefix[] = "sha256:";
	autostr line = STR_INIT;

	if (is_hex_digest(value)) {
		str_addf(s, "%s%.*s", prefix, DIGEST_SHOWN, value);
		return;
	}
	if (str_starts(value, prefix) && is_hex_digest(value + strlen(prefix))) {
		str_addf(s, "%.*s", DIGEST_SHOWN + (int)strlen(prefix), value);
		return;
	}
	for (const char *at = value + from; *at && line.len < VALUE_SHOWN_MAX; at++)
		if (*at == '\n' || *at == '\t')
			str_add(&line, *at == '\n' ? "\\n" : "\\t");
		else
			str_addc(&line, *at);
	str_add(s, from ? "\"..." : "\"");
	str_add_visible(s, line.at, line.len);
	str_add(s, strlen(value) - from > VALUE_SHOWN_MAX ? "...\"" : "\"");
}

/* Of two long values, where to begin so that what differs is seen. */
static size_t difference_at(const char *a, const char *b)
{
	size_t n = 0;

	if (strlen(a) <= VALUE_SHOWN_MAX && strlen(b) <= VALUE_SHOWN_MAX)
		return 0;
	while (a[n] && a[n] == b[n])
		n++;
	return n > CONTEXT_SHOWN ? n - CONTEXT_SHOWN : 0;
}

/* "file app.py", "ARG V", "the base", ... */
static void add_subject(struct str *s, const struct difference *d)
{
	static const char *const words[][2] = {
		{ "file", "file " },
		{ "heredoc", "heredoc " },
		{ "arg", "ARG " },
		{ "env", "ENV " },
		{ "base", "the base image " },
		{ "command", "the command" },
		{ "option", "" },
		{ "mount", "mount " },
		{ "tree", "what is copied from " },
		{ "instruction", "the instruction" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (streq(words[i][0], d->kind))
			str_add(s, words[i][1]);
	str_add_visible(s, d->name, strlen(d->name));
}

static void add_pair(struct str *s, const struct difference *d, const char *verb)
{
	size_t from = difference_at(d->old_value, d->new_value);

	str_addf(s, " %s: ", verb);
	add_value(s, d->old_value, from);
	str_add(s, " is now ");
	add_value(s, d->new_value, from);
}

static void add_change(struct str *s, const struct difference *d)
{
	switch (d->change) {
	case CHANGE_ADDED:
		str_add(s, " is new");
		break;
	case CHANGE_REMOVED:
		str_add(s, " is gone");
		break;
	case CHANGE_CONTENT:
		add_pair(s, d, "has changed");
		return;
	case CHANGE_MODE:
		str_addf(s, " has other permissions: %s is now %s", d->old_value, d->new_value);
		return;
	case CHANGE_TYPE:
		str_addf(s, " was a %s and is now a %s", d->old_value, d->new_value);
		return;
	case CHANGE_INSERTED:
		str_add(s, " is new");
		return;
	case CHANGE_LEFT_OUT:
		str_add(s, " in front of it is gone: ");
		add_value(s, d->old_value, 0);
		return;
	}
	if (*d->old_value || *d->new_value) {
		str_add(s, d->change == CHANGE_ADDED ? ": " : ": it was ");
		add_value(s, *d->new_value ? d->new_value : d->old_value, 0);
	}
}

char *difference_text(const struct difference *d)
{
	autostr s = STR_INIT;

	add_subject(&s, d);
	while (s.len && s.at[s.len - 1] == ' ')
		s.at[--s.len] = '\0';
	add_change(&s, d);
	return str_take(&s);
}

struct json *difference_to_json(const struct difference *d)
{
	struct json *o = json_object_new();

	json_put(o, "kind", json_from_str(d->kind));
	json_put(o, "change", json_from_str(change_name(d->change)));
	json_put(o, "name", json_from_str(*d->name ? d->name : NULL));
	json_put(o, "old", json_from_str(*d->old_value ? d->old_value : NULL));
	json_put(o, "new", json_from_str(*d->new_value ? d->new_value : NULL));
	return o;
}
