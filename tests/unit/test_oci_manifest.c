#include "oci/manifest.h"

#include "oci_fixture.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define MT_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DESC(type, more) "{\"mediaType\":\"" type "\",\"digest\":\"" D1 "\",\"size\":7" more "}"
#define CONFIG "\"config\":" DESC(MT_CONFIG, "")
#define MANIFEST(body) "{\"schemaVersion\":2," body "}"
#define LAYERS(list) MANIFEST(CONFIG ",\"layers\":[" list "]")
#define INDEX(list) "{\"schemaVersion\":2,\"manifests\":[" list "]}"
#define FOR(os, arch, more) \
	DESC(MT_MANIFEST,   \
	     ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" more "}")

static const char *const accepted[] = {
	LAYERS(""),
	LAYERS(DESC(MT_LAYER, "")),
	LAYERS(DESC("application/vnd.oci.image.layer.v1.tar", "")),
	LAYERS(DESC("application/vnd.oci.image.layer.v1.tar+zstd", "")),
	LAYERS(DESC("application/vnd.docker.image.rootfs.diff.tar.gzip", "")),
	LAYERS(DESC(MT_LAYER, ",\"urls\":[\"https://example.com\"],\"data\":\"AA==\"")),
	MANIFEST("\"mediaType\":\"" MT_MANIFEST "\"," CONFIG ",\"layers\":[]"),
	MANIFEST("\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\","
		 "\"config\":" DESC("application/vnd.docker.container.image.v1+json",
				    "") ",\"layers\":[]"),
	INDEX(""),
	INDEX(FOR("linux", "amd64", "")),
	INDEX(DESC("application/x-unknown", "")),
	MANIFEST("\"mediaType\":\"" MT_LIST "\",\"manifests\":[]"),
};

static const struct {
	const char *text;
	enum err_code code;
	const char *why;
} refused[] = {
	{ "", ERR_CORRUPT, "not valid JSON" },
	{ "<html>", ERR_CORRUPT, "not valid JSON" },
	{ "[]", ERR_CORRUPT, "no JSON object" },
	{ "7", ERR_CORRUPT, "no JSON object" },
	{ "{}", ERR_CORRUPT, "neither an image manifest nor an index" },
	{ "{\"schemaVersion\":\"2\"}", ERR_CORRUPT, "'schemaVersion' is not an integer" },
	{ "{\"schemaVersion\":1,\"fsLayers\":[]}", ERR_CORRUPT, "schema 1" },
	{ "{\"fsLayers\":[]}", ERR_CORRUPT, "schema 1" },
	{ MANIFEST("\"mediaType\":\"application/"
		   "vnd.docker.distribution.manifest.v1+prettyjws\""),
	  ERR_CORRUPT, "schema 1" },
	{ MANIFEST(CONFIG), ERR_CORRUPT, "'layers' is missing" },
	{ MANIFEST("\"layers\":[]"), ERR_CORRUPT, "'config' is missing" },
	{ MANIFEST(CONFIG ",\"layers\":{}"), ERR_CORRUPT, "'layers' is not an array" },
	{ MANIFEST(CONFIG ",\"layers\":[],\"manifests\":[]"), ERR_CORRUPT, "both" },
	{ MANIFEST(CONFIG ",\"manifests\":[]"), ERR_CORRUPT, "both" },
	{ MANIFEST("\"mediaType\":\"" MT_INDEX "\"," CONFIG ",\"layers\":[]"), ERR_CORRUPT,
	  "both" },
	{ MANIFEST("\"mediaType\":\"" MT_MANIFEST "\",\"manifests\":[]"), ERR_CORRUPT, "both" },
	{ MANIFEST("\"mediaType\":\"" MT_INDEX "\""), ERR_CORRUPT, "neither" },
	{ MANIFEST("\"mediaType\":\"text/x-what\x1b\"," CONFIG ",\"layers\":[]"), ERR_CORRUPT,
	  "not valid JSON" },
	{ MANIFEST("\"mediaType\":\"text/x\\u001bwhat\"," CONFIG ",\"layers\":[]"), ERR_CORRUPT,
	  "media type is 'text/x\\x1bwhat'" },
	{ MANIFEST("\"config\":" DESC("application/vnd.cncf.helm.config.v1+json",
				      "") ",\"layers\":[]"),
	  ERR_CORRUPT, "artifact of type 'application/vnd.cncf.helm.config.v1+json'" },
	{ MANIFEST("\"artifactType\":\"application/x-sbom\",\"config\":" DESC(
		  "application/vnd.oci.empty.v1+json", "") ",\"layers\":[]"),
	  ERR_CORRUPT, "artifact of type 'application/x-sbom'" },
	{ LAYERS(DESC("application/vnd.oci.empty.v1+json", "")), ERR_CORRUPT,
	  "layer 1 of 1: its media type is not one of a layer: "
	  "'application/vnd.oci.empty.v1+json'" },
	{ LAYERS(DESC(MT_LAYER, "") ",{}"), ERR_CORRUPT, "layer 2 of 2: 'digest' is missing" },
	{ LAYERS("7"), ERR_CORRUPT, "layer 1 of 1" },
	{ LAYERS("{\"mediaType\":\"x\",\"digest\":\"sha256:12\",\"size\":1}"), ERR_CORRUPT,
	  "'digest' is 'sha256:12'" },
	{ LAYERS("{\"mediaType\":\"x\",\"digest\":\"" D1 "\",\"size\":-1}"), ERR_CORRUPT,
	  "negative" },
	{ LAYERS("{\"mediaType\":\"x\",\"digest\":\"" D1 "\",\"size\":1.5}"), ERR_CORRUPT,
	  "'size' is not an integer" },
	{ LAYERS("{\"mediaType\":\"x\",\"digest\":\"" D1 "\",\"size\":9223372036854775807}"),
	  ERR_LIMIT, "more than" },
	{ LAYERS("{\"mediaType\":\"x\",\"digest\":\"" D1 "\",\"size\":99999999999999999999}"),
	  ERR_CORRUPT, "not valid JSON" },
	{ LAYERS("{\"digest\":\"" D1 "\",\"size\":1}"), ERR_CORRUPT, "'mediaType' is missing" },
	{ INDEX("{}"), ERR_CORRUPT, "manifest 1 of 1: 'digest' is missing" },
	{ INDEX(DESC(MT_MANIFEST, ",\"platform\":{}")), ERR_CORRUPT, "'os' is missing" },
	{ INDEX(DESC(MT_MANIFEST, ",\"platform\":7")), ERR_CORRUPT, "'platform' is not" },
	{ INDEX(DESC(MT_MANIFEST, ",\"annotations\":[]")), ERR_CORRUPT,
	  "'annotations' is not" },
	{ "{\"manifests\":[],\"manifests\":[]}", ERR_CORRUPT, "duplicate" },
};

