#include "unit.h"

#include "snapshot/store.h"

static const char good[] =
	"{\"format\":1,\"id\":\"0123456789abcdef0123456789abcdef\",\"name\":\"web:latest\","
	"\"key\":\"ab12\",\"createdSec\":1763640000,"
	"\"base\":{\"name\":\"debian:12\",\"digest\":\"sha256:00\"},"
	"\"disk\":{\"chain\":[\"00000000000000000000000000000000\","
	"\"11111111111111111111111111111111\"],\"sizeBytes\":1073741824,\"fsBytes\":536870912,"
	"\"storedBytes\":4096},"
	"\"machine\":{\"cpus\":2,\"memoryMib\":512,\"accel\":\"tcg\",\"vmm\":\"qemu 7.2\","
	"\"guest\":\"ab\",\"kiln\":\"0.1.0\"},"
	"\"memory\":{\"storedBytes\":8192,\"stateBytes\":90000},"
	"\"start\":{\"argv\":[\"/bin/web\",\"-p\"],\"ready\":\"port 8000\",\"readyMs\":1200,"
	"\"snapshotMs\":300},"
	"\"config\":{\"Env\":[\"A=b\"]}}";

static void test_written_as_read(void **state)
{
	AUTO(tmpl) t = NULL;
	AUTO(json) j = NULL;
	autofree char *text = NULL;
	struct err *e = NULL;

	(void)state;
	assert_ok(tmpl_parse(good, strlen(good), "web", &t, &e), e);
	assert_int_equal(t->chain.n, 2);
	assert_int_equal(t->memory_mib, 512);
	assert_int_equal(t->disk_bytes, 1 << 30);
	assert_int_equal(t->snapshot_ms, 300);
	assert_string_equal(t->start.at[0], "/bin/web");
	assert_int_equal(t->pin_fd, -1);
	j = tmpl_to_json(t);
	text = json_text(j);
	assert_string_equal(text, good);
}

/* `from` in the good text replaced by `to` must be refused with a sentence that holds `want`.
 */
static void test_refused(void **state)
{
	static const struct {
		const char *from, *to, *want;
	} cases[] = {
		{ "\"format\":1", "\"format\":7",
		  "template 'web' was made by another version of kiln (format 7; this one "
		  "reads "
		  "1): build it again" },
		{ "\"format\":1,", "", "'format' is missing" },
		{ "\"format\":1", "\"format\":\"1\"", "'format' is not an integer" },
		{ "\"format\":1,", "\"format\":1,\"more\":1,", "'more' is not a member" },
		{ "\"cpus\":2,", "\"cpus\":2,\"sockets\":1,", "'machine.sockets' is not" },
		{ "\"cpus\":2,", "", "machine: 'cpus' is missing" },
		{ "\"cpus\":2", "\"cpus\":65", "'cpus' is 65, not 1 to 64" },
		{ "\"cpus\":2", "\"cpus\":-2", "'cpus' is -2" },
		{ "\"cpus\":2", "\"cpus\":2.5", "'cpus' is not an integer" },
		{ "\"memoryMib\":512", "\"memoryMib\":1", "'memoryMib' is 1, not " },
		{ "\"memoryMib\":512", "\"memoryMib\":99999999999", "'memoryMib'" },
		{ "\"sizeBytes\":1073741824", "\"sizeBytes\":0", "'sizeBytes'" },
		{ "\"createdSec\":1763640000", "\"createdSec\":-1", "'createdSec'" },
		{ "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdeg",
		  "'id' is not made of" },
		{ "0123456789abcdef0123456789abcdef", "../../../../../../../../etc/xx",
		  "'id' is not made of" },
		{ "\"11111111111111111111111111111111\"", "\"../../../../../etc/passwd\"",
		  "disk: 'chain[1]' is no id" },
		{ "\"11111111111111111111111111111111\"", "null", "'chain[1]' is no id" },
		{ "[\"00000000000000000000000000000000\",\"11111111111111111111111111111111\"]",
		  "[]", "'chain' has 0 entries" },
		{ "\"key\":\"ab12\"", "\"key\":\"AB\"", "'key' is not made of" },
		{ "[\"/bin/web\",\"-p\"]", "[\"/bin/web\",1]", "start: 'argv[1]'" },
		{ "[\"/bin/web\",\"-p\"]", "\"/bin/web\"", "start: 'argv' is not an array" },
		{ "\"config\":{\"Env\":[\"A=b\"]}", "\"config\":[]", "'config' is not an obj" },
		{ "\"base\":{\"name\":\"debian:12\",\"digest\":\"sha256:00\"}", "\"base\":1",
		  "'base' is not an object" },
		{ "\"name\":\"web:latest\"", "\"name\":\"a\",\"name\":\"b\"", "JSON" },
		{ "{\"format\"", "\"format\"", "JSON" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *at = strstr(good, cases[i].from);
		struct tmpl *t = NULL;
		struct err *e = NULL;
		autostr text = STR_INIT;

		assert_non_null(at);
		str_addn(&text, good, (size_t)(at - good));
		str_add(&text, cases[i].to);
		str_add(&text, at + strlen(cases[i].from));
		assert_fails(tmpl_parse(text.at, text.len, "web", &t, &e), e, ERR_CORRUPT,
			     cases[i].want);
	}
}

static void test_too_large(void **state)
{
	size_t n = STORE_MAX_JSON + 1;
	autofree char *bytes = xcalloc(1, n);
	struct tmpl *t = NULL;
	struct err *e = NULL;

	(void)state;
	memset(bytes, ' ', n);
	assert_fails(tmpl_parse(bytes, n, "web", &t, &e), e, ERR_LIMIT, "larger than");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_as_read),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests_name("tmpl", tests, NULL, NULL);
}
