/* Of two records that differ in one input, each kind of input is told; and what they say of it.
 */
#include "unit.h"

#include "base/str.h"
#include "builder/explain.h"

static const char hex_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char hex_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static struct record_step *add_step(struct record *r, const char *text)
{
	struct record_step step = { .text = xstrdup(text), .run_ms = -1 };

	vec_push(&r->stages.at[0].steps, step);
	return &r->stages.at[0].steps.at[r->stages.at[0].steps.n - 1];
}

/* A stage of a COPY and a RUN with one input of each kind. */
static struct record *make(void)
{
	struct record *r = record_new();
	struct record_stage stage = { .label = xstrdup("web"),
				      .image = xstrdup("debian:12"),
				      .digest = xstrdup("sha256:00") };
	autofree char *file = xasprintf("100644 %s", hex_a);
	struct record_step *s;

	vec_push(&r->stages, stage);
	s = add_step(r, "COPY app /srv");
	record_add_part(s, PART_BASE, "debian:12", hex_a);
	record_add_part(s, PART_FILE, "app/a.py", file);
	record_add_part(s, PART_FILE, "app/b.py", file);
	record_add_part(s, PART_FILE, "app/link", "120777 -> a.py");
	record_add_part(s, PART_COMMAND, "", "/srv");
	record_add_part(s, PART_OPTION, "--chown", "app");
	s = add_step(r, "RUN make");
	record_add_part(s, PART_COMMAND, "", "/bin/sh -c make");
	record_add_part(s, PART_HEREDOC, "EOF", "make\n");
	record_add_part(s, PART_ARG, "V", "1");
	record_add_part(s, PART_ENV, "PATH", "/bin");
	record_add_part(s, PART_MOUNT, "/cache", "type=cache,rw");
	record_add_part(s, PART_TREE, "build:/out", hex_a);
	record_add_part(s, PART_OPTION, "USER", "");
	return r;
}

static void set(char **to, const char *text)
{
	free(*to);
	*to = xstrdup(text);
}

static struct record_part *part(struct record *r, size_t step, enum part_kind kind,
				const char *name)
{
	vec_each (p, &r->stages.at[0].steps.at[step].parts)
		if (p->kind == kind && streq(p->name, name))
			return p;
	fail_msg("no part %s", name);
	return NULL;
}

/* What the first difference says; "" if there is none. */
static void expect(struct record *old, struct record *new, size_t step, size_t n,
		   const char *kind, const char *text)
{
	struct differences d = { 0 };
	autofree char *said = NULL;

	explain_step(&old->stages.at[0], &new->stages.at[0], step, &d);
	assert_int_equal(d.at.n, n);
	if (n) {
		assert_string_equal(d.at.at[0].kind, kind);
		said = difference_text(&d.at.at[0]);
		assert_string_equal(said, text);
	}
	differences_release(&d);
	record_free(old);
	record_free(new);
}

struct flip {
	size_t step;
	enum part_kind kind;
	const char *name, *value;
	const char *says_kind, *says;
};

