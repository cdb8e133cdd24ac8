/* Pulls what umoci made and skopeo pushed from Debian's docker-registry. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include "base/proc.h"
#include "oci/blobs.h"
#include "oci_fixture.h"

static struct {
	char *dir;
	int port;
	pid_t pid;
} t;

/* A port nobody listens on at this moment. */
static int free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(at);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	return ntohs(at.sin_port);
}

static bool is_listening(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)t.port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
}

/* Runs a command in t.dir; R is the registry: host:port. */
static void run(const char *command)
{
	autofree char *script = xasprintf("R=127.0.0.1:%d; %s", t.port, command);

	run_in(t.dir, script);
}

static void start_registry(void)
{
	char program[] = "docker-registry", serve[] = "serve";
	autofree char *config = NULL, *path = NULL;
	struct err *e = NULL;

	t.port = free_port();
	config = xasprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: "
			   "{rootdirectory: %s/registry}}\nhttp: {addr: 127.0.0.1:%d}\n",
			   t.dir, t.port);
	put_text(t.dir, "registry.yml", config);
	path = xasprintf("%s/registry.yml", t.dir);
	ok(proc_spawn(&(struct proc_opts){ .argv = (char *[]){ program, serve, path, NULL } },
		      &t.pid, &e),
	   &e);
	for (int i = 0; i < 500 && !is_listening(); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	assert_true(is_listening());
}

static int setup(void **state)
{
	(void)state;
	t.dir = make_temp();
	start_registry();
	run("mkdir tree store && echo hello >tree/file && seq 100000 >tree/more");
	run("umoci init --layout img && umoci new --image img:t");
	run("umoci insert --rootless --image img:t tree /a");
	run("umoci insert --rootless --image img:t tree /b");
	run("umoci config --image img:t --config.env A=b --config.cmd run "
	    "--config.workingdir /a");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	proc_kill(t.pid);
	remove_temp(t.dir);
	return 0;
}

static void pull(const char *name)
{
	autofree char *ref = xasprintf("127.0.0.1:%d/%s", t.port, name);
	autofree char *blob_dir = xasprintf("%s/store", t.dir);
	struct oci_opts opts = { .is_kept = true, .blob_dir = blob_dir };
	AUTO(oci_image) image = NULL;
	AUTO(oci_image) pinned = NULL;
	autofree char *pin = NULL;
	struct err *e = NULL;

	ok(oci_resolve(ref, &opts, &image, &e), &e);
	assert_string_equal(strv_env_get(&image->config.env, "A"), "b");
	assert_string_equal(image->config.cwd, "/a");
	assert_string_equal(image->config.cmd.at[0], "run");
	assert_int_equal(image->layers.n, 2);
	ok(oci_fetch(image, &opts, &e), &e);
	vec_each (layer, &image->layers)
		assert_int_equal(blob_check(layer->path, layer->digest, &e), 1);
	pin = xasprintf("%s@%s", ref, image->digest);
	ok(oci_resolve(pin, &opts, &pinned, &e), &e);
	assert_string_equal(pinned->config_digest, image->config_digest);
}

static void test_oci_image(void **state)
{
	(void)state;
	run("skopeo copy -q --dest-tls-verify=false oci:img:t docker://$R/a/b:1");
	pull("a/b:1");
}

static void test_docker_image(void **state)
{
	(void)state;
	run("skopeo copy -q -f v2s2 --dest-tls-verify=false oci:img:t docker://$R/a/b:2");
	pull("a/b:2");
}

static void test_absent(void **state)
{
	autofree char *ref = xasprintf("127.0.0.1:%d/a/none", t.port);
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	(void)state;
	must_fail(oci_resolve(ref, &(struct oci_opts){ .is_kept = true, .blob_dir = t.dir },
			      &image, &e),
		  &e, ERR_NOTFOUND,
		  "has no tag 'latest' in repository a/none (manifest unknown)");
}

static bool has_programs(void)
{
	static const char *const names[] = { "docker-registry", "skopeo", "umoci" };

	for (size_t i = 0; i < COUNT(names); i++) {
		autofree char *path = proc_find(names[i]);

		if (!path)
			return false;
	}
	return true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oci_image),
		cmocka_unit_test(test_docker_image),
		cmocka_unit_test(test_absent),
	};

	if (!has_programs()) {
		puts("1..0 # SKIP needs docker-registry, skopeo, umoci");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
