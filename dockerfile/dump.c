#include <string.h>

#include "dockerfile/dockerfile.h"

/* The parser's DF_NUL becomes the character it stands for. */
static struct json *text_json(const char *s)
{
	const char *nul = strstr(s, DF_NUL);
	autostr text = STR_INIT;

	if (!nul)
		return json_from_str(s);
	for (; nul; nul = strstr(s, DF_NUL)) {
		str_addn(&text, s, (size_t)(nul - s));
		str_addc(&text, 0);
		s = nul + strlen(DF_NUL);
	}
	str_add(&text, s);
	return json_from_strn(text.at, text.len);
}

static struct json *list_json(const struct strv *v)
{
	struct json *array = json_array_new();

	for (size_t i = 0; i < v->n; i++)
		json_push(array, text_json(v->at[i]));
	return array;
}

static struct json *heredoc_json(const struct df_heredoc *h)
{
	struct json *o = json_object_new();

	json_put(o, "name", text_json(h->name));
	json_put(o, "expand", json_from_bool(h->is_expanded));
	json_put(o, "chomp", json_from_bool(h->is_chomped));
	json_put(o, "fd", json_from_int(h->fd));
	json_put(o, "content", json_from_strn(h->content.at, h->content.len));
	return o;
}

static struct json *instruction_json(const struct df_instruction *i)
{
	struct json *o = json_object_new();
	struct json *heredocs = json_array_new();

	vec_each (h, &i->heredocs)
		json_push(heredocs, heredoc_json(h));
	json_put(o, "line", json_from_int(i->line));
	json_put(o, "endLine", json_from_int(i->end_line));
	json_put(o, "name", text_json(i->name));
	json_put(o, "keyword", text_json(i->keyword));
	json_put(o, "raw", text_json(i->raw));
	json_put(o, "flags", list_json(&i->flags));
	json_put(o, "json", json_from_bool(i->is_json));
	json_put(o, "args", list_json(&i->args));
	json_put(o, "heredocs", heredocs);
	json_put(o, "comments", list_json(&i->comments));
	if (i->child)
		json_put(o, "child", instruction_json(i->child));
	return o;
}

static struct json *directive_json(const struct df_directive *d)
{
	struct json *o = json_object_new();

	json_put(o, "name", json_from_str(d->name));
	json_put(o, "value", json_from_str(d->value));
	json_put(o, "line", json_from_int(d->line));
	return o;
}

static struct json *warning_json(const struct df_warning *w)
{
	struct json *o = json_object_new();

	json_put(o, "rule", json_from_str(w->rule));
	json_put(o, "line", json_from_int(w->line));
	json_put(o, "message", json_from_str(w->message));
	return o;
}

struct json *df_warnings_to_json(const struct df_warnings *v)
{
	struct json *array = json_array_new();

	vec_each (w, v)
		json_push(array, warning_json(w));
	return array;
}

struct json *dockerfile_to_json(const struct dockerfile *d)
{
	struct json *o = json_object_new();
	struct json *directives = json_array_new();
	struct json *instructions = json_array_new();

	vec_each (directive, &d->directives)
		json_push(directives, directive_json(directive));
	vec_each (i, &d->instructions)
		json_push(instructions, instruction_json(i));
	json_put(o, "escape", json_from_strn(&d->escape, 1));
	json_put(o, "directives", directives);
	json_put(o, "instructions", instructions);
	json_put(o, "warnings", df_warnings_to_json(&d->warnings));
	return o;
}
