#include "builder/history.h"

#include <string.h>

#include "base/log.h"

enum { ID_PREFIX_MIN = 4, NEAR_MAX = 2 };

void past_release(struct past *p)
{
	free(p->build.name);
	free(p->build.context);
	free(p->build.status);
	free(p->build.template_id);
	free(p->build.dir);
	record_free(p->record);
	*p = (struct past){ 0 };
}

/* Takes the build out of the list. */
static struct store_build take_build(struct store_build *b)
{
	struct store_build taken = *b;

	b->name = b->context = b->status = b->template_id = b->dir = NULL;
	return taken;
}

/* A record that can't be read is none. */
static struct record *read_record(const struct store_build *b)
{
	struct record *record = NULL;
	struct err *why = NULL;

	if (record_read(b->dir, &record, &why) < 0) {
		autofree char *text = err_text(why);

		log_debug("the record of build %s: %s", b->id, text);
		err_drop(&why);
	}
	return record;
}

/* ---- the one to compare with ---- */

static bool fits_directory(const struct record *r, const struct history_ask *ask)
{
	return streq(r->context_dir, ask->context_dir) &&
	       (!ask->dockerfile || streq(r->dockerfile, ask->dockerfile));
}

static int find(struct store_builds *builds, const struct history_ask *ask, const char *name,
		struct past *ret)
{
	vec_each (b, &builds->at) {
		AUTO(record) record = NULL;

		if (ask->except && streq(b->id, ask->except))
			continue;
		if (name ? !streq(b->name, name) : !streq(b->context, ask->context_dir))
			continue;
		record = read_record(b);
		if (!record || !record->stages.n || (!name && !fits_directory(record, ask)))
			continue;
		ret->build = take_build(b);
		ret->record = take(record);
		return 1;
	}
	return 0;
}

int history_find(struct store *s, const struct history_ask *ask, struct past *ret,
		 struct err **e)
{
	struct store_builds builds = { 0 };
	autofree char *name = NULL;
	int found = 0;

	*ret = (struct past){ 0 };
	if (ask->name && *ask->name && store_name_parse(ask->name, &name, e))
		return -1;
	if (store_builds_list(s, &builds, e)) {
		store_builds_release(&builds);
		return -1;
	}
	if (name)
		found = find(&builds, ask, name, ret);
	if (!found && ask->context_dir)
		found = find(&builds, ask, NULL, ret);
	store_builds_release(&builds);
	return found;
}

/* ---- the one that is meant ---- */

static bool is_prefix(const char *what)
{
	return strlen(what) >= ID_PREFIX_MIN && strlen(what) < STORE_ID_MAX &&
	       !what[strspn(what, "0123456789abcdef")];
}

static int find_id(struct store_builds *builds, const char *what, struct store_build **ret,
		   struct err **e)
{
	vec_each (b, &builds->at) {
		if (!str_starts(b->id, what))
			continue;
		if (*ret)
			return err_set(
				e, ERR_USAGE,
				"several builds have an id that begins with %s: give more "
				"of it",
				what);
		*ret = b;
	}
	return 0;
}

/* NULL for what is no name. */
static char *full_name(const char *what)
{
	struct err *ignored = NULL;
	char *name = NULL;

	if (store_name_parse(what, &name, &ignored))
		err_drop(&ignored);
	return name;
}

static struct store_build *find_name(struct store_builds *builds, const char *what,
				     bool wants_failed)
{
	autofree char *name = full_name(what);
	struct store_build *newest = NULL;

	vec_each (b, &builds->at) {
		if (*what && (!name || !streq(b->name, name)))
			continue;
		if (!wants_failed || streq(b->status, "failed"))
			return b;
		newest = newest ? newest : b;
	}
	return newest;
}

/* A build is listed under the first of its names; its record has all of them. */
static struct store_build *find_further_name(struct store_builds *builds, const char *what)
{
	autofree char *name = full_name(what);

	for (size_t i = 0; name && i < builds->at.n; i++) {
		AUTO(record) record = read_record(&builds->at.at[i]);

		for (size_t k = 1; record && k < record->names.n; k++) {
			autofree char *further = full_name(record->names.at[k]);

			if (further && streq(further, name))
				return &builds->at.at[i];
		}
	}
	return NULL;
}

static int nothing_found(const struct store_builds *builds, const char *what, struct err **e)
{
	autofree const char **names = xcalloc(builds->at.n + 1, sizeof(*names));
	autofree char *name = full_name(what);
	const char *nearest;

	if (!*what)
		return err_set(e, ERR_NOTFOUND, "no build is on record");
	for (size_t i = 0; i < builds->at.n; i++)
		names[i] = builds->at.at[i].name;
	nearest = name ? str_nearest(name, names, builds->at.n) : NULL;
	/* ":latest" at the end of both isn't likeness. */
	if (nearest && *nearest && strlen(what) > NEAR_MAX)
		return err_set(e, ERR_NOTFOUND,
			       "no build of '%s' is on record (did you mean '%s'?)", what,
			       nearest);
	return err_set(e, ERR_NOTFOUND, "no build of '%s' is on record", what);
}

static int choose(struct store_builds *builds, const char *what, bool wants_failed,
		  struct past *ret, struct err **e)
{
	struct store_build *b = find_name(builds, what, wants_failed);

	if (!b && is_prefix(what) && find_id(builds, what, &b, e))
		return -1;
	if (!b && *what)
		b = find_further_name(builds, what);
	if (!b)
		return nothing_found(builds, what, e);
	ret->build = take_build(b);
	ret->record = read_record(&ret->build);
	return 0;
}

int history_open(struct store *s, const char *what, bool wants_failed, struct past *ret,
		 struct err **e)
{
	struct store_builds builds = { 0 };
	int failed;

	*ret = (struct past){ 0 };
	failed =
		store_builds_list(s, &builds, e) || choose(&builds, what, wants_failed, ret, e);
	store_builds_release(&builds);
	return failed ? -1 : 0;
}
