/*
 * hello.c - a program for an image that has nothing else in it.
 *
 * hello          says $GREETING and what the machine calls itself; ends
 * hello serve    answers every connection on TCP port 8080 with that and a count; never ends
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PORT 8080

static int greeting(char *ret, size_t cap)
{
	const char *word = getenv("GREETING");
	struct utsname u;

	if (uname(&u))
		return -1;
	return snprintf(ret, cap, "%s from %s", word ? word : "hello", u.nodename);
}

static int listen_on(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 16)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void answer(int fd, unsigned count)
{
	char text[256], page[512], request[1024];
	ssize_t n;
	int len;

	/* What is asked doesn't matter, but a reset follows if it isn't read. */
	n = read(fd, request, sizeof(request));
	if (n <= 0 || greeting(text, sizeof(text)) < 0)
		return;
	len = snprintf(page, sizeof(page),
		       "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n%s, visit %u\n",
		       text, count);
	if (write(fd, page, len) != len)
		return;
	shutdown(fd, SHUT_WR);
}

static int serve(void)
{
	int fd = listen_on(PORT);

	if (fd < 0) {
		perror("listening");
		return 1;
	}
	printf("listening on port %d\n", PORT);
	fflush(stdout);
	for (unsigned count = 1;; count++) {
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			continue;
		answer(c, count);
		close(c);
	}
}

int main(int argc, char **argv)
{
	char text[256];

	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve();
	if (greeting(text, sizeof(text)) < 0)
		return 1;
	puts(text);
	return 0;
}
