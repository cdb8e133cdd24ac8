#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "builder/stage.h"

/* The context of every case; what a case changes it puts back. */
static char dir[] = "/tmp/kiln-cachekey.XXXXXX";

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void put(const char *name, const char *text)
{
	autofree char *path = in_dir(name);
	struct err *e = NULL;

	assert_ok(fs_write_atomic(path, text, strlen(text), 0644, &e), e);
}

static void set_mode(const char *name, mode_t mode)
{
	autofree char *path = in_dir(name);

	assert_int_equal(chmod(path, mode), 0);
}

static void set_time(const char *name, time_t sec)
{
	autofree char *path = in_dir(name);
	const struct timespec times[2] = { { .tv_sec = sec }, { .tv_sec = sec } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void rename_in(const char *from, const char *to)
{
	autofree char *a = in_dir(from), *b = in_dir(to);

	assert_int_equal(rename(a, b), 0);
}

static void link_to(const char *target, const char *name)
{
	autofree char *path = in_dir(name);

	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static void make_dir(const char *name)
{
	autofree char *path = in_dir(name);

	assert_int_equal(mkdir(path, 0755), 0);
}

static void drop(const char *name)
{
	autofree char *path = in_dir(name);
	struct err *e = NULL;

	assert_ok(fs_remove_tree(path, &e), e);
}

/* ------------------------------------------------------------------ a file's last key */

struct given {
	const char *dockerfile;
	const char *arg;    /* --build-arg; NULL: none */
	const char *ignore; /* .dockerignore; NULL: none */
	const char *digest; /* of the base; NULL: always the same */
};

static struct base *the_base;

static int give_base(void *arg, size_t stage, const char *image, const struct oci_config **ret,
		     struct err **e)
{
	const struct given *g = arg;
	struct json *empty = json_object_new();
	int failed;

	(void)stage;
	the_base = xcalloc(1, sizeof(*the_base));
	the_base->blobs_fd = -1;
	the_base->name = xstrdup(image);
	failed = oci_config_from_json(empty, &the_base->config, e);
	json_free(empty);
	cachekey_base("image", g->digest ? g->digest : "sha256:00", the_base->key);
	*ret = &the_base->config;
	return failed;
}

/* As the build has it: the key of the one stage, which reads nothing but the context. */
static void key_of_plan(const struct plan *plan, struct context *take_context, cachekey ret)
{
	struct base *bases[] = { the_base };
	struct tree_context context = { .name = xstrdup("") };
	struct strv contexts = STRV_INIT;
	struct plan_where where;
	struct graph graph = { .plan = plan, .contexts_from = &contexts, .where = &where };
	struct err *e = NULL;

	context.context = take_context;
	vec_push(&graph.contexts, context);
	assert_ok(graph_open(&graph, bases, &e), e);
	assert_ok(stage_settle(&graph, &graph.stages[0], &e), e);
	strcpy(ret, stage_key(&graph, &graph.stages[0]));
	graph_release(&graph);
}

static void last_key(struct given g, cachekey ret)
{
	AUTO(dockerfile) df = NULL;
	AUTO(plan) plan = NULL;
	autostrv args = STRV_INIT;
	autostr ignore = STR_INIT;
	struct context *c = NULL;
	struct plan_opts o = { .build_args = &args, .base = give_base, .arg = &g };
	struct plan_where where;
	struct err *e = NULL;

	if (g.arg)
		strv_push(&args, g.arg);
	str_add(&ignore, g.ignore ? g.ignore : "");
	assert_ok(dockerfile_parse(g.dockerfile, strlen(g.dockerfile), "Dockerfile", &df, &e),
		  e);
	assert_ok(plan_make(df, &o, &plan, &where, &e), e);
	assert_ok(context_open(dir, &ignore, ".dockerignore", &c, &e), e);
	key_of_plan(plan, c, ret);
}

#define hits(a, b) compare(a, b, true, __LINE__)
#define misses(a, b) compare(a, b, false, __LINE__)

static void compare(const cachekey a, const cachekey b, bool is_hit, int line)
{
	if (streq(a, b) != is_hit)
		fail_msg("line %d: the keys %s", line, is_hit ? "differ" : "are the same");
}

/* Two Dockerfiles with the same context. */
struct pair {
	struct given a, b;
	int line;
};
#define TEXT(text)                            \
	{                                     \
		.dockerfile = "FROM x\n" text \
	}
#define ARG(text, value)                                    \
	{                                                   \
		.dockerfile = "FROM x\n" text, .arg = value \
	}

static void compare_pairs(const struct pair *pairs, size_t n, bool is_hit)
{
	for (size_t i = 0; i < n; i++) {
		cachekey a, b;

		last_key(pairs[i].a, a);
		last_key(pairs[i].b, b);
		compare(a, b, is_hit, pairs[i].line);
	}
}

/* ------------------------------------------------------------------ what is written */

static void test_text_hits(void **state)
{
	static const struct pair pairs[] = {
		{ TEXT("RUN a b"), TEXT("# comment\n\nRUN \\\n# another\na b\n"), __LINE__ },
		{ TEXT("RUN a"), TEXT("run   a"), __LINE__ },
		{ TEXT("RUN a"), TEXT("RUN [\"/bin/sh\", \"-c\", \"a\"]"), __LINE__ },
		/* Metadata is no step, and no part of one. */
		{ TEXT("RUN a"),
		  TEXT("LABEL k=v\nEXPOSE 80\nCMD [\"c\"]\nENTRYPOINT [\"e\"]\nVOLUME /v\n"
		       "STOPSIGNAL 9\nHEALTHCHECK NONE\nRUN a\nLABEL l=w\nUSER me\nENV A=1"),
		  __LINE__ },
		{ TEXT("RUN a"), { .dockerfile = "FROM x AS named\nRUN a" }, __LINE__ },
		/* An ARG that is set after it, never, or nowhere declared. */
		{ TEXT("RUN a"), ARG("RUN a\nARG V", "V=1"), __LINE__ },
		{ TEXT("RUN a"), ARG("ARG V\nRUN a", "W=1"), __LINE__ },
		{ TEXT("RUN a"), TEXT("ARG V\nRUN a"), __LINE__ },
		/* What proxies there are makes no difference to a result. */
		{ TEXT("RUN a"), ARG("RUN a", "HTTP_PROXY=http://p"), __LINE__ },
		/* COPY and WORKDIR only depend on what they use. */
		{ ARG("ARG V\nCOPY one /x", "V=1"), ARG("ARG V\nCOPY one /x", "V=2"),
		  __LINE__ },
		{ ARG("ARG V\nCOPY $V /x", "V=one"), TEXT("COPY one /x"), __LINE__ },
		{ TEXT("ENV A=1\nUSER u\nCOPY one /x"), TEXT("COPY one /x"), __LINE__ },
		{ TEXT("COPY one /a/b"), TEXT("COPY ./one /a/b"), __LINE__ },
		{ TEXT("WORKDIR /a\nCOPY one b"), TEXT("WORKDIR /a\nCOPY one /a/b"), __LINE__ },
		{ TEXT("ENV A=1\nWORKDIR /a"), TEXT("ENV A=2\nWORKDIR /a"), __LINE__ },
	};

	(void)state;
	compare_pairs(pairs, sizeof(pairs) / sizeof(pairs[0]), true);
}

static void test_text_misses(void **state)
{
	static const struct pair pairs[] = {
		{ TEXT("RUN a"), TEXT("RUN b"), __LINE__ },
		{ TEXT("RUN a b"), TEXT("RUN a  b"), __LINE__ },
		{ TEXT("RUN a"), TEXT("RUN [\"a\"]"), __LINE__ },
		{ TEXT("RUN [\"a b\"]"), TEXT("RUN [\"a\", \"b\"]"), __LINE__ },
		{ TEXT("RUN a\nRUN b"), TEXT("RUN b\nRUN a"), __LINE__ },
		{ TEXT("RUN a\nRUN a"), TEXT("RUN a"), __LINE__ },
		{ { .dockerfile = "FROM x\nRUN a", .digest = "sha256:01" },
		  TEXT("RUN a"),
		  __LINE__ },
		/* What is in force, used or not. */
		{ TEXT("ENV A=1\nRUN a"), TEXT("ENV A=2\nRUN a"), __LINE__ },
		{ TEXT("ENV A=1\nRUN a"), TEXT("RUN a"), __LINE__ },
		{ TEXT("ENV A=1 B=\nRUN a"), TEXT("ENV A= B=1\nRUN a"), __LINE__ },
		{ ARG("ARG V\nRUN a", "V=1"), ARG("ARG V\nRUN a", "V=2"), __LINE__ },
		{ ARG("ARG V\nRUN a", "V=1"), TEXT("ARG V\nRUN a"), __LINE__ },
		{ TEXT("RUN a"), ARG("ARG http_proxy\nRUN a", "http_proxy=http://p"),
		  __LINE__ },
		{ TEXT("ARG V=1\nRUN a"), TEXT("ARG V=2\nRUN a"), __LINE__ },
		{ TEXT("USER u\nRUN a"), TEXT("USER v\nRUN a"), __LINE__ },
		{ TEXT("SHELL [\"s\"]\nRUN a"), TEXT("RUN a"), __LINE__ },
		{ TEXT("WORKDIR /a"), TEXT("WORKDIR /b"), __LINE__ },
		{ TEXT("USER u\nWORKDIR /a"), TEXT("WORKDIR /a"), __LINE__ },
		/* Copies: from where, to where, how. */
		{ TEXT("COPY one /x"), TEXT("COPY one /y"), __LINE__ },
		{ TEXT("COPY one /x"), TEXT("COPY one /x/"), __LINE__ },
		{ TEXT("COPY one /x/"), TEXT("COPY same /x/"), __LINE__ },
		{ TEXT("COPY one two /x/"), TEXT("COPY one /x/"), __LINE__ },
		{ TEXT("COPY --chmod=644 one /x"), TEXT("COPY --chmod=600 one /x"), __LINE__ },
		{ TEXT("COPY --chown=1 one /x"), TEXT("COPY one /x"), __LINE__ },
		{ TEXT("WORKDIR /a\nCOPY one b"), TEXT("WORKDIR /b\nCOPY one b"), __LINE__ },
		{ TEXT("RUN a\nCOPY one /x"), TEXT("COPY one /x"), __LINE__ },
		/* A directory that holds a file is not that file. */
		{ TEXT("COPY only /x"), TEXT("COPY only/file /x"), __LINE__ },
		{ { .dockerfile = "FROM x\nCOPY tree /x", .ignore = "tree/b" },
		  TEXT("COPY tree /x"),
		  __LINE__ },
	};

	(void)state;
	compare_pairs(pairs, sizeof(pairs) / sizeof(pairs[0]), false);
}

/* ------------------------------------------------------------------ what is copied */

static void test_content_hits(void **state)
{
	static const struct given tree = TEXT("COPY tree /x"), one = TEXT("COPY one /x"),
				  wild = TEXT("COPY tree/*.c /x/");
	static const struct given ignored = { .dockerfile = "FROM x\nCOPY tree /x",
					      .ignore = "tree/junk" };
	cachekey before, after;

	(void)state;
	last_key(tree, before);
	set_time("tree/a", 1);
	set_time("tree/deep", 2);
	set_time("tree/link", 3);
	put("elsewhere", "x");
	set_mode("elsewhere", 0600);
	last_key(tree, after);
	hits(before, after);
	if (getuid() == 0) { /* what is copied belongs to root, whoever has it here */
		autofree char *path = in_dir("tree/a");

		assert_int_equal(chown(path, 1234, 4321), 0);
		last_key(tree, after);
		hits(before, after);
	}
	last_key(ignored, before);
	put("tree/junk", "x");
	last_key(ignored, after);
	hits(before, after);
	drop("tree/junk");
	/* The same bytes written again, and what a pattern doesn't take. */
	last_key(one, before);
	put("one", "same");
	last_key(one, after);
	hits(before, after);
	last_key(wild, before);
	put("tree/d.h", "x");
	last_key(wild, after);
	hits(before, after);
	drop("tree/d.h");
	drop("elsewhere");
}

/* A change of the context, and its reversal. */
struct change {
	int line;
	const char *dockerfile;
	void (*make)(void), (*undo)(void);
};

static void other_bytes(void)
{
	put("tree/a", "B");
}
static void bytes_back(void)
{
	put("tree/a", "a");
}
static void other_mode(void)
{
	set_mode("tree/a", 0755);
}
static void mode_back(void)
{
	set_mode("tree/a", 0644);
}
static void other_name(void)
{
	rename_in("tree/a", "tree/A");
}
static void name_back(void)
{
	rename_in("tree/A", "tree/a");
}
static void other_target(void)
{
	link_to("b", "tree/link");
}
static void target_back(void)
{
	link_to("a", "tree/link");
}
static void new_dir(void)
{
	make_dir("tree/new");
}
static void no_new_dir(void)
{
	drop("tree/new");
}
static void dir_mode(void)
{
	set_mode("tree/deep", 0700);
}
static void dir_mode_back(void)
{
	set_mode("tree/deep", 0755);
}
static void new_match(void)
{
	put("tree/e.c", "c");
}
static void no_new_match(void)
{
	drop("tree/e.c");
}
static void renamed_match(void)
{
	rename_in("tree/c.c", "tree/d.c");
}
static void match_back(void)
{
	rename_in("tree/d.c", "tree/c.c");
}
static void moved_deeper(void)
{
	rename_in("tree/b", "tree/deep/b");
}
static void moved_back(void)
{
	rename_in("tree/deep/b", "tree/b");
}
/* The name takes a byte that was the content's. */
static void byte_moves(void)
{
	put("tree/b", "");
	rename_in("tree/b", "tree/bb");
}
static void byte_moves_back(void)
{
	drop("tree/bb");
	put("tree/b", "b");
}
static void file_for_link(void)
{
	drop("tree/link");
	put("tree/link", "a");
}
static void link_again(void)
{
	drop("tree/link");
	link_to("a", "tree/link");
}

static void test_content_misses(void **state)
{
	static const char tree[] = "FROM x\nCOPY tree /x", wild[] = "FROM x\nCOPY tree/*.c /x/";
	static const struct change changes[] = {
		{ __LINE__, tree, other_bytes, bytes_back },
		{ __LINE__, "FROM x\nADD tree/a /x", other_bytes, bytes_back },
		{ __LINE__, tree, other_mode, mode_back },
		{ __LINE__, tree, other_name, name_back },
		{ __LINE__, tree, other_target, target_back },
		{ __LINE__, tree, new_dir, no_new_dir },
		{ __LINE__, tree, dir_mode, dir_mode_back },
		{ __LINE__, wild, new_match, no_new_match },
		{ __LINE__, wild, renamed_match, match_back },
		{ __LINE__, tree, moved_deeper, moved_back },
		{ __LINE__, tree, byte_moves, byte_moves_back },
		{ __LINE__, tree, file_for_link, link_again },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct change *c = &changes[i];
		const struct given g = { .dockerfile = c->dockerfile };
		cachekey before, after, again;

		last_key(g, before);
		c->make();
		last_key(g, after);
		c->undo();
		last_key(g, again);
		compare(before, after, false, c->line);
		compare(before, again, true, c->line);
	}
}

/* A step that changes is no reason to run those before it. */
static void test_only_what_follows(void **state)
{
	cachekey first, before;

	(void)state;
	last_key((struct given)TEXT("RUN a\nCOPY one /x"), before);
	last_key((struct given)TEXT("RUN a"), first);
	misses(before, first);
	put("one", "changed");
	last_key((struct given)TEXT("RUN a"), before);
	hits(before, first);
	put("one", "same");
}

static int make_context(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	umask(022);
	put("one", "same");
	put("same", "same");
	put("two", "two");
	make_dir("only");
	put("only/file", "f");
	make_dir("tree");
	make_dir("tree/deep");
	put("tree/a", "a");
	put("tree/b", "b");
	put("tree/c.c", "c");
	link_to("a", "tree/link");
	return 0;
}

static int remove_context(void **state)
{
	struct err *e = NULL;

	(void)state;
	return fs_remove_tree(dir, &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_hits),         cmocka_unit_test(test_text_misses),
		cmocka_unit_test(test_content_hits),      cmocka_unit_test(test_content_misses),
		cmocka_unit_test(test_only_what_follows),
	};

	return cmocka_run_group_tests(tests, make_context, remove_context);
}
