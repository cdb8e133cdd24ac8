/* Images in tars: OCI layouts, and what docker save writes, old and new; read in place. */
#include <signal.h>

#include "oci/tarball.h"
#include "oci_fixture.h"

enum { LAYERS = 3, LAYER_BYTES = 70001 };

static struct {
	char *dir;
} t;

static int setup(void **state)
{
	(void)state;
	t.dir = make_temp();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	remove_temp(t.dir);
	return 0;
}

static void run(const char *command)
{
	run_in(t.dir, command);
}

static char *ref_of(const char *prefix, const char *rest)
{
	return xasprintf("%s:%s/%s", prefix, t.dir, rest);
}

static int resolve(const char *prefix, const char *rest, struct oci_image **ret, struct err **e)
{
	autofree char *ref = ref_of(prefix, rest);
	struct oci_opts o = { .blob_dir = t.dir };

	return oci_resolve(ref, &o, ret, e);
}

static void refuses(const char *prefix, const char *rest, enum err_code code, const char *part)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	must_fail(resolve(prefix, rest, &image, &e), &e, code, part);
}

/* Layer i of the image, read through oci_fetch_read(), has these bytes. */
static void layer_is(const struct oci_opts *o, struct oci_image *image, size_t i,
		     const char *want, size_t n_want)
{
	AUTO(oci_fetch) f = NULL;
	autostr got = STR_INIT;
	struct err *e = NULL;
	char buf[10000];
	size_t n;
	int rc;

	ok(oci_fetch_begin(image, o, &f, &e), &e);
	while ((rc = oci_fetch_read(f, i, buf, sizeof(buf), &n, &e)) == 1)
		str_addn(&got, buf, n);
	ok(rc, &e);
	assert_int_equal(got.len, n_want);
	assert_memory_equal(got.at, want, n_want);
	ok(oci_fetch_end(f, &e), &e);
	assert_non_null(image->layers.at[i].path);
}

static void test_oci_archive(void **state)
{
	autofree char *layout = make_tagged(t.dir, "layout", "1", LAYERS, LAYER_BYTES, 3, NULL);
	static const char *const forms[] = { "ustar", "gnu", "pax" };
	struct oci_opts o = { .blob_dir = t.dir };

	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		autofree char *tar =
			xasprintf("tar -cf img.tar --format=%s -C layout %s", forms[i],
				  i ? "." : "oci-layout index.json blobs");
		AUTO(oci_image) image = NULL;
		struct err *e = NULL;

		run(tar);
		ok(resolve("oci-archive", "img.tar:1", &image, &e), &e);
		assert_int_equal(image->layers.n, LAYERS);
		for (size_t k = 0; k < LAYERS; k++) {
			autofree char *bytes = layer_bytes(LAYER_BYTES, 3 + (unsigned)k);

			layer_is(&o, image, k, bytes, LAYER_BYTES);
		}
		assert_true(image->layers.at[1].offset_bytes > 0);
	}
	refuses("oci-archive", "img.tar:2", ERR_NOTFOUND, "no image tagged '2'; its tags: 1");
	refuses("oci-archive", "none.tar", ERR_NOTFOUND, "there is no");
	run("tar -cf img.tar --exclude=oci-layout -C layout .");
	refuses("oci-archive", "img.tar", ERR_NOTFOUND, "no OCI image layout");
	run("gzip -c img.tar >img.tgz");
	refuses("oci-archive", "img.tgz", ERR_USAGE, "is compressed (gzip)");
	run("zstd -q -c img.tar >img.tzst || cp img.tgz img.tzst");
	refuses("oci-archive", "img.tzst", ERR_USAGE, "is compressed");
}

/* Layer tars of which two are the same; what docker save wrote for years. */
static void make_old(void)
{
	run("mkdir -p old/a old/b old/c && printf 1.0 >old/a/VERSION && echo '{}' >old/a/json "
	    "&&"
	    "echo first >f1 && echo second >f2 && tar -cf old/a/layer.tar f1 &&"
	    "tar -cf old/b/layer.tar f2 && ln -s ../a/layer.tar old/c/layer.tar &&"
	    "A=$(sha256sum <old/a/layer.tar | cut -c1-64) &&"
	    "B=$(sha256sum <old/b/layer.tar | cut -c1-64) &&"
	    "printf "
	    "'{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Env\":[\"X=y\"]},"
	    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\",\"sha256:%s\","
	    "\"sha256:%s\"]}}'"
	    " $A $B $A >config && C=$(sha256sum <config | cut -c1-64) && mv config old/$C.json "
	    "&&"
	    "printf '{\"app\":{\"1\":\"c\"}}' >old/repositories &&"
	    "printf '[{\"Config\":\"%s.json\",\"RepoTags\":[\"app:1\",\"docker.io/me/app:2\"],"
	    "\"Layers\":[\"a/layer.tar\",\"b/layer.tar\",\"c/layer.tar\"]}]' $C "
	    ">old/manifest.json &&"
	    "tar -cf old.tar -C old .");
}

