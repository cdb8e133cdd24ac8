/*
 * play.c - plays a build's progress from a script, for tests of what is shown: no machine, and
 * nothing but the script decides when something happens.
 *
 *	play MODE [LOG] <SCRIPT
 *
 * A line of the script is a verb and its words; N is a vertex's number, TEXT the rest of the
 * line with \n, \r, \t, \e and \xNN as in printf(1).
 *
 *	begin TEXT              output N STREAM TEXT     bytes N WHAT DONE TOTAL
 *	done N                  cached N                 failed N [TEXT]
 *	note N TEXT             warn TEXT                block TEXT
 *	hint TEXT               expect N                 end TEXT
 *	await FILE              until it exists
 *	touch FILE              makes one
 *
 * At the end of the script "result" goes to standard output, as a build's result does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/vec.h"
#include "progress/progress.h"
#include "progress/term.h"

static struct progress *progress;
static VEC(struct vertex *) vertices;

static _Noreturn void die(const char *why, const char *what)
{
	fprintf(stderr, "play: %s: %s\n", why, what);
	exit(2);
}

/* In place; returns the length, as NULs are bytes like others. */
static size_t unescape(char *s)
{
	char *to = s;

	for (char *at = s; *at; at++) {
		char hex[3] = { 0 };

		if (*at != '\\') {
			*to++ = *at;
			continue;
		}
		switch (*++at) {
		case 'n':
			*to++ = '\n';
			break;
		case 'r':
			*to++ = '\r';
			break;
		case 't':
			*to++ = '\t';
			break;
		case 'e':
			*to++ = '\033';
			break;
		case 'x':
			memcpy(hex, at + 1, 2);
			*to++ = (char)strtoul(hex, NULL, 16);
			at += 2;
			break;
		default:
			die("no such escape", at);
		}
	}
	*to = '\0';
	return (size_t)(to - s);
}

static char *word(char **rest)
{
	char *w = strsep(rest, " ");

	return w ? w : "";
}

static struct vertex *vertex(char **rest)
{
	char *w = word(rest);
	size_t n = strtoul(w, NULL, 10);

	if (n < 1 || n > vertices.n)
		die("no such vertex", w);
	return vertices.at[n - 1];
}

static void output(char *rest)
{
	struct vertex *v = vertex(&rest);
	int stream = atoi(word(&rest));

	vertex_output(v, stream, rest ? rest : "", rest ? unescape(rest) : 0);
}

static void bytes(char *rest)
{
	struct vertex *v = vertex(&rest);
	const char *what = word(&rest);
	int64_t done = atoll(word(&rest));

	vertex_bytes(v, what, done, atoll(word(&rest)));
}

static void note(char *rest)
{
	struct vertex *v = vertex(&rest);

	vertex_note(v, "%s", rest ? rest : "");
}

static void failed(char *rest)
{
	struct vertex *v = vertex(&rest);

	vertex_failed(v, rest);
}

static void await(const char *path)
{
	while (!fs_exists(path))
		usleep(10000);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die("cannot make", path);
	close(fd);
}

static void play(char *line)
{
	char *rest = line;
	const char *verb = word(&rest);

	if (!rest)
		rest = line + strlen(line);
	if (streq(verb, "output"))
		output(rest);
	else if (streq(verb, "bytes"))
		bytes(rest);
	else if (streq(verb, "done"))
		vertex_done(vertex(&rest));
	else if (streq(verb, "cached"))
		vertex_cached(vertex(&rest));
	else if (streq(verb, "failed"))
		failed(rest);
	else if (streq(verb, "note"))
		note(rest);
	else if (streq(verb, "expect"))
		progress_expect(progress, strtoul(rest, NULL, 10));
	else if (streq(verb, "await"))
		await(rest);
	else if (streq(verb, "touch"))
		touch(rest);
	else if (unescape(rest), streq(verb, "begin"))
		vec_push(&vertices, vertex_begin(progress, "%s", rest));
	else if (streq(verb, "warn"))
		progress_warn(progress, "%s", rest);
	else if (streq(verb, "block"))
		progress_block(progress, rest);
	else if (streq(verb, "hint"))
		progress_hint(progress, rest);
	else if (streq(verb, "end"))
		progress_end(progress, rest);
	else
		die("no such verb", verb);
}

int main(int argc, char **argv)
{
	AUTO(err) e = NULL;
	char line[65536];

	if (argc < 2)
		die("usage", "play MODE [LOG]");
	interrupt_init();
	term_init();
	if (progress_new(argv[1], argc > 2 ? argv[2] : NULL, &progress, &e)) {
		autofree char *text = err_text(e);

		die("progress", text);
	}
	interrupt_start_guard();
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line && *line != '#')
			play(line);
	}
	progress_free(progress);
	vec_release(&vertices);
	puts("result");
	return 0;
}
