#include "builder/check.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "dockerfile/value.h"

/* A parser's error carries "FILE:LINE" in front. */
static void take_parse_error(struct check *c, struct err *e)
{
	c->error = e->cause ? take(e->cause) : e;
	if (c->error != e)
		err_free(e);
}

void check_run(const char *file_name, struct str *take_text, const struct lint_opts *o,
	       struct check *c)
{
	AUTO(dockerfile) df = NULL;
	struct err *e = NULL;

	*c = (struct check){ .file_name = file_name, .text = *take_text };
	*take_text = (struct str)STR_INIT;
	if (!c->text.len)
		err_set(&c->error, ERR_USAGE, "the Dockerfile cannot be empty");
	else if (dockerfile_parse_at(c->text.at, c->text.len, file_name, &df, &c->where, &e))
		take_parse_error(c, e);
	else
		(void)dockerfile_lint(df, o, &c->warnings, &c->where, &c->error);
}

void check_release(struct check *c)
{
	str_release(&c->text);
	df_warnings_release(&c->warnings);
	err_free(c->error);
	*c = (struct check){ .text = STR_INIT };
}

static struct json *error_json(const struct check *c)
{
	autofree char *text = c->error ? err_text(c->error) : NULL;
	struct json *o;

	if (!text)
		return json_null_new();
	o = json_object_new();
	json_put(o, "line", json_from_int(c->where.line));
	json_put(o, "message", json_from_str(text));
	return o;
}

void check_print_json(const struct check *c)
{
	AUTO(json) o = json_object_new();
	autofree char *text = NULL;

	json_put(o, "warnings", df_warnings_to_json(&c->warnings));
	json_put(o, "error", error_json(c));
	text = json_text(o);
	puts(text);
}

void check_print_text(const struct check *c, bool with_excerpts)
{
	vec_each (w, &c->warnings) {
		autostr out = STR_INIT;

		str_add_visible(&out, w->message, strlen(w->message));
		printf("%s: %s (line %d)\n", w->rule, out.at, w->line);
		if (!with_excerpts)
			continue;
		str_clear(&out);
		df_excerpt(c->text.at, c->text.len, c->file_name,
			   (struct df_where){ w->line, w->line }, &out);
		printf("%s\n", out.at);
	}
}

void check_print_error(const struct check *c)
{
	autofree char *text = err_text(c->error);
	autostr block = STR_INIT;
	autostr visible = STR_INIT;

	df_excerpt(c->text.at, c->text.len, c->file_name, c->where, &block);
	str_add_visible(&visible, text, strlen(text));
	fflush(stdout);
	fputs(block.at, stderr);
	if (c->where.line)
		fprintf(stderr, "kiln: %s:%d: %s\n", c->file_name, c->where.line, visible.at);
	else
		fprintf(stderr, "kiln: %s: %s\n", c->file_name, visible.at);
}

void check_build_args(const struct strv *given, struct strv *ret)
{
	for (size_t i = 0; i < given->n; i++) {
		const char *value;

		if (strchr(given->at[i], '=')) {
			strv_push(ret, given->at[i]);
			continue;
		}
		value = getenv(given->at[i]);
		if (value)
			strv_pushf(ret, "%s=%s", given->at[i], value);
	}
}

/* The last one given counts. */
static const char *last_value(const struct strv *build_args, const char *name)
{
	const char *found = NULL;
	size_t n = strlen(name);

	for (size_t i = 0; i < build_args->n; i++)
		if (str_starts(build_args->at[i], name) && build_args->at[i][n] == '=')
			found = build_args->at[i] + n + 1;
	return found;
}

const char *check_option(const struct strv *build_args)
{
	return last_value(build_args, "BUILDKIT_DOCKERFILE_CHECK");
}

char *check_front_end(const struct dockerfile *df, const struct strv *build_args)
{
	static const char *const ours[] = { "docker/dockerfile", "docker/dockerfile-upstream" };
	const char *value = last_value(build_args, "BUILDKIT_SYNTAX");
	const char *name;
	size_t n;

	vec_each (d, &df->directives)
		if (!value && streq(d->name, "syntax"))
			value = d->value;
	if (!value || !*value)
		return NULL;
	n = strcspn(value, " ");
	name = value + (str_starts(value, "docker.io/") ? strlen("docker.io/") : 0);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcspn(name, ":@ ") == strlen(ours[i]) && str_starts(name, ours[i]))
			return NULL;
	return xstrndup(value, n);
}

bool check_keeps_git_dir(const struct strv *build_args)
{
	const char *value = last_value(build_args, "BUILDKIT_CONTEXT_KEEP_GIT_DIR");
	bool keeps = false;

	return value && df_bool_parse(value, &keeps) == 0 && keeps;
}

int check_build(const struct dockerfile *df, const struct strv *build_args,
		const struct lint_opts *o, struct progress *p, struct df_where *where,
		struct err **e)
{
	struct lint_opts with_args = *o;
	struct df_warnings warnings = { 0 };
	autostrv args = STRV_INIT;
	int failed;

	check_build_args(build_args, &args);
	with_args.build_args = &args;
	failed = dockerfile_lint(df, &with_args, &warnings, where, e);
	vec_each (w, &warnings)
		progress_warn(p, "%s: %s (line %d)", w->rule, w->message, w->line);
	df_warnings_release(&warnings);
	if (failed && !lint_is_violation(*e)) {
		err_drop(e);
		failed = 0;
	}
	return failed;
}
