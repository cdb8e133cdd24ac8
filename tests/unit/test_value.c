#include "unit.h"

#include "base/str.h"
#include "dockerfile/mount.h"
#include "dockerfile/value.h"

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "0", 0 },           { "1m30s", 90000000000 }, { "1.5s", 1500000000 },
		{ ".5s", 500000000 }, { "1.s", 1000000000 },    { "-2ms", -2000000 },
		{ "+1us", 1000 },     { "1\xc2\xb5s", 1000 },   { "3h", 10800000000000 },
	};
	static const char *const bad[] = { "",    "1", "s",    ".s",  "1x",
					   "1s2", "-", "1e3s", "1 s", "99999999999999h" };
	struct err *e = NULL;
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_ok(df_duration_parse(rows[i].text, &ns, &e), e);
		assert_int_equal(ns, rows[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(df_duration_parse(bad[i], &ns, &e), e, ERR_USAGE,
			     "invalid duration");
}

static void test_signals(void **state)
{
	static const char *const good[] = { "9",       "TERM",     "SIGTERM",     "sigkill",
					    "RTMIN+3", "SIGRTMAX", "SIGRTMAX-15", "CLD" };
	static const char *const bad[] = {
		"", "0", "SIG", "NOSUCH", "RTMIN-1", "RTMAX-16", "-9"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!df_signal_is_valid(good[i]))
			fail_msg("%s is refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (df_signal_is_valid(bad[i]))
			fail_msg("'%s' is taken", bad[i]);
}

static void test_ports(void **state)
{
	static const struct {
		const char *text, *want; /* "!": the error */
	} rows[] = {
		{ "80", "80-80/tcp" },
		{ "80-90/UDP", "80-90/udp c" },
		{ "80/", "80-80/tcp" },
		{ "1:2", "2-2/tcp m" },
		{ "127.0.0.1:1:2/sctp", "2-2/sctp m" },
		{ "[::1]:1:2", "2-2/tcp m" },
		{ ":2", "2-2/tcp" },
		{ "", "!no port specified" },
		{ "/tcp", "!no port specified" },
		{ "80/x", "!invalid port: \"80/x\": invalid proto: x" },
		{ "a", "!invalid containerPort: a" },
		{ "65536", "!invalid containerPort: 65536" },
		{ "9-8", "!invalid containerPort: 9-8" },
		{ "x:80", "!invalid hostPort: x" },
		{ "1-2:1-5", "!invalid ranges specified" },
	};
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct df_port p;
		autofree char *got = NULL;

		if (*rows[i].want == '!') {
			assert_fails(df_port_parse(rows[i].text, &p, &e), e, ERR_USAGE,
				     rows[i].want + 1);
			continue;
		}
		assert_ok(df_port_parse(rows[i].text, &p, &e), e);
		got = xasprintf("%u-%u/%s%s%s", p.first, p.last, p.proto,
				p.is_cased ? " c" : "", p.has_mapping ? " m" : "");
		assert_string_equal(got, rows[i].want);
	}
}

static void test_images(void **state)
{
	static const char *const good[] = {
		"a",
		"a/b/c",
		"a:1",
		"a:V1_2.3-x",
		"localhost/a",
		"h:5000/a:1",
		"H/a",
		"[::1]:5/a",
		"a__b/c.d/e--f",
		"oci:./Dir:Tag",
		"docker-archive:X.tar",
		"template:web",
		"a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"a:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	};
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "invalid reference format" },
		{ "A", "repository name (library/A) must be lowercase" },
		{ "a/B", "repository name (a/B) must be lowercase" },
		{ "a:", "invalid reference format" },
		{ "a:b:c", "invalid reference format" },
		{ "a//b", "invalid reference format" },
		{ "/a", "invalid reference format" },
		{ "a ", "invalid reference format" },
		{ "a_", "invalid reference format" },
		{ "a@x", "invalid reference format" },
		{ "a@sha256:12", "invalid reference format" },
		{ "h:x/a", "invalid reference format" },
		{ "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		  "cannot specify 64-byte hexadecimal strings" },
	};
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_ok(df_image_check(good[i], &e), e);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(df_image_check(bad[i].text, &e), e, ERR_USAGE, bad[i].says);
}