static void read_file(const char *name, struct str *ret)
{
	autofree char *path = xasprintf("%s/%s", t.dir, name);
	struct err *e = NULL;

	ok(fs_read_file(path, 1 << 20, ret, &e), &e);
}

static void test_docker_old(void **state)
{
	static const char *const names[] = { "old.tar", "old.tar:app:1",
					     "old.tar:docker.io/library/app:1",
					     "old.tar:me/app:2" };
	struct oci_opts o = { .blob_dir = t.dir };
	autostr first = STR_INIT, second = STR_INIT;

	(void)state;
	make_old();
	read_file("old/a/layer.tar", &first);
	read_file("old/b/layer.tar", &second);
	for (size_t i = 0; i < COUNT(names); i++) {
		AUTO(oci_image) image = NULL;
		struct err *e = NULL;

		ok(resolve("docker-archive", names[i], &image, &e), &e);
		assert_string_equal(strv_env_get(&image->config.env, "X"), "y");
		assert_string_equal(image->digest, image->config_digest);
		assert_string_equal(image->layers.at[0].digest, image->layers.at[0].diff_id);
		layer_is(&o, image, 0, first.at, first.len);
		layer_is(&o, image, 1, second.at, second.len);
		layer_is(&o, image, 2, first.at, first.len);
	}
	refuses("docker-archive", "old.tar:app:9", ERR_NOTFOUND,
		"no image tagged 'app:9'; its tags: app:1, docker.io/me/app:2");
}

/* As docker 25 and later have it: blobs below an OCI layout, and manifest.json. */
static void test_docker_new(void **state)
{
	struct oci_opts o = { .blob_dir = t.dir };
	AUTO(oci_image) image = NULL;
	autostr first = STR_INIT;
	struct err *e = NULL;

	(void)state;
	make_old();
	run("mkdir -p new/blobs/sha256 && cd new/blobs/sha256 && for f in "
	    "../../../old/*/layer.tar "
	    "../../../old/*.json; do cp -L $f $(sha256sum <$f | cut -c1-64); done && cd ../.. "
	    "&&"
	    "S=$(cd ../old && sha256sum ????????????????*.json | cut -c1-64) &&"
	    "A=$(sha256sum <../old/a/layer.tar | cut -c1-64) &&"
	    "B=$(sha256sum <../old/b/layer.tar | cut -c1-64) &&"
	    "printf "
	    "'[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":null,\"Layers\":[\"blobs/sha256/"
	    "%s\","
	    "\"blobs/sha256/%s\",\"blobs/sha256/%s\"]}]' $S $A $B $A >manifest.json &&"
	    "tar -cf ../new.tar manifest.json blobs");
	read_file("old/a/layer.tar", &first);
	ok(resolve("docker-archive", "new.tar", &image, &e), &e);
	layer_is(&o, image, 2, first.at, first.len);
	refuses("docker-archive", "new.tar:x", ERR_NOTFOUND, "its tags: none");
}

/* Nobody says a compressed layer's digest; the diff_id is what is left to check. */
static void test_docker_compressed_layers(void **state)
{
	struct oci_opts o = { .blob_dir = t.dir };
	AUTO(oci_image) image = NULL;
	autostr bytes = STR_INIT;
	struct err *e = NULL;

	(void)state;
	make_old();
	run("gzip -n old/a/layer.tar && mv old/a/layer.tar.gz old/a/layer.tar && tar -cf "
	    "old.tar -C old .");
	read_file("old/a/layer.tar", &bytes);
	ok(resolve("docker-archive", "old.tar", &image, &e), &e);
	assert_string_equal(image->layers.at[0].digest, "");
	layer_is(&o, image, 0, bytes.at, bytes.len);
	assert_int_equal(oci_recheck(image, &o, &e), 0);
}