static int parse(const char *text, struct oci_manifest **ret, struct err **e)
{
	return oci_manifest_parse(text, strlen(text), ret, e);
}

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++) {
		AUTO(oci_manifest) m = NULL;
		struct err *e = NULL;

		ok(parse(accepted[i], &m, &e), &e);
		assert_int_equal(m->is_index, strstr(accepted[i], "manifests") != NULL);
	}
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct oci_manifest *m = NULL;
		struct err *e = NULL;

		must_fail(parse(refused[i].text, &m, &e), &e, refused[i].code, refused[i].why);
		assert_null(m);
	}
}

static void test_limits(void **state)
{
	autostr layers = STR_INIT, index = STR_INIT, large = STR_INIT;
	struct oci_manifest *m = NULL;
	struct err *e = NULL;

	(void)state;
	str_add(&layers, MANIFEST(CONFIG ",\"layers\":[") "");
	layers.len -= 1; /* the closing brace */
	for (int i = 0; i <= OCI_MAX_LAYERS; i++)
		str_addf(&layers, "%s%s", i ? "," : "", DESC(MT_LAYER, ""));
	str_add(&layers, "]}");
	must_fail(parse(layers.at, &m, &e), &e, ERR_LIMIT, "1001 layers");
	str_add(&index, "{\"manifests\":[");
	for (int i = 0; i <= OCI_MAX_INDEX_ENTRIES; i++)
		str_addf(&index, "%s%s", i ? "," : "", DESC(MT_MANIFEST, ""));
	str_add(&index, "]}");
	must_fail(parse(index.at, &m, &e), &e, ERR_LIMIT, "1001 manifests");
	for (int i = 0; i <= OCI_MAX_MANIFEST_BYTES; i++)
		str_addc(&large, ' ');
	must_fail(parse(large.at, &m, &e), &e, ERR_LIMIT, "larger than");
	str_clear(&large);
	str_add(&large, "{\"a\":");
	for (int i = 0; i < 200; i++)
		str_addc(&large, '[');
	for (int i = 0; i < 200; i++)
		str_addc(&large, ']');
	str_addc(&large, '}');
	must_fail(parse(large.at, &m, &e), &e, ERR_LIMIT, "nested deeper");
}

static void test_content(void **state)
{
	AUTO(oci_manifest) m = NULL;
	struct err *e = NULL;

	(void)state;
	ok(parse(LAYERS(DESC(MT_LAYER, "") ",{\"mediaType\":\"" MT_LAYER "\",\"digest\":\"" D2
					   "\",\"size\":0}"),
		 &m, &e),
	   &e);
	assert_int_equal(m->layers.n, 2);
	assert_string_equal(m->config.digest, D1);
	assert_string_equal(m->layers.at[1].digest, D2);
	assert_int_equal(m->layers.at[0].size_bytes, 7);
	assert_string_equal(m->layers.at[0].media_type, MT_LAYER);
}

/* Only a layer that isn't to be distributed has places of its own. */
static void test_urls(void **state)
{
	AUTO(oci_manifest) m = NULL;
	struct err *e = NULL;

	(void)state;
	ok(parse(LAYERS(DESC(
			 "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
			 ",\"urls\":[\"https://a/1\",\"https://b/2\"]") "," DESC(MT_LAYER,
										 ",\"urls\":["
										 "\"https://a/"
										 "1\"]")),
		 &m, &e),
	   &e);
	assert_int_equal(m->layers.at[0].urls.n, 2);
	assert_string_equal(m->layers.at[0].urls.at[1], "https://b/2");
	assert_int_equal(m->layers.at[1].urls.n, 0);
}

