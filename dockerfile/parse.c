#include "dockerfile/dockerfile.h"

#include <string.h>

#include "dockerfile/internal.h"
#include "dockerfile/rune.h"

struct parser {
	struct df_lines lines;
	struct dockerfile *to;
	struct strv comments; /* that stand before the next instruction */
	bool has_left_directives;
	struct df_where where; /* of what is being read */
};

static void remember_comment(struct parser *p, struct span line)
{
	const char *sign = rune_skip_space(line.at, line.end);
	char *text = rune_trimmed(sign + 1, line.end);

	if (*text)
		strv_push_take(&p->comments, text);
	else {
		free(text);
		strv_release(&p->comments);
	}
}

/* The line may be a directive, as long as all before it were. */
static int read_comment(struct parser *p, struct span line, struct err **e)
{
	int is_directive = 0;

	if (!p->has_left_directives)
		is_directive = df_directive_read(p->to, line, p->lines.line, e);
	if (is_directive < 0)
		return -1;
	if (!is_directive) {
		p->has_left_directives = true;
		remember_comment(p, line);
	}
	return 0;
}

/* Only ADD, COPY and RUN take heredocs, in shell form; or ONBUILD of them. */
static bool may_have_heredocs(const struct df_instruction *i)
{
	if (streq(i->name, "ONBUILD") && i->child)
		i = i->child;
	return !i->is_json &&
	       (streq(i->name, "ADD") || streq(i->name, "COPY") || streq(i->name, "RUN"));
}

/* Files come from heredocs, but can't be copied to one. */
static int check_destination(const struct df_instruction *i, struct err **e)
{
	if (i->child)
		i = i->child;
	if (streq(i->name, "RUN") || i->args.n < 2 ||
	    !heredoc_is_word(i->args.at[i->args.n - 1]))
		return 0;
	return err_set(e, ERR_USAGE, "%s cannot accept a heredoc as a destination", i->name);
}

static int read_heredocs(struct parser *p, const char *line, struct df_instruction *i,
			 struct err **e)
{
	if (!may_have_heredocs(i))
		return 0;
	heredoc_find(line, &i->heredocs);
	vec_each (h, &i->heredocs)
		if (heredoc_read_body(&p->lines, h, e))
			return -1;
	return check_destination(i, e);
}

static void warn_of_gap(struct parser *p)
{
	struct df_warning w = { .rule = "NoEmptyContinuation", .line = p->lines.line };

	w.message = xstrdup("Empty continuation line");
	vec_push(&p->to->warnings, w);
}

static void set_lines(struct df_instruction *i, struct df_where where)
{
	for (; i; i = i->child) {
		i->line = where.line;
		i->end_line = where.end_line;
	}
}

static int read_instruction(struct parser *p, struct span first, struct err **e)
{
	struct df_instruction i = { .comments = p->comments };
	autostr line = STR_INIT;
	bool has_gap = false;
	int status;

	p->comments = (struct strv)STRV_INIT;
	first.at = rune_skip_space(first.at, first.end);
	df_lines_join(&p->lines, first, p->to->escape, &line, &has_gap);
	if (has_gap)
		warn_of_gap(p);
	status = df_instruction_read(line.at, p->to->escape, &i, e);
	if (!status)
		status = read_heredocs(p, line.at, &i, e);
	p->where.end_line = p->lines.line;
	set_lines(&i, p->where);
	vec_push(&p->to->instructions, i);
	return status;
}

static int read_line(struct parser *p, struct span line, struct err **e)
{
	p->where = (struct df_where){ p->lines.line, p->lines.line };
	if (df_is_comment(line))
		return read_comment(p, line, e);
	p->has_left_directives = true;
	return df_is_white(line) ? 0 : read_instruction(p, line, e);
}

static int read_file(struct parser *p, size_t n, struct err **e)
{
	struct span line;

	if (!n)
		return err_set(e, ERR_USAGE,
			       "the Dockerfile cannot be empty (file with no instructions)");
	while (df_lines_next(&p->lines, &line))
		if (read_line(p, line, e))
			return -1;
	p->where = (struct df_where){ 0 };
	if (!p->to->instructions.n)
		return err_set(e, ERR_USAGE, "file with no instructions");
	return 0;
}

int dockerfile_parse_at(const char *bytes, size_t n, const char *name, struct dockerfile **ret,
			struct df_where *ret_where, struct err **e)
{
	AUTO(dockerfile) d = xcalloc(1, sizeof(*d));
	struct parser p = { .lines = df_lines_of(bytes, n), .to = d };
	int status;

	d->escape = '\\';
	d->text = (struct str)STR_INIT;
	str_addn(&d->text, bytes, n);
	status = read_file(&p, n, e);
	strv_release(&p.comments);
	if (status) {
		*ret_where = p.where;
		return p.where.line ? err_wrap(e, "%s:%d", name, p.where.line)
				    : err_wrap(e, "%s", name);
	}
	*ret = take(d);
	return 0;
}

int dockerfile_parse(const char *bytes, size_t n, const char *name, struct dockerfile **ret,
		     struct err **e)
{
	struct df_where where;

	return dockerfile_parse_at(bytes, n, name, ret, &where, e);
}

void df_warnings_release(struct df_warnings *w)
{
	vec_each (warning, w)
		free(warning->message);
	vec_release(w);
}

void dockerfile_free(struct dockerfile *d)
{
	if (!d)
		return;
	vec_each (directive, &d->directives) {
		free(directive->name);
		free(directive->value);
	}
	vec_release(&d->directives);
	vec_each (i, &d->instructions)
		df_instruction_release(i);
	vec_release(&d->instructions);
	df_warnings_release(&d->warnings);
	str_release(&d->text);
	free(d);
}
