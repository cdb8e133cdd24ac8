#include "builder/cachekey.h"

#include "builder/agentlink.h"

/* Raised when the same key would stand for another content: a change in how steps run or disks
 * are written. */
static const char version[] = "kiln-step-2";

static void add_strv(struct sha256 *h, const struct strv *v)
{
	sha256_add_u64(h, v ? v->n : 0);
	for (size_t i = 0; v && i < v->n; i++)
		sha256_add_field(h, v->at[i]);
}

void cachekey_base(const char *kind, const char *digest, cachekey ret)
{
	AUTO(sha256) h = sha256_new();

	sha256_add_field(h, version);
	sha256_add_field(h, kind);
	sha256_add_field(h, digest);
	sha256_end_hex(h, ret);
}

static void add_mount(struct sha256 *h, const struct mount *m)
{
	sha256_add_u64(h, m->kind);
	sha256_add_field(h, m->target);
	sha256_add_field(h, m->source);
	sha256_add_field(h, m->env);
	sha256_add_u64(h, m->is_writable);
	sha256_add_u64(h, m->size_bytes);
	sha256_add_u64(h, m->mode);
	sha256_add_u64(h, m->uid);
	sha256_add_u64(h, m->gid);
}

static void add_run(struct sha256 *h, const struct step *step)
{
	sha256_add_field(h, "run");
	add_strv(h, &step->argv);
	add_strv(h, &step->env);
	sha256_add_field(h, step->user);
	sha256_add_field(h, step->cwd);
	sha256_add_u64(h, step->has_no_network);
	sha256_add_field(h, step->script_name);
	sha256_add_u64(h, step->script.len);
	sha256_add(h, step->script.at, step->script.len);
	sha256_add_u64(h, step->mounts.n);
	vec_each (m, &step->mounts)
		add_mount(h, m);
	if (step->hostname)
		sha256_add_field(h, step->hostname);
}

static void add_copy(struct sha256 *h, const struct step *step)
{
	sha256_add_field(h, "copy");
	sha256_add_u64(h, step->is_add);
	sha256_add_field(h, step->dest);
	sha256_add_field(h, step->flags.chown);
	sha256_add_field(h, step->flags.chmod);
	sha256_add_u64(h, step->flags.is_link ? 2 : 0); /* 1: before it replaced directories */
	sha256_add_u64(h, step->flags.has_parents);
	sha256_add_u64(h, 0); /* 1: when several sources made a directory of dest */
}

void cachekey_step(const struct step *step, const char *below, const char *content,
		   cachekey ret)
{
	AUTO(sha256) h = sha256_new();

	sha256_add_field(h, version);
	sha256_add_field(h, below);
	sha256_add_field(h, content);
	switch (step->kind) {
	case STEP_RUN:
		add_run(h, step);
		break;
	case STEP_COPY:
		add_copy(h, step);
		break;
	case STEP_WORKDIR:
		sha256_add_field(h, "workdir");
		sha256_add_field(h, step->cwd);
		sha256_add_field(h, step->user);
		break;
	}
	sha256_end_hex(h, ret);
}

void cachekey_selection(const char *tree_key, const struct agent_selection *s, cachekey ret)
{
	AUTO(sha256) h = sha256_new();

	sha256_add_field(h, "kiln-select-1");
	sha256_add_field(h, tree_key);
	sha256_add_u64(h, s->has_parents);
	sha256_add_u64(h, s->is_literal);
	add_strv(h, s->sources);
	add_strv(h, s->excludes);
	sha256_end_hex(h, ret);
}

void cachekey_mount(const char *id, const char *from_key, cachekey ret)
{
	AUTO(sha256) h = sha256_new();

	sha256_add_field(h, "kiln-mount-1");
	sha256_add_field(h, id);
	sha256_add_field(h, from_key);
	sha256_end_hex(h, ret);
}