#define ATTESTATION       \
	DESC(MT_MANIFEST, \
	     ",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}")

static const struct {
	const char *index, *platform;
	int want; /* entry, or -1 */
	const char *why;
} selections[] = {
	{ INDEX(FOR("linux", "arm64", "") "," FOR("linux", "amd64", "")), "linux/amd64", 1,
	  "" },
	{ INDEX(FOR("linux", "amd64", ",\"variant\":\"v3\"") "," FOR("linux", "amd64", "")),
	  "linux/amd64", 1, "" },
	{ INDEX(FOR("linux", "amd64", ",\"variant\":\"v3\"")), "linux/amd64", 0, "" },
	{ INDEX(FOR("linux", "arm64", ",\"variant\":\"v8\"")), "linux/arm64", 0, "" },
	{ INDEX(FOR("linux", "arm", ",\"variant\":\"v6\"") "," FOR("linux", "arm",
								   ",\"variant\":\"v7\"")),
	  "linux/arm/v7", 1, "" },
	{ INDEX(FOR("linux", "arm", ",\"variant\":\"v5\"") "," FOR("linux", "arm",
								   ",\"variant\":\"v6\"")),
	  "linux/arm/v7", 1, "" },
	{ INDEX(FOR("linux", "arm", ",\"variant\":\"v7\"")), "linux/arm/v6", -1,
	  "no image for platform linux/arm/v6, only for: linux/arm/v7" },
	{ INDEX(FOR("linux", "arm", ",\"variant\":\"v6\"") "," FOR("linux", "arm",
								   ",\"variant\":\"v7\"")),
	  "linux/arm", 1, "" },
	{ INDEX(FOR("linux", "arm64", ",\"variant\":\"v8\"")), "linux/arm64/v8", 0, "" },
	{ INDEX(FOR("linux", "arm64", "")), "linux/arm64/v8", 0, "" },
	{ INDEX(FOR("linux", "amd64", "") "," FOR("linux", "amd64", ",\"variant\":\"v2\"")),
	  "linux/amd64/v3", 1, "" },
	{ INDEX(FOR("linux", "ppc64le", "")), "linux/ppc64le/power9", 0, "" },
	{ INDEX(FOR("linux", "arm64", "") "," FOR("windows", "amd64",
						  "") "," FOR("unknown", "unknown", "")),
	  "linux/amd64", -1, "only for: linux/arm64, windows/amd64" },
	{ INDEX(FOR("unknown", "unknown", "")), "linux/amd64", -1, "no image at all" },
	{ INDEX(""), "linux/amd64", -1, "no image at all" },
	{ INDEX(DESC("application/x-unknown", "")), "linux/amd64", -1, "no image at all" },
	{ INDEX(ATTESTATION "," DESC(MT_MANIFEST, "")), "linux/amd64", 1, "" },
	{ INDEX(FOR("linux", "s390x", "") "," DESC(MT_INDEX, "")), "linux/amd64", 1, "" },
	{ INDEX(DESC(MT_INDEX, "") "," DESC(MT_INDEX, "")), "linux/amd64", -1,
	  "only for: one that names none, one that names none" },
	{ INDEX(DESC(MT_INDEX, "") "," FOR("linux", "amd64", "")), "linux/amd64", 1, "" },
	{ INDEX(FOR("linux", "amd6\\u001b", "")), "linux/amd64", -1, "linux/amd6\\x1b" },
};

static void test_select(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(selections); i++) {
		const struct oci_entry *entry = NULL;
		AUTO(oci_manifest) m = NULL;
		struct err *e = NULL;
		int rc;

		ok(parse(selections[i].index, &m, &e), &e);
		rc = oci_manifest_select(m, NULL, selections[i].platform, &entry, &e);
		if (selections[i].want < 0) {
			must_fail(rc, &e, ERR_NOTFOUND, selections[i].why);
			continue;
		}
		ok(rc, &e);
		assert_int_equal(entry - m->entries.at, selections[i].want);
	}
}

static void test_many_platforms(void **state)
{
	const struct oci_entry *entry = NULL;
	AUTO(oci_manifest) m = NULL;
	autostr s = STR_INIT;
	struct err *e = NULL;

	(void)state;
	str_add(&s, "{\"manifests\":[");
	for (int i = 0; i < 100; i++)
		str_addf(&s, "%s%s", i ? "," : "", FOR("linux", "arm64", ""));
	str_add(&s, "]}");
	ok(parse(s.at, &m, &e), &e);
	must_fail(oci_manifest_select(m, NULL, "linux/amd64", &entry, &e), &e, ERR_NOTFOUND,
		  "linux/arm64, ...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),       cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),         cmocka_unit_test(test_content),
		cmocka_unit_test(test_select),         cmocka_unit_test(test_urls),
		cmocka_unit_test(test_many_platforms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
