#include "builder/record.h"

#include <string.h>

#include "base/fs.h"

const char *part_kind_name(enum part_kind kind)
{
	static const char *const names[PART_KINDS] = { "base",   "file",  "heredoc",
						       "arg",    "env",   "command",
						       "option", "mount", "tree" };

	return names[kind];
}

struct record *record_new(void)
{
	struct record *r = xcalloc(1, sizeof(*r));

	r->total_ms = -1;
	return r;
}

static void release_step(struct record_step *s)
{
	vec_each (part, &s->parts) {
		free(part->name);
		free(part->value);
	}
	vec_release(&s->parts);
	free(s->text);
}

static void release_failure(struct record_failure *f)
{
	vec_each (m, &f->mounts) {
		free(m->kind);
		free(m->target);
		free(m->source);
		free(m->id);
		free(m->env);
		free(m->from);
		free(m->from_key);
		free(m->from_disk);
	}
	vec_release(&f->mounts);
	strv_release(&f->argv);
	strv_release(&f->env);
	strv_release(&f->lost_env);
	free(f->text);
	free(f->why);
	free(f->disk);
	free(f->user);
	free(f->cwd);
	free(f->script_name);
	free(f->script);
}

void record_free(struct record *r)
{
	if (!r)
		return;
	vec_each (stage, &r->stages) {
		vec_each (step, &stage->steps)
			release_step(step);
		vec_release(&stage->steps);
		free(stage->label);
		free(stage->image);
		free(stage->digest);
	}
	vec_release(&r->stages);
	release_failure(&r->failure);
	strv_release(&r->names);
	strv_release(&r->build_args);
	strv_release(&r->contexts);
	strv_release(&r->labels);
	strv_release(&r->secret_ids);
	strv_release(&r->lost_args);
	free(r->context_dir);
	free(r->dockerfile);
	free(r->target);
	free(r->kiln_version);
	free(r);
}

static char *digest_of(const char *text)
{
	AUTO(sha256) h = sha256_new();
	char hex[SHA256_HEX + 1];

	sha256_add(h, text, strlen(text));
	sha256_end_hex(h, hex);
	return xasprintf("sha256:%s", hex);
}

void record_add_part(struct record_step *s, enum part_kind kind, const char *name,
		     const char *value)
{
	bool is_long = strlen(value) > RECORD_VALUE_MAX;
	struct record_part part = { .kind = kind,
				    .name = xstrdup(name),
				    .value = is_long ? digest_of(value) : xstrdup(value),
				    .is_digest = is_long };

	vec_push(&s->parts, part);
}

void record_copy_values(const struct strv *from, struct strv *to, struct strv *lost)
{
	for (size_t i = 0; i < from->n; i++) {
		if (strlen(from->at[i]) <= RECORD_VALUE_MAX) {
			strv_push(to, from->at[i]);
		} else {
			size_t n = strcspn(from->at[i], "=");

			strv_push_take(lost,
				       xstrndup(from->at[i],
						n < RECORD_VALUE_MAX ? n : RECORD_VALUE_MAX));
		}
	}
}

static const struct record_step *find_key(const struct record *r, const char *key)
{
	vec_each (stage, &r->stages)
		vec_each (step, &stage->steps)
			if (streq(step->key, key) && step->run_ms >= 0)
				return step;
	return NULL;
}

void record_carry_times(struct record *to, const struct record *from)
{
	vec_each (stage, &to->stages) {
		vec_each (step, &stage->steps) {
			const struct record_step *same = NULL;

			if (step->run_ms < 0 && *step->key)
				same = find_key(from, step->key);
			if (same)
				step->run_ms = same->run_ms;
		}
	}
}

/* ---- the file ---- */

static char *path_in(const char *build_dir)
{
	return xasprintf("%s/inputs.json", build_dir);
}

int record_read(const char *build_dir, struct record **ret, struct err **e)
{
	autofree char *path = path_in(build_dir);
	autostr text = STR_INIT;
	struct err *why = NULL;

	if (fs_read_file(path, RECORD_JSON_MAX, &text, &why)) {
		if (why->code != ERR_NOTFOUND) {
			*e = why;
			return -1;
		}
		err_drop(&why);
		return 0;
	}
	if (record_parse(text.at, text.len, ret, e))
		return err_wrap(e, "reading %s", path);
	return 1;
}

int record_write(const struct record *r, const char *build_dir, struct err **e)
{
	AUTO(json) j = record_to_json(r);
	autofree char *text = json_text(j);
	autofree char *path = path_in(build_dir);

	return fs_write_atomic(path, text, strlen(text), 0600, e);
}
