#include "builder/guest_output.h"

#include "builder/secret_filter.h"

enum { STREAMS = 2 }; /* standard output, standard error */

struct stream {
	struct guest_output *of;
	int number; /* as the progress counts them */
	struct secret_filter *filter;
};

struct guest_output {
	struct progress *progress;
	struct str *log;
	size_t log_max;
	struct stream streams[STREAMS];
};

static void give(void *arg, const char *bytes, size_t n)
{
	const struct stream *s = arg;
	const struct guest_output *o = s->of;
	size_t room = o->log && o->log->len < o->log_max ? o->log_max - o->log->len : 0;

	progress_output(o->progress, s->number, bytes, n);
	if (room)
		str_addn(o->log, bytes, n < room ? n : room);
}

struct guest_output *guest_output_new(struct progress *p, struct secret_scan *scan,
				      struct str *log, size_t log_max)
{
	struct guest_output *o = xcalloc(1, sizeof(*o));

	o->progress = p;
	o->log = log;
	o->log_max = log_max;
	for (int i = 0; i < STREAMS; i++) {
		struct stream *s = &o->streams[i];

		s->of = o;
		s->number = i + 1;
		s->filter = secret_filter_new(scan, give, s);
	}
	return o;
}

void guest_output_free(struct guest_output *o)
{
	for (int i = 0; o && i < STREAMS; i++)
		secret_filter_free(o->streams[i].filter);
	free(o);
}

void guest_output_feed(void *arg, int stream, const char *bytes, size_t n)
{
	struct guest_output *o = arg;

	secret_filter_feed(o->streams[stream == 2].filter, bytes, n);
}

int guest_output_end(struct guest_output *o, const char *where, struct err **e)
{
	for (int i = 0; i < STREAMS; i++)
		secret_filter_flush(o->streams[i].filter);
	for (int i = 0; i < STREAMS; i++)
		if (secret_filter_judge(o->streams[i].filter, where, e))
			return -1;
	return 0;
}
