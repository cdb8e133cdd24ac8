#include "builder/cachekey.h"

/* Raised when the same key would stand for another content: a change in how steps run or disks
 * are written. */
static const char version[] = "kiln-step-1";

static void add_strv(struct sha256 *h, const struct strv *v)
{
	sha256_add_u64(h, v->n);
	for (size_t i = 0; i < v->n; i++)
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

static void add_run(struct sha256 *h, const struct step *step)
{
	sha256_add_field(h, "run");
	add_strv(h, &step->argv);
	add_strv(h, &step->env);
	sha256_add_field(h, step->user);
	sha256_add_field(h, step->cwd);
}

static void add_copy(struct sha256 *h, const struct step *step,
		     const struct context_selection *selection)
{
	sha256_add_field(h, "copy");
	sha256_add_u64(h, step->is_add);
	sha256_add_field(h, step->dest);
	sha256_add_field(h, step->chown);
	sha256_add_u64(h, (uint64_t)(int64_t)step->chmod);
	sha256_add_u64(h, step->sources.n > 1 || selection->has_wildcard);
	sha256_add_field(h, selection->digest);
}

void cachekey_step(const struct step *step, const char *below,
		   const struct context_selection *selection, cachekey ret)
{
	AUTO(sha256) h = sha256_new();

	sha256_add_field(h, version);
	sha256_add_field(h, below);
	switch (step->kind) {
	case STEP_RUN:
		add_run(h, step);
		break;
	case STEP_COPY:
		add_copy(h, step, selection);
		break;
	case STEP_WORKDIR:
		sha256_add_field(h, "workdir");
		sha256_add_field(h, step->cwd);
		sha256_add_field(h, step->user);
		break;
	}
	sha256_end_hex(h, ret);
}
