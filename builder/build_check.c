/* build_check.c - `kiln build --check`: what the build checks say, and nothing built. */
#include <stdio.h>

#include "builder/build.h"
#include "builder/check.h"
#include "context/buildfile.h"

enum { STATUS_WARNINGS = 1 }; /* as docker build --check ends */

static void print_count(const struct check *c)
{
	size_t n = c->warnings.n;

	if (!n)
		puts("Check complete, no warnings found.");
	else
		printf("Check complete, %zu warning%s found!\n", n,
		       n == 1 ? " has been" : "s have been");
}

static int print(const struct check *c, bool is_json)
{
	if (is_json) {
		check_print_json(c);
	} else {
		check_print_text(c, true);
		if (c->error)
			check_print_error(c);
		else
			print_count(c);
	}
	if (c->error)
		return err_exit_status(c->error->code);
	return c->warnings.n ? STATUS_WARNINGS : 0;
}

int build_check(const struct build_opts *o, bool is_json, struct err **e)
{
	struct fetch_auth auth = { &o->secrets, o->ssh };
	struct buildfile_opts fo = { o->context_dir, o->dockerfile,
				     check_keeps_git_dir(&o->build_args), &auth };
	AUTO(store) store = NULL;
	AUTO(buildfile) file = NULL;
	autostrv args = STRV_INIT;
	struct lint_opts lo = { .build_args = &args,
				.target = o->target,
				.is_target_only = o->target,
				.check = check_option(&o->build_args) };
	struct check c;
	int status;

	if (store_open(NULL, &store, e) || buildfile_open(store, &fo, &file, e))
		return -1;
	check_build_args(&o->build_args, &args);
	lo.ignore = context_ignore(file->context);
	check_run(file->file_name, &file->text, &lo, &c);
	status = print(&c, is_json);
	check_release(&c);
	return status;
}
