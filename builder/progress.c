#include "builder/progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/json.h"

enum mode { MODE_PLAIN, MODE_JSON, MODE_QUIET };
enum { N_STREAMS = 3 };

struct tail {
	char *lines[PROGRESS_TAIL_LINES]; /* a ring; next is the oldest */
	size_t next;
};

struct progress {
	enum mode mode;
	int log_fd; /* -1: none */
	int vertex;
	char *title;
	struct timespec start, begun;
	struct str partial[N_STREAMS]; /* a line that has no end yet, by stream */
	struct tail tail;
	uint64_t shown_bytes;
	bool is_clipped;
	int64_t next_bytes; /* progress_bytes() speaks again past this */
};

static double since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

int progress_new(const char *mode, const char *log_path, struct progress **ret, struct err **e)
{
	struct progress *p;
	enum mode m = MODE_PLAIN;

	if (streq(mode, "json"))
		m = MODE_JSON;
	else if (streq(mode, "quiet"))
		m = MODE_QUIET;
	else if (!streq(mode, "plain") && !streq(mode, "auto") && !streq(mode, "tty"))
		return err_set(e, ERR_USAGE,
			       "--progress takes auto, tty, plain or json, not \"%s\"", mode);
	p = xcalloc(1, sizeof(*p));
	p->mode = m;
	p->log_fd = -1;
	clock_gettime(CLOCK_MONOTONIC, &p->start);
	for (size_t i = 0; i < N_STREAMS; i++)
		p->partial[i] = (struct str)STR_INIT;
	if (log_path) {
		p->log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (p->log_fd < 0) {
			progress_free(p);
			return err_sys(e, "opening the build log %s", log_path);
		}
	}
	*ret = p;
	return 0;
}

static void tail_clear(struct tail *t)
{
	for (size_t i = 0; i < PROGRESS_TAIL_LINES; i++) {
		free(t->lines[i]);
		t->lines[i] = NULL;
	}
	t->next = 0;
}

static void tail_push(struct tail *t, const char *line)
{
	free(t->lines[t->next]);
	t->lines[t->next] = xstrdup(line);
	t->next = (t->next + 1) % PROGRESS_TAIL_LINES;
}

static const char *tail_at(const struct tail *t, size_t i)
{
	return t->lines[(t->next + i) % PROGRESS_TAIL_LINES];
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	tail_clear(&p->tail);
	for (size_t i = 0; i < N_STREAMS; i++)
		str_release(&p->partial[i]);
	if (p->log_fd >= 0)
		close(p->log_fd);
	free(p->title);
	free(p);
}

/* One line for people. A log or terminal that takes no more is no reason to end a build. */
static void write_line(struct progress *p, bool is_always_shown, const char *line)
{
	autofree char *text = xasprintf("%s\n", line);
	size_t n = strlen(text);

	if (p->log_fd >= 0)
		(void)fs_write_full(p->log_fd, text, n);
	if (p->mode == MODE_PLAIN || (is_always_shown && p->mode == MODE_QUIET))
		(void)fs_write_full(STDERR_FILENO, text, n);
}

static void event(struct progress *p, const char *kind, const char *key,
		  struct json *take_value)
{
	AUTO(json) o = json_object_new();
	autofree char *text = NULL;
	autofree char *line = NULL;

	json_put(o, "event", json_from_str(kind));
	json_put(o, "time", json_from_double(since(&p->start)));
	if (p->vertex)
		json_put(o, "vertex", json_from_int(p->vertex));
	if (key)
		json_put(o, key, take_value);
	if (p->mode != MODE_JSON)
		return;
	text = json_text(o);
	line = xasprintf("%s\n", text);
	(void)fs_write_full(STDERR_FILENO, line, strlen(line));
}

void progress_begin(struct progress *p, const char *fmt, ...)
{
	autofree char *line = NULL;
	struct str title = STR_INIT, shown = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_addv(&title, fmt, ap);
	va_end(ap);
	str_add_visible(&shown, title.at, title.len);
	str_release(&title);
	free(p->title);
	p->title = str_take(&shown);
	p->vertex++;
	clock_gettime(CLOCK_MONOTONIC, &p->begun);
	tail_clear(&p->tail);
	p->shown_bytes = 0;
	p->is_clipped = false;
	p->next_bytes = 0;
	line = xasprintf("#%d %s", p->vertex, p->title);
	write_line(p, false, line);
	event(p, "begin", "name", json_from_str(p->title));
}