static void test_modes(void **state)
{
	static const char *const good[] = { "0",   "7777", "+x", "u=rwX,go=rX",
					    "a+X", "g=u",  "=",  "u+r-w" };
	static const char *const bad[] = { "", "8", "10000", "rw", "u", "u+y", "u+x,", "0x1" };
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_ok(df_chmod_check(good[i], &e), e);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(df_chmod_check(bad[i], &e), e, ERR_USAGE,
			     "invalid chmod parameter");
}

static int as_written(void *arg, const char *word, char **ret, struct err **e)
{
	(void)arg, (void)e;
	*ret = xstrdup(word);
	return 0;
}

static void test_mounts(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "target=/x", "bind - - /x - ro" },
		{ "type=bind,src=a,from=b,dst=/x,rw", "bind b a /x - rw" },
		{ "TYPE=Cache,target=/c,id=i,sharing=Locked,mode=755,uid=1,gid=2",
		  "cache - - /c i rw locked 755 1 2" },
		{ "type=cache,target=/c,ro", "cache - - /c - ro" },
		{ "type=tmpfs,target=/t,size=1m", "tmpfs - - /t - rw 1048576" },
		{ "type=secret,id=s,env=E,required", "secret - - - s ro E required" },
		{ "type=secret,target=\"/a,\"\"b\",ro=false", "!bare" },
		{ "type=secret,\"target=/a,\"\"b\",ro=false", "secret - - /a,\"b - rw" },
		{ "type=ssh", "ssh - - - - ro" },
		{ "", "!failed to parse csv mounts" },
		{ "type=nosuch", "!unsupported mount type \"nosuch\"" },
		{ "type=cahce", "!unsupported mount type \"cahce\" (did you mean cache?)" },
		{ "type=cache,sharing=x", "!unsupported sharing value \"x\"" },
		{ "tarhet=/x",
		  "!unexpected key 'tarhet' in 'tarhet=/x' (did you mean target?)" },
		{ "target", "!invalid field 'target' must be a key=value pair" },
		{ "required", "!unexpected key 'required' for mount type 'bind'" },
		{ "size=1,type=tmpfs", "!unexpected key 'size' for mount type 'bind'" },
		{ "type=tmpfs,size=x", "!invalid value for size: x" },
		{ "ro=maybe", "!invalid value for ro: maybe" },
		{ "target=/x,mode=755", "!mode not allowed for \"bind\" type mounts" },
		{ "type=cache,mode=9", "!invalid value 9 for mode" },
		{ "type=secret", "!one of source, target required" },
		{ "type=secret,src=a,id=b", "!both source and id can't be set" },
		{ "type=secret,from=a,id=b", "!secret mount should not have a from" },
		{ "type=ssh,src=a", "!ssh does not support source" },
		{ "sharing=shared,target=/x", "!invalid cache sharing set for bind mount" },
	};
	static const char *const sharings[] = { "", " shared", " private", " locked" };
	const struct df_expander x = { as_written, NULL };
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct df_mount m;
		autostr got = STR_INIT;

		if (*rows[i].want == '!') {
			assert_fails(df_mount_parse(rows[i].text, &x, &m, &e), e, ERR_USAGE,
				     rows[i].want + 1);
			continue;
		}
		assert_ok(df_mount_parse(rows[i].text, &x, &m, &e), e);
		str_addf(&got, "%s %s %s %s %s %s%s", df_mount_type_name(m.type),
			 *m.from ? m.from : "-", *m.source ? m.source : "-",
			 *m.target ? m.target : "-", *m.id ? m.id : "-",
			 m.is_readonly ? "ro" : "rw", sharings[m.sharing]);
		if (m.mode >= 0)
			str_addf(&got, " %o %d %d", (unsigned)m.mode, (int)m.uid, (int)m.gid);
		if (m.size_bytes)
			str_addf(&got, " %d", (int)m.size_bytes);
		if (m.env)
			str_addf(&got, " %s", m.env);
		str_add(&got, m.is_required ? " required" : "");
		assert_string_equal(got.at, rows[i].want);
		df_mount_release(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations), cmocka_unit_test(test_signals),
		cmocka_unit_test(test_ports),     cmocka_unit_test(test_images),
		cmocka_unit_test(test_modes),     cmocka_unit_test(test_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