static void test_each_kind(void **state)
{
	static const struct flip flips[] = {
		{ 0, PART_FILE, "app/b.py",
		  "100644 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
		  "file",
		  "file app/b.py has changed: sha256:aaaaaaaaaaaa is now sha256:bbbbbbbbbbbb" },
		{ 0, PART_FILE, "app/b.py",
		  "100755 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "file", "file app/b.py has other permissions: 0644 is now 0755" },
		{ 0, PART_FILE, "app/b.py", "040755", "file",
		  "file app/b.py was a file and is now a directory" },
		{ 0, PART_FILE, "app/link", "120777 -> b.py", "file",
		  "file app/link has changed: \"-> a.py\" is now \"-> b.py\"" },
		{ 0, PART_BASE, "debian:12", hex_b, "base",
		  "the base image debian:12 has changed: sha256:aaaaaaaaaaaa is now "
		  "sha256:bbbbbbbbbbbb" },
		{ 0, PART_COMMAND, "", "/opt", "command",
		  "the command has changed: \"/srv\" is now \"/opt\"" },
		{ 0, PART_OPTION, "--chown", "web", "option",
		  "--chown has changed: \"app\" is now \"web\"" },
		{ 1, PART_ARG, "V", "2", "arg", "ARG V has changed: \"1\" is now \"2\"" },
		{ 1, PART_ENV, "PATH", "/usr/bin", "env",
		  "ENV PATH has changed: \"/bin\" is now \"/usr/bin\"" },
		{ 1, PART_HEREDOC, "EOF", "make all\n", "heredoc",
		  "heredoc EOF has changed: \"make\\n\" is now \"make all\\n\"" },
		{ 1, PART_MOUNT, "/cache", "type=tmpfs", "mount",
		  "mount /cache has changed: \"type=cache,rw\" is now \"type=tmpfs\"" },
		{ 1, PART_TREE, "build:/out", hex_b, "tree",
		  "what is copied from build:/out has changed: sha256:aaaaaaaaaaaa is now "
		  "sha256:bbbbbbbbbbbb" },
		{ 1, PART_OPTION, "USER", "www", "option",
		  "USER has changed: \"\" is now \"www\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		struct record *new = make();

		set(&part(new, flips[i].step, flips[i].kind, flips[i].name)->value,
		    flips[i].value);
		expect(make(), new, flips[i].step, 1, flips[i].says_kind, flips[i].says);
	}
	expect(make(), make(), 0, 0, NULL, NULL);
	expect(make(), make(), 1, 0, NULL, NULL);
}

static void test_added_and_removed(void **state)
{
	struct record *r = make();
	autofree char *file = xasprintf("100644 %s", hex_b);

	(void)state;
	record_add_part(&r->stages.at[0].steps.at[0], PART_FILE, "app/\033[1mc", file);
	expect(make(), r, 0, 1, "file", "file app/\\x1b[1mc is new: sha256:bbbbbbbbbbbb");
	r = make();
	set(&part(r, 0, PART_FILE, "app/a.py")->name, "app/0.py");
	expect(make(), r, 0, 2, "file", "file app/0.py is new: sha256:aaaaaaaaaaaa");
	r = make();
	r->stages.at[0].steps.at[1].parts.at[2].kind = PART_ENV;
	expect(make(), r, 1, 2, "arg", "ARG V is gone: it was \"1\"");
}

static void test_instruction(void **state)
{
	struct record *r = make();

	(void)state;
	set(&r->stages.at[0].steps.at[1].text, "RUN make all");
	set(&part(r, 1, PART_COMMAND, "")->value, "/bin/sh -c make all");
	expect(make(), r, 1, 2, "instruction",
	       "the instruction has changed: \"RUN make\" is now \"RUN make all\"");
	/* An ARG that has changed goes before the text, the files of another COPY after it. */
	r = make();
	set(&r->stages.at[0].steps.at[1].text, "RUN make all");
	set(&part(r, 1, PART_ARG, "V")->value, "2");
	expect(make(), r, 1, 2, "arg", "ARG V has changed: \"1\" is now \"2\"");
	r = make();
	set(&r->stages.at[0].steps.at[0].text, "COPY src /srv");
	set(&part(r, 0, PART_FILE, "app/a.py")->name, "src/a.py");
	expect(make(), r, 0, 3, "instruction",
	       "the instruction has changed: \"COPY app /srv\" is now \"COPY src /srv\"");
}

static void test_moved(void **state)
{
	struct record *r = make();
	struct record_stage *stage = &r->stages.at[0];
	struct record_step moved;

	(void)state;
	add_step(r, "RUN first");
	moved = stage->steps.at[2];
	stage->steps.at[2] = stage->steps.at[1];
	stage->steps.at[1] = moved;
	expect(make(), r, 1, 1, "instruction", "the instruction is new");
	r = make();
	set(&r->stages.at[0].steps.at[0].text, "ADD x /");
	add_step(r, "COPY app /srv");
	{
		struct differences d = { 0 };
		struct record *old = make();
		autofree char *said = NULL;

		explain_step(&old->stages.at[0], &r->stages.at[0], 0, &d);
		said = difference_text(&d.at.at[0]);
		assert_string_equal(said, "the instruction is new");
		assert_string_equal(change_name(d.at.at[0].change), "inserted");
		differences_release(&d);
		explain_step(&r->stages.at[0], &old->stages.at[0], 0, &d);
		free(said);
		said = difference_text(&d.at.at[0]);
		assert_string_equal(said,
				    "the instruction in front of it is gone: \"ADD x /\"");
		differences_release(&d);
		/* One more than there was. */
		explain_step(&old->stages.at[0], &r->stages.at[0], 2, &d);
		assert_int_equal(d.at.n, 1);
		assert_string_equal(change_name(d.at.at[0].change), "inserted");
		differences_release(&d);
		record_free(old);
	}
	record_free(r);
}

/* What isn't known yet, because its stage has to be built first, is no difference. */
static void test_unknown(void **state)
{
	struct record *r = make();

	(void)state;
	set(&part(r, 1, PART_TREE, "build:/out")->value, "");
	expect(make(), r, 1, 0, NULL, NULL);
}

static void test_other_base(void **state)
{
	struct record *r = make();

	(void)state;
	set(&part(r, 0, PART_BASE, "debian:12")->value, hex_b);
	set(&part(r, 0, PART_BASE, "debian:12")->name, "debian:13");
	expect(make(), r, 0, 1, "base",
	       "the base image has changed: \"debian:12\" is now \"debian:13\"");
}

/* Of long values the part that differs is shown. */
static void test_long_values(void **state)
{
	struct record *r = make(), *old = make();
	autostr text = STR_INIT;

	(void)state;
	for (int i = 0; i < 300; i++)
		str_addc(&text, 'x');
	str_add(&text, "one");
	set(&part(old, 1, PART_ARG, "V")->value, text.at);
	str_add(&text, "two");
	set(&part(r, 1, PART_ARG, "V")->value, text.at);
	expect(old, r, 1, 1, "arg",
	       "ARG V has changed: \"...xxxxxxxxxxxxxxxxxone\" is now "
	       "\"...xxxxxxxxxxxxxxxxxonetwo\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind),   cmocka_unit_test(test_added_and_removed),
		cmocka_unit_test(test_instruction), cmocka_unit_test(test_moved),
		cmocka_unit_test(test_unknown),     cmocka_unit_test(test_other_base),
		cmocka_unit_test(test_long_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