static void output_line(struct progress *p, int stream, const char *bytes, size_t n)
{
	autostr shown = STR_INIT;
	autofree char *line = NULL;
	AUTO(json) o = NULL;

	if (n && bytes[n - 1] == '\r')
		n--;
	str_add_visible(&shown, bytes, n);
	tail_push(&p->tail, shown.at);
	p->shown_bytes += n + 1;
	if (p->shown_bytes > PROGRESS_MAX_OUTPUT) {
		if (!p->is_clipped)
			progress_note(p, "[output clipped, log limit %d MiB reached]",
				      PROGRESS_MAX_OUTPUT >> 20);
		p->is_clipped = true;
		return;
	}
	line = xasprintf("#%d %.3f %s", p->vertex, since(&p->begun), shown.at);
	write_line(p, false, line);
	o = json_object_new();
	json_put(o, "stream", json_from_str(stream == 2 ? "stderr" : "stdout"));
	json_put(o, "text", json_from_str(shown.at));
	event(p, "output", "output", take(o));
}

void progress_output(struct progress *p, int stream, const char *bytes, size_t n)
{
	struct str *partial = &p->partial[stream == 2 ? 2 : 1];

	while (n) {
		const char *end = memchr(bytes, '\n', n);
		size_t part = end ? (size_t)(end - bytes) : n;

		if (partial->len + part > PROGRESS_MAX_LINE)
			part = PROGRESS_MAX_LINE - partial->len;
		str_addn(partial, bytes, part);
		bytes += part;
		n -= part;
		if (n && *bytes == '\n') {
			bytes++;
			n--;
		} else if (partial->len < PROGRESS_MAX_LINE) {
			return; /* no end of the line yet */
		}
		output_line(p, stream, partial->at, partial->len);
		str_clear(partial);
	}
}

static void flush_partial(struct progress *p)
{
	for (int i = 0; i < N_STREAMS; i++) {
		if (p->partial[i].len)
			output_line(p, i, p->partial[i].at, p->partial[i].len);
		str_clear(&p->partial[i]);
	}
}

/* At most about ten lines for one transfer: as it begins, then at every tenth of the whole. */
void progress_bytes(struct progress *p, const char *what, int64_t done_bytes,
		    int64_t total_bytes)
{
	autofree char *done = NULL;
	autofree char *total = NULL;
	autofree char *line = NULL;

	if (done_bytes < p->next_bytes)
		return;
	p->next_bytes = done_bytes + (total_bytes > 0 ? total_bytes / 10 + 1 : 64 << 20);
	done = str_human_bytes((unsigned long long)done_bytes);
	total = total_bytes > 0 ? str_human_bytes((unsigned long long)total_bytes)
				: xstrdup("?");
	line = xasprintf("#%d %s %s / %s", p->vertex, what, done, total);
	write_line(p, false, line);
	event(p, "bytes", "done", json_from_int(done_bytes));
}

void progress_done(struct progress *p)
{
	autofree char *line = NULL;

	flush_partial(p);
	line = xasprintf("#%d DONE %.1fs\n", p->vertex, since(&p->begun));
	write_line(p, false, line);
	event(p, "done", "seconds", json_from_double(since(&p->begun)));
}

void progress_cached(struct progress *p)
{
	autofree char *line = xasprintf("#%d CACHED\n", p->vertex);

	write_line(p, false, line);
	event(p, "cached", NULL, NULL);
}

static const char rule[] = "------";

void progress_failed(struct progress *p)
{
	autofree char *line = NULL;

	flush_partial(p);
	line = xasprintf("#%d ERROR after %.1fs\n%s\n > %s:", p->vertex, since(&p->begun), rule,
			 p->title);
	write_line(p, true, line);
	for (size_t i = 0; i < PROGRESS_TAIL_LINES; i++)
		if (tail_at(&p->tail, i))
			write_line(p, true, tail_at(&p->tail, i));
	write_line(p, true, rule);
	event(p, "error", "seconds", json_from_double(since(&p->begun)));
}

void progress_note(struct progress *p, const char *fmt, ...)
{
	autostr text = STR_INIT;
	autofree char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	line = p->vertex ? xasprintf("#%d %s", p->vertex, text.at) : xstrdup(text.at);
	write_line(p, false, line);
	event(p, "note", "text", json_from_str(text.at));
}

void progress_block(struct progress *p, const char *text)
{
	autofree char *bare = xstrdup(text);
	size_t n = strlen(bare);

	if (n && bare[n - 1] == '\n')
		bare[n - 1] = '\0';
	write_line(p, true, bare);
	event(p, "excerpt", "text", json_from_str(bare));
}

void progress_warn(struct progress *p, const char *fmt, ...)
{
	autostr text = STR_INIT;
	va_list ap;

	str_add(&text, "warning: ");
	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	write_line(p, true, text.at);
	event(p, "warning", "text", json_from_str(text.at + strlen("warning: ")));
}

void progress_end(struct progress *p, const char *error_text)
{
	autofree char *line = xasprintf("ERROR: %s\n", error_text);

	if (p->log_fd >= 0)
		(void)fs_write_full(p->log_fd, line, strlen(line));
	event(p, "failed", "text", json_from_str(error_text));
}

bool progress_tail_has(const struct progress *p, const char *text)
{
	for (size_t i = 0; i < PROGRESS_TAIL_LINES; i++)
		if (p->tail.lines[i] && strstr(p->tail.lines[i], text))
			return true;
	return false;
}
