#include "dockerfile/lint.h"

#include <ctype.h>
#include <string.h>

#include "dockerfile/internal.h"
#include "dockerfile/lint_internal.h"

static const struct rule {
	const char *name;
	const char *description;
	bool is_experimental;
} rules[LINT_N_RULES] = {
	[LINT_CONSISTENT_INSTRUCTION_CASING] = { "ConsistentInstructionCasing",
						 "All instructions should be written in the "
						 "same case, upper or lower" },
	[LINT_COPY_IGNORED_FILE] = { "CopyIgnoredFile",
				     "A file is copied that .dockerignore leaves out" },
	[LINT_DUPLICATE_STAGE_NAME] = { "DuplicateStageName", "Stage names should be unique" },
	[LINT_EXPOSE_INVALID_FORMAT] = { "ExposeInvalidFormat",
					 "EXPOSE takes no IP address and no host port" },
	[LINT_EXPOSE_PROTO_CASING] = { "ExposeProtoCasing",
				       "The protocol in EXPOSE should be lower case" },
	[LINT_FROM_AS_CASING] = { "FromAsCasing", "AS should be in the case of FROM" },
	[LINT_FROM_PLATFORM_FLAG_CONST] = { "FromPlatformFlagConstDisallowed",
					    "FROM --platform should not have a fixed value" },
	[LINT_INVALID_BASE_IMAGE_PLATFORM] = { "InvalidBaseImagePlatform",
					       "The base image is for another platform" },
	[LINT_INVALID_DEFAULT_ARG_IN_FROM] = { "InvalidDefaultArgInFrom",
					       "The default of an ARG before FROM gives an "
					       "empty or invalid image name" },
	[LINT_INVALID_DEFINITION_DESCRIPTION] = { "InvalidDefinitionDescription",
						  "A comment directly above a stage or ARG "
						  "should begin with its name",
						  true },
	[LINT_JSON_ARGS_RECOMMENDED] = { "JSONArgsRecommended",
					 "CMD and ENTRYPOINT in JSON form get the signals that "
					 "a shell keeps" },
	[LINT_LEGACY_KEY_VALUE_FORMAT] = { "LegacyKeyValueFormat",
					   "Key and value should be joined by '='" },
	[LINT_MAINTAINER_DEPRECATED] = { "MaintainerDeprecated",
					 "MAINTAINER is deprecated: a label tells the author" },
	[LINT_MULTIPLE_INSTRUCTIONS] = { "MultipleInstructionsDisallowed",
					 "Only the last one of its kind counts in a stage" },
	[LINT_NO_EMPTY_CONTINUATION] = { "NoEmptyContinuation",
					 "An empty line in a continued instruction is to "
					 "become an error" },
	[LINT_REDUNDANT_TARGET_PLATFORM] = { "RedundantTargetPlatform",
					     "--platform=$TARGETPLATFORM is the default" },
	[LINT_RESERVED_STAGE_NAME] = { "ReservedStageName",
				       "A stage should not be called scratch or context" },
	[LINT_SECRETS_USED] = { "SecretsUsedInArgOrEnv",
				"ARG and ENV stay in the image: no place for secrets" },
	[LINT_STAGE_NAME_CASING] = { "StageNameCasing", "Stage names should be lower case" },
	[LINT_UNDEFINED_ARG_IN_FROM] = { "UndefinedArgInFrom",
					 "FROM should use declared ARGs only" },
	[LINT_UNDEFINED_VAR] = { "UndefinedVar", "Variables should be defined before use" },
	[LINT_WORKDIR_RELATIVE_PATH] = { "WorkdirRelativePath",
					 "A relative WORKDIR depends on the base image" },
};

static const struct rule *find_rule(const char *name)
{
	for (size_t i = 0; i < LINT_N_RULES; i++)
		if (streq(rules[i].name, name))
			return &rules[i];
	return NULL;
}

const char *lint_rule_description(const char *name)
{
	const struct rule *r = find_rule(name);

	return r ? r->description : NULL;
}

/* StageNameCasing is at ".../stage-name-casing/", JSONArgsRecommended at ".../json-args-...".
 */
char *lint_rule_url(const char *name)
{
	autostr url = STR_INIT;

	str_add(&url, "https://docs.docker.com/go/dockerfile/rule/");
	for (const char *c = name; *c; c++) {
		bool is_after_lower = c > name && islower((unsigned char)c[-1]);
		bool is_before_lower = c > name && islower((unsigned char)c[1]);

		if (isupper((unsigned char)*c) && (is_after_lower || is_before_lower))
			str_addc(&url, '-');
		str_addc(&url, (char)tolower((unsigned char)*c));
	}
	str_addc(&url, '/');
	return str_take(&url);
}

static bool holds(const struct strv *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (streq(v->at[i], name))
			return true;
	return false;
}

static bool is_on(const struct lint_config *c, const struct rule *r)
{
	if (r->is_experimental)
		return c->has_all_experimental || holds(&c->experimental, r->name);
	return !c->skips_all && !holds(&c->skipped, r->name);
}

