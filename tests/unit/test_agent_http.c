/* The agent's small HTTP client: URLs, names, and what servers answer. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_fixture.h"
#include "rootfs/agent/httpget.h"

static void urls_are_parsed(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
		const char *path;
	} cases[] = {
		{ "http://localhost", "localhost", 80, "/" },
		{ "HTTP://localhost:8000/", "localhost", 8000, "/" },
		{ "http://[::1]:8000/a/b?c=d#e", "::1", 8000, "/a/b?c=d" },
		{ "http://127.0.0.1?q", "127.0.0.1", 80, "/?q" },
		{ "http://web:65535#top", "web", 65535, "/" },
	};
	struct http_url u;
	struct fail f;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (http_url_parse(cases[i].text, &u, &f))
			fail_msg("%s: %s", cases[i].text, f.msg);
		assert_string_equal(u.host, cases[i].host);
		assert_int_equal(u.port, cases[i].port);
		assert_string_equal(u.path, cases[i].path);
	}
}

static void what_is_no_url_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "localhost:80",
					   "ftp://x/",
					   "http://",
					   "http:///x",
					   "http://:80/",
					   "http://[::1/",
					   "http://[]/",
					   "http://x:0/",
					   "http://x:65536/",
					   "http://x:-1/",
					   "http://x:8a/",
					   "http://x/a b",
					   "http://x/a\r\nEvil: yes" };
	struct http_url u;
	struct fail f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!http_url_parse(bad[i], &u, &f))
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(http_url_parse("https://x/", &u, &f), -1);
	assert_non_null(strstr(f.msg, "https cannot be waited for"));
}

static void names_come_from_the_hosts_file(void **state)
{
	struct sockaddr_storage to[4];
	struct sockaddr_in *v4 = (struct sockaddr_in *)&to[0];

	(void)state;
	assert_int_equal(http_resolve(tree, "localhost", 1, to, 4), 2);
	put("etc/hosts", "# web\n10.0.0.1\tother Web # web2\n::1 web\nnonsense web\n");
	assert_int_equal(http_resolve(tree, "web", 81, to, 4), 2);
	assert_int_equal(to[0].ss_family, AF_INET);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), 0x0a000001);
	assert_int_equal(ntohs(v4->sin_port), 81);
	assert_int_equal(to[1].ss_family, AF_INET6);
	assert_int_equal(http_resolve(tree, "web2", 81, to, 4), 0);
	assert_int_equal(http_resolve(tree, "192.0.2.1", 81, to, 4), 1);
	assert_int_equal(http_resolve(tree, "::2", 81, to, 4), 1);
}

/* Serves one connection with `answer`; closes it at once, or holds it for a while. */
static int asks(const char *answer, bool is_held, char seen[HTTP_SEEN_MAX])
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	struct http_url u = { .host = "127.0.0.1", .path = "/" };
	struct sockaddr_storage to = { 0 };
	socklen_t n = sizeof(in);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
	pid_t pid;

	assert_int_equal(bind(s, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(s, 1), 0);
	getsockname(s, (struct sockaddr *)&in, &n);
	pid = fork();
	if (pid == 0) {
		char request[4096];
		int c = accept(s, NULL, NULL);

		if (read(c, request, sizeof(request)) > 0)
			fs_write_full(c, answer, strlen(answer));
		if (is_held)
			sleep(1);
		_exit(0);
	}
	memcpy(&to, &in, sizeof(in));
	u.port = ntohs(in.sin_port);
	status = http_ask(&u, &to, 300, seen);
	close(s);
	waitpid(pid, NULL, 0);
	return status;
}

static void answers_are_judged(void **state)
{
	char seen[HTTP_SEEN_MAX];

	(void)state;
	assert_int_equal(asks("HTTP/1.1 200 OK\r\n\r\n", false, seen), 200);
	assert_int_equal(asks("HTTP/1.0 503 Go away\r\n", true, seen), 503);
	assert_string_equal(seen, "answered 503 Go away");
	assert_int_equal(asks("HTTP/1.1 204", false, seen), 204);
	assert_int_equal(asks("SSH-2.0-x\r\n", false, seen), 0);
	assert_string_equal(seen, "answered, but not in HTTP");
	assert_int_equal(asks("HTTP/1.1 9x9\r\n", false, seen), 0);
	assert_int_equal(asks("", true, seen), 0);
	assert_string_equal(seen, "Connection timed out");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_parsed),
		cmocka_unit_test(what_is_no_url_is_refused),
		cmocka_unit_test_setup_teardown(names_come_from_the_hosts_file, tree_set_up,
						tree_tear_down),
		cmocka_unit_test(answers_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
