/* plan_mounts.c - RUN --mount: defaults, places, and where they come from. */
#include <stdlib.h>
#include <string.h>

#include "builder/plan_internal.h"
#include "dockerfile/mount.h"

static int expand_value(void *arg, const char *value, char **ret, struct err **e)
{
	return planner_expand(arg, value, ret, e);
}

/* Cache ids of different --build-arg BUILDKIT_CACHE_MOUNT_NS have nothing in common. */
static char *cache_id(struct planner *p, const struct mount *m)
{
	const char *space = planner_build_arg(p, "BUILDKIT_CACHE_MOUNT_NS");
	autofree char *id = *m->id ? xstrdup(m->id) : plan_path("/", m->target);

	return space && *space ? xasprintf("%s/%s", space, id) : take(id);
}

static int find_mount_tree(struct planner *p, struct mount *m, struct err **e)
{
	if (*m->from_name)
		return plan_find_tree(p, m->from_name, m->target, &m->from, e);
	m->from.kind = m->kind == MOUNT_BIND ? TREE_CONTEXT : TREE_EMPTY;
	if (m->kind == MOUNT_BIND)
		m->from.name = xstrdup("");
	return 0;
}

static int place_mount(struct planner *p, struct mount *m, size_t *n_ssh, struct err **e)
{
	char *target;

	if (m->kind == MOUNT_CACHE) {
		char *id = cache_id(p, m);

		free(m->id);
		m->id = id;
	}
	if (m->kind == MOUNT_SSH && !*m->target)
		target = xasprintf("/run/buildkit/ssh_agent.%zu", *n_ssh);
	else if (*m->target)
		target = plan_path(p->stage->cwd, m->target);
	else
		return 0;
	*n_ssh += m->kind == MOUNT_SSH;
	free(m->target);
	m->target = target;
	if (streq(target, "/"))
		return err_set(e, ERR_USAGE, "invalid mount target \"/\"");
	return 0;
}

static size_t depth_of(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* What lies inside another mount comes after it; else they keep their order. */
static void sort_mounts(struct mounts *m)
{
	for (size_t i = 1; i < m->n; i++) {
		for (size_t k = i;
		     k > 0 && depth_of(m->at[k - 1].target) > depth_of(m->at[k].target); k--) {
			struct mount swapped = m->at[k];

			m->at[k] = m->at[k - 1];
			m->at[k - 1] = swapped;
		}
	}
}

/* What was read, with the defaults of its kind. */
static struct mount from_parsed(struct df_mount *d)
{
	static const unsigned modes[] = {
		[DF_MOUNT_CACHE] = 0755, [DF_MOUNT_SECRET] = 0400, [DF_MOUNT_SSH] = 0600
	};
	struct mount m = {
		.kind = (enum mount_kind)d->type,
		.is_writable = !d->is_readonly,
		.is_required = d->is_required,
		.sharing = d->sharing ? (enum mount_sharing)(d->sharing - 1) : SHARING_SHARED,
		.size_bytes = d->size_bytes,
		.mode = d->mode >= 0 ? (unsigned)d->mode : modes[d->type],
		.uid = d->uid >= 0 ? (unsigned)d->uid : 0,
		.gid = d->gid >= 0 ? (unsigned)d->gid : 0,
	};

	m.target = take(d->target);
	m.source = take(d->source);
	m.from_name = take(d->from);
	m.id = take(d->id);
	m.env = d->env ? take(d->env) : xstrdup("");
	return m;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A secret's source is another word for its id; both have the target's name if need be. */
static void name_secret(struct mount *m)
{
	char *id = *m->id       ? xstrdup(m->id)
		   : *m->source ? xstrdup(m->source)
				: xstrdup(base_name(m->target));

	free(m->id);
	m->id = id;
	free(m->source);
	m->source = xstrdup("");
	if (*m->target || *m->env)
		return;
	free(m->target);
	m->target = xasprintf("/run/secrets/%s", base_name(id));
}

static int take_mount(struct planner *p, const char *text, size_t *n_ssh, struct mount *ret,
		      struct err **e)
{
	struct df_expander x = { expand_value, p };
	struct df_mount parsed;

	if (df_mount_parse(text, &x, &parsed, e))
		return -1;
	*ret = from_parsed(&parsed);
	df_mount_release(&parsed);
	if (ret->kind == MOUNT_SECRET)
		name_secret(ret);
	if (ret->kind == MOUNT_SSH && !*ret->id) {
		free(ret->id);
		ret->id = xstrdup("default");
	}
	if (!*ret->target && ret->kind != MOUNT_SSH && ret->kind != MOUNT_SECRET)
		return err_set(e, ERR_USAGE, "invalid mount target \"\": a %s mount needs one",
			       mount_kind_name(ret->kind));
	return place_mount(p, ret, n_ssh, e) || find_mount_tree(p, ret, e) ? -1 : 0;
}

int plan_mounts(struct planner *p, const struct df_instruction *in, struct mounts *ret,
		struct err **e)
{
	autostrv texts = STRV_INIT;
	size_t n_ssh = 0;

	df_flag_all(in, "mount", &texts);
	if (texts.n > MOUNTS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d mounts in one RUN", MOUNTS_MAX);
	for (size_t i = 0; i < texts.n; i++) {
		struct mount m = { 0 };
		int failed = take_mount(p, texts.at[i], &n_ssh, &m, e);

		vec_push(ret, m);
		if (failed)
			return -1;
	}
	sort_mounts(ret);
	return 0;
}
