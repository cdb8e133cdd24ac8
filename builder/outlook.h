/*
 * outlook.h - verdicts for people and programs: what `kiln explain` and `kiln build --dry-run`
 * print.
 */
#ifndef BUILDER_OUTLOOK_H
#define BUILDER_OUTLOOK_H

#include "builder/build.h"

struct outlook_opts {
	const char *name;  /* whose earlier build is compared with; NULL: that of the context */
	bool has_forecast; /* as forecast.h has it */
	bool is_json;
};

/*
 * Reads what a build of these options would read, and prints what it would do. Nothing is
 * built, no machine started, no layer fetched. Errors as build_template() has them, with the
 * lines at fault shown. One line per step, and below each that is run the reason:
 *
 *	CACHED   [build 1/3] FROM debian:12@sha256:...
 *	RUN      [build 2/3] COPY app /srv
 *	         file app/main.py has changed: sha256:5f1c... is now sha256:9e0a...
 */
int outlook_show(const struct build_opts *o, const struct outlook_opts *how, struct err **e);

#endif