/* The first comment above the instruction that says "check=..." adds to the options. */
static bool is_skipped_by_comment(const struct df_instruction *in, const struct rule *r)
{
	for (size_t i = 0; in && i < in->comments.n; i++) {
		const char *text = in->comments.at[i];
		autofree char *value = df_directive_value(text, "check");
		struct lint_config c;
		struct err *e = NULL;
		bool is_skipped;

		if (!value)
			continue;
		if (lint_config_parse(value, &c, &e)) {
			err_drop(&e);
			return false;
		}
		is_skipped = !r->is_experimental && !is_on(&c, r);
		lint_config_release(&c);
		return is_skipped;
	}
	return false;
}

void lint_warn(struct lint *l, enum lint_rule rule, const struct df_instruction *in, int line,
	       const char *fmt, ...)
{
	const struct rule *r = &rules[rule];
	struct df_warning w = { .rule = r->name, .line = line ? line : in->line };
	autostr message = STR_INIT;
	va_list ap;

	if (!is_on(&l->config, r) || is_skipped_by_comment(in, r))
		return;
	va_start(ap, fmt);
	str_addv(&message, fmt, ap);
	va_end(ap);
	w.message = str_take(&message);
	vec_push(l->to, w);
	l->was_violated[rule] = true;
	if (!l->first_violation)
		l->first_violation = w.line;
}

const char *lint_build_arg(const struct lint *l, const char *name)
{
	return l->o->build_args ? strv_env_get(l->o->build_args, name) : NULL;
}

void lint_at(struct lint *l, const struct df_instruction *in)
{
	l->where = in ? (struct df_where){ in->line, in->end_line } : (struct df_where){ 0 };
}

/* ---- the road ---- */

static int choose_config(struct lint *l, struct err **e)
{
	const char *text = l->o->check;

	vec_each (d, &l->df->directives)
		if (!text && streq(d->name, "check"))
			text = d->value;
	return text ? lint_config_parse(text, &l->config, e) : 0;
}

/* The parser's own warnings are subject to the options like all others. */
static void take_parser_warnings(struct lint *l)
{
	vec_each (w, &l->df->warnings) {
		const struct df_instruction *of = NULL;

		vec_each (in, &l->df->instructions)
			if (in->line <= w->line && w->line <= in->end_line)
				of = in;
		lint_warn(l, LINT_NO_EMPTY_CONTINUATION, of, w->line, "%s", w->message);
	}
}

static int run_stages(struct lint *l, struct err **e)
{
	vec_each (s, &l->stages) {
		if (l->o->is_target_only && !s->is_needed)
			continue;
		if (lint_run_stage(l, s, e))
			return -1;
	}
	lint_at(l, NULL);
	return 0;
}

static const char violation[] = "lint violation found for rules: ";

bool lint_is_violation(const struct err *e)
{
	return str_starts(e->msg, violation) || str_starts(e->msg, "invalid check option ");
}

static int verdict(struct lint *l, struct err **e)
{
	autostr names = STR_INIT;

	if (!l->config.is_error || !l->first_violation)
		return 0;
	for (size_t i = 0; i < LINT_N_RULES; i++)
		if (l->was_violated[i])
			str_addf(&names, "%s%s", names.len ? ", " : "", rules[i].name);
	l->where = (struct df_where){ l->first_violation, l->first_violation };
	return err_set(e, ERR_USAGE, "%s%s", violation, names.at);
}

static int lint_all(struct lint *l, struct err **e)
{
	if (choose_config(l, e))
		return -1;
	take_parser_warnings(l);
	if (lint_form(l, e))
		return -1;
	lint_names(l);
	lint_casing(l);
	if (lint_globals(l, e) || lint_bases(l, e) || lint_graph(l, e))
		return -1;
	return run_stages(l, e) || verdict(l, e) ? -1 : 0;
}

static void stage_release(struct lint_stage *s)
{
	free(s->name);
	free(s->shown);
	free(s->base);
	free(s->cwd);
	strv_release(&s->env);
	strv_release(&s->declared);
}

static void lint_release(struct lint *l)
{
	vec_each (s, &l->stages)
		stage_release(s);
	vec_release(&l->stages);
	lint_config_release(&l->config);
	strv_release(&l->global);
	strv_release(&l->defaults);
	strv_release(&l->declared);
}

struct numbered {
	struct df_warning w;
	size_t number;
};

static int by_line(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	if (x->w.line != y->w.line)
		return x->w.line < y->w.line ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/* By line; what was found first stays first. */
static void sort_warnings(struct df_warnings *v)
{
	autofree struct numbered *all = xcalloc(v->n + 1, sizeof(*all));

	for (size_t i = 0; i < v->n; i++)
		all[i] = (struct numbered){ v->at[i], i };
	qsort(all, v->n, sizeof(*all), by_line);
	for (size_t i = 0; i < v->n; i++)
		v->at[i] = all[i].w;
}

int dockerfile_lint(const struct dockerfile *df, const struct lint_opts *o,
		    struct df_warnings *ret, struct df_where *where, struct err **e)
{
	struct lint l = { .df = df, .o = o, .to = ret };
	int failed = lint_all(&l, e);

	*where = failed ? l.where : (struct df_where){ 0 };
	sort_warnings(ret);
	lint_release(&l);
	return failed ? -1 : 0;
}