static void test_docker_broken(void **state)
{
	AUTO(oci_image) image = NULL;
	AUTO(oci_fetch) f = NULL;
	struct oci_opts o = { .blob_dir = t.dir };
	struct err *e = NULL;
	char buf[65536];
	size_t n;
	int rc;

	(void)state;
	make_old();
	run("tar -cf x.tar --exclude=manifest.json -C old .");
	refuses("docker-archive", "x.tar", ERR_NOTFOUND, "not what 'docker save' writes");
	run("tar -cf x.tar --exclude=b -C old .");
	refuses("docker-archive", "x.tar", ERR_CORRUPT, "lacks the layer 'b/layer.tar'");
	run("ln -sf ../c/layer.tar old/c/layer.tar && tar -cf x.tar -C old .");
	refuses("docker-archive", "x.tar", ERR_CORRUPT, "lacks the layer 'c/layer.tar'");
	run("ln -sf ../../../../etc/passwd old/c/layer.tar && tar -cf x.tar -C old .");
	refuses("docker-archive", "x.tar", ERR_CORRUPT, "lacks the layer 'c/layer.tar'");
	run("ln -sf ../a/layer.tar old/c/layer.tar; for f in old/????????????????*.json; do "
	    "echo >>$f; done;"
	    "tar -cf x.tar -C old .");
	refuses("docker-archive", "x.tar", ERR_CORRUPT, "its configuration");
	run("printf '[]' >old/manifest.json && tar -cf x.tar -C old .");
	refuses("docker-archive", "x.tar", ERR_NOTFOUND, "lists no image");
	run("printf '{}' >old/manifest.json && tar -cf x.tar -C old .");
	refuses("docker-archive", "x.tar", ERR_CORRUPT, "no array");
	run("printf 'nothing like it, but long enough for a header' >x.tar && head -c 2000 "
	    "/dev/zero "
	    "| tr '\\0' x >>x.tar");
	refuses("docker-archive", "x.tar", ERR_CORRUPT, "is no tar");
	run(": >x.tar");
	refuses("docker-archive", "x.tar", ERR_CORRUPT, "is no tar");
	run("rm -r old");
	make_old();
	run("printf X | dd of=old.tar bs=1 seek=$(($(grep -abo first old.tar | head -n1 | cut "
	    "-d: -f1))) "
	    "conv=notrunc");
	ok(resolve("docker-archive", "old.tar", &image, &e), &e);
	ok(oci_fetch_begin(image, &o, &f, &e), &e);
	while ((rc = oci_fetch_read(f, 0, buf, sizeof(buf), &n, &e)) == 1)
		;
	must_fail(rc, &e, ERR_CORRUPT, "its digest is");
	run("head -c 3000 old.tar >x.tar");
	refuses("docker-archive", "x.tar", ERR_CORRUPT, "x.tar");
}

/* Long names and targets in each of the ways tar has for them. */
static void test_tarball_names(void **state)
{
	static const char *const forms[] = { "gnu", "pax" };
	autofree char *path = xasprintf("%s/x.tar", t.dir);

	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		autofree char *dir = xasprintf("%0*d/%0*d", 80, 1, 60, 2);
		autofree char *make =
			xasprintf("rm -rf x x.tar; mkdir -p x/%s && echo long >x/%s/f && ln -s "
				  "%s/f x/s && "
				  "ln x/%s/f x/h && tar -cf x.tar --format=%s -C x .",
				  dir, dir, dir, dir, forms[i]);
		autofree char *name = xasprintf("%s/f", dir);
		const char *const names[] = { name, "s", "./h", "/s" };
		AUTO(tarball) tar = NULL;
		struct err *e = NULL;
		int64_t at, size;

		run(make);
		ok(tarball_open(path, &tar, &e), &e);
		for (size_t k = 0; k < COUNT(names); k++) {
			autostr text = STR_INIT;

			ok(tarball_read(tar, names[k], 100, &text, &e), &e);
			assert_string_equal(text.at, "long\n");
		}
		assert_false(tarball_find(tar, "none", &at, &size));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_oci_archive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_docker_old, setup, teardown),
		cmocka_unit_test_setup_teardown(test_docker_new, setup, teardown),
		cmocka_unit_test_setup_teardown(test_docker_compressed_layers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_docker_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tarball_names, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
