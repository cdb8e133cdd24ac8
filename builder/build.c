#include "builder/build.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "builder/buildfile.h"
#include "builder/cache_filter.h"
#include "builder/cache_limit.h"
#include "builder/check.h"
#include "builder/context.h"
#include "builder/graph.h"
#include "builder/image.h"
#include "builder/machine.h"
#include "builder/plan.h"
#include "builder/progress.h"
#include "builder/secret_check.h"
#include "builder/turn.h"
#include "dockerfile/dockerfile.h"
#include "snapshot/store_prune.h"

/* Everything a build has in its hands; released as a whole. */
struct build {
	const struct build_opts *o;
	struct store *store;
	struct progress *progress;
	struct secret_scan *scan;      /* NULL: no secrets */
	char leaky_disk[STORE_ID_MAX]; /* a cached layer that holds a secret; "": none */
	char *who; /* how other builds call this one while they wait for it */
	char *log_path;
	char build_id[STORE_ID_MAX];
	struct buildfile *file;
	struct dockerfile *df;
	struct base **bases; /* of stages, until the graph has them */
	size_t n_bases;
	struct plan *plan;
	struct graph graph;
	uint64_t disk_bytes;
	struct host *host;
	struct strv start;
	struct ready ready;
	struct plan_where where; /* which lines are at work */
};

static void build_release(struct build *b)
{
	ready_release(&b->ready);
	strv_release(&b->start);
	host_free(b->host);
	graph_release(&b->graph);
	plan_free(b->plan);
	for (size_t i = 0; i < b->n_bases; i++)
		base_free(b->bases[i]);
	free(b->bases);
	dockerfile_free(b->df);
	buildfile_free(b->file);
	secret_scan_free(b->scan);
	progress_free(b->progress);
	free(b->log_path);
	free(b->who);
	store_free(b->store);
}

/* ---- reading ---- */

static int read_dockerfile(struct build *b, struct err **e)
{
	struct buildfile_opts fo = { b->o->context_dir, b->o->dockerfile,
				     check_keeps_git_dir(&b->o->build_args) };
	autostr excerpt = STR_INIT;
	struct df_where where = { 0 };

	if (buildfile_open(b->store, &fo, &b->file, e))
		return -1;
	progress_begin(b->progress, "[internal] load build definition from %s",
		       b->file->file_name);
	if (secret_scan_text(b->scan, b->file->text.at, b->file->text.len, b->file->file_name,
			     e))
		return -1;
	if (dockerfile_parse_at(b->file->text.at, b->file->text.len, b->file->file_name, &b->df,
				&where, e)) {
		df_excerpt(b->file->text.at, b->file->text.len, b->file->file_name, where,
			   &excerpt);
		progress_block(b->progress, excerpt.at);
		return -1;
	}
	if (dockerfile_check(b->df, &where, e)) {
		b->where = (struct plan_where){ where.line, where.end_line };
		return -1;
	}
	progress_done(b->progress);
	return 0;
}

static int resolve_base(void *arg, size_t stage, const char *image,
			const struct oci_config **ret, struct err **e)
{
	struct build *b = arg;

	if (base_resolve(b->store, image, &b->graph.images_from, b->progress, &b->bases[stage],
			 e))
		return -1;
	*ret = &b->bases[stage]->config;
	return 0;
}

static size_t count_from(const struct dockerfile *df)
{
	size_t n = 0;

	vec_each (in, &df->instructions)
		n += streq(in->name, "FROM");
	return n;
}

static bool filters_any(const struct build *b)
{
	for (size_t i = 0; i < b->plan->n_stages; i++)
		if (b->plan->stages[i].is_needed &&
		    cache_filter_has(&b->o->no_cache_filter, b->plan->stages[i].name, i))
			return true;
	return false;
}

static int make_plan(struct build *b, struct err **e)
{
	struct plan_opts po = { .build_args = &b->o->build_args,
				.labels = &b->o->labels,
				.contexts = &b->o->contexts,
				.target = b->o->target,
				.base = resolve_base,
				.arg = b };

	b->graph.images_from = (struct image_opts){ .contexts = &b->o->contexts,
						    .is_pulled = b->o->is_pulled,
						    .registry = &b->o->registry };
	b->n_bases = count_from(b->df);
	b->bases = xcalloc(b->n_bases, sizeof(*b->bases));
	if (plan_make(b->df, &po, &b->plan, &b->where, e))
		return -1;
	if (secret_check_plan(b->scan, b->plan, &b->where, e))
		return -1;
	if (b->o->no_cache_filter.n && !filters_any(b))
		progress_warn(b->progress, "--no-cache-filter names no stage that is built");
	for (size_t i = 0; i < b->plan->unused_args.n; i++)
		progress_warn(b->progress,
			      "--build-arg %s was given, but no ARG of the Dockerfile takes it",
			      b->plan->unused_args.at[i]);
	return 0;
}

/* What a base image sets, for the build checks. */
static bool base_sets(void *arg, const char *image, struct lint_base *ret)
{
	const struct build *b = arg;

	for (size_t i = 0; i < b->n_bases; i++) {
		const struct base *base = b->bases[i];

		if (!base || !streq(base->name, image))
			continue;
		*ret = (struct lint_base){ .env = &base->config.env,
					   .cwd = base->config.cwd,
					   .has_shell = base->config.shell.n };
		return true;
	}
	return false;
}

static int show_checks(struct build *b, struct err **e)
{
	struct lint_opts lo = { .target = b->o->target,
				.is_target_only = true,
				.check = check_option(&b->o->build_args),
				.ignore = context_ignore(b->file->context),
				.base = base_sets,
				.arg = b };
	struct df_where where;

	if (check_build(b->df, &b->o->build_args, &lo, b->progress, &where, e) == 0)
		return 0;
	b->where = (struct plan_where){ where.line, where.end_line };
	return -1;
}

/* The configuration of the result. */
static const struct plan_stage *target(const struct build *b)
{
	return &b->plan->stages[b->plan->target];
}

static struct base *base_of(const struct build *b)
{
	return graph_base(&b->graph, b->plan->target);
}

static int open_graph(struct build *b, struct err **e)
{
	struct tree_context main_context = { .name = xstrdup("") };

	b->graph.store = b->store;
	b->graph.progress = b->progress;
	b->graph.plan = b->plan;
	b->graph.has_no_cache = b->o->has_no_cache;
	b->graph.no_cache_filter = &b->o->no_cache_filter;
	b->graph.who = b->who;
	b->graph.limits = &b->o->limits;
	b->graph.max_fs_bytes = b->o->disk_bytes ? b->o->disk_bytes : UINT64_MAX;
	b->graph.where = &b->where;
	main_context.context = take(b->file->context);
	vec_push(&b->graph.contexts, main_context);
	return graph_open(&b->graph, b->bases, e);
}

static struct chain *chain_of(struct build *b)
{
	return &b->graph.stages[b->plan->target].chain;
}

/* Those that were there before the first step. */
static size_t n_base_disks(const struct build *b)
{
	return base_of(b)->tmpl ? base_of(b)->tmpl->chain.n : 1;
}

/* ---- start and ready ---- */

static int choose_start(struct build *b, struct err **e)
{
	const struct oci_config *config = &target(b)->config;
	const struct tmpl *parent = base_of(b)->tmpl;

	b->ready = b->o->ready;
	b->ready.what = b->o->ready.what ? xstrdup(b->o->ready.what) : NULL;
	if (b->o->start_command) {
		service_shell(config, b->o->start_command, &b->start);
		return 0;
	}
	/* A template built from a template goes on as its parent does, unless it is told
	 * otherwise. */
	if (parent && !target(b)->has_own_command && parent->start.n) {
		strv_copy(&b->start, &parent->start);
		return b->ready.kind ? 0 : ready_from_text(parent->ready, &b->ready, e);
	}
	if (b->ready.kind == READY_NONE)
		return 0;
	for (size_t i = 0; i < config->entrypoint.n; i++)
		strv_push(&b->start, config->entrypoint.at[i]);
	for (size_t i = 0; i < config->cmd.n; i++)
		strv_push(&b->start, config->cmd.at[i]);
	if (!b->start.n && b->ready.kind != READY_TIME)
		return err_set(e, ERR_USAGE,
			       "a readiness probe was asked for, but there is nothing to "
			       "start: give --start-cmd, "
			       "or an ENTRYPOINT or CMD in the Dockerfile");
	return 0;
}

/* What makes two templates the same: the file system, what runs in it, and the machine it was
 * saved on. */
static void template_key(struct build *b, cachekey ret)
{
	AUTO(sha256) h = sha256_new();
	AUTO(json) config = oci_config_to_json(&target(b)->config);
	autofree char *config_text = json_text(config);
	autofree char *ready = ready_text(&b->ready);

	sha256_add_field(h, "kiln-template-1");
	sha256_add_field(h, chain_top(chain_of(b))->key);
	sha256_add_field(h, config_text);
	sha256_add_u64(h, b->start.n);
	for (size_t i = 0; i < b->start.n; i++)
		sha256_add_field(h, b->start.at[i]);
	sha256_add_field(h, ready);
	sha256_add_u64(h, b->o->cpus);
	sha256_add_u64(h, b->o->memory_mib);
	sha256_add_u64(h, b->disk_bytes);
	sha256_add_field(h, b->host->guest->id);
	sha256_add_field(h, b->host->vmm_version);
	sha256_add_field(h, b->host->accel);
	sha256_end_hex(h, ret);
}

/* ---- the snapshot ---- */

static uint64_t stored_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

static int start_and_save(struct build *b, const char *dir, struct tmpl *t, struct err **e)
{
	AUTO(machine) m = NULL;
	autostr log = STR_INIT;
	autofree char *overlay = xasprintf("%s/disk.qcow2", dir);
	autofree char *ram = xasprintf("%s/ram", dir);
	autofree char *state = xasprintf("%s/state", dir);
	autofree char *log_path = xasprintf("%s/start.log", dir);
	struct service_opts service = {
		&b->start, NULL, &target(b)->config, &b->ready, b->o->ready_timeout_sec, b->scan
	};
	struct timespec from, to;
	struct machine_opts mo = {
		.cpus = b->o->cpus,
		.memory_mib = b->o->memory_mib,
		.disk_bytes = b->disk_bytes,
		.chain = chain_of(b)->paths.at,
		.n_chain = chain_of(b)->paths.n,
		.overlay_path = overlay,
		.ram_path = ram,
	};

	progress_begin(b->progress, "[final] boot");
	if (machine_boot(b->host, &mo, &m, e))
		return -1;
	progress_done(b->progress);
	if (b->start.n) {
		autofree char *command = steps_command_text(&b->start);
		autofree char *ready = ready_text(&b->ready);

		progress_begin(b->progress, "[final] start %s%s%s", command,
			       *ready ? ", wait for " : "", ready);
	} else {
		progress_begin(b->progress, "[final] no start command");
	}
	if (service_start(m->link, &service, b->progress, &log, &t->ready_ms, e)) {
		progress_failed(b->progress);
		return -1;
	}
	progress_done(b->progress);
	progress_begin(b->progress, "[final] snapshot");
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (agent_quiesce(m->link, e) || vm_save(m->vm, state, e))
		return err_wrap(e, "saving the memory of the VM");
	clock_gettime(CLOCK_MONOTONIC, &to);
	t->snapshot_ms =
		(to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
	t->fs_bytes = m->fs_bytes;
	t->memory_stored_bytes = stored_bytes(ram);
	t->state_bytes = stored_bytes(state);
	t->disk_stored_bytes = stored_bytes(overlay);
	for (size_t i = 0; i < chain_of(b)->paths.n; i++)
		t->disk_stored_bytes += stored_bytes(chain_of(b)->paths.at[i]);
	return fs_write_atomic(log_path, log.at, log.len, 0600, e);
}

static void describe(struct build *b, struct tmpl *t, const cachekey key)
{
	free(t->name);
	t->name = xstrdup(b->o->names.n ? b->o->names.at[0] : "");
	t->key = xstrdup(key);
	t->created_sec = time(NULL);
	t->base_name = xstrdup(base_of(b)->name);
	t->base_digest = xstrdup(base_of(b)->digest);
	vec_each (disk, &chain_of(b)->disks)
		vec_push(&t->chain, xstrdup((*disk)->id));
	t->disk_bytes = b->disk_bytes;
	t->cpus = b->o->cpus;
	t->memory_mib = b->o->memory_mib;
	t->config = oci_config_to_json(&target(b)->config);
	strv_copy(&t->start, &b->start);
	t->ready = ready_text(&b->ready);
	t->kiln_version = xstrdup(KILN_VERSION);
	t->vmm_version = xstrdup(b->host->vmm_version);
	t->accel = xstrdup(b->host->accel);
	t->guest_id = xstrdup(b->host->guest->id);
}

static int make_template(struct build *b, const cachekey key, struct tmpl **ret, struct err **e)
{
	AUTO(tmpl) t = tmpl_new();
	AUTO(workdir) work = NULL;
	autofree char *dir = NULL;
	autofree char *log = NULL;

	if (workdir_new(b->store, &work, e))
		return -1;
	dir = workdir_path(work, "template");
	log = xasprintf("%s/build.log", dir);
	if (fs_mkdirs(dir, 0700, e))
		return -1;
	describe(b, t, key);
	if (start_and_save(b, dir, t, e))
		return -1;
	/* One file under two names: what is still to be written to the log is in the template
	 * too. */
	if (link(b->log_path, log))
		return err_sys(e, "keeping the build log");
	if (secret_check_template(b->scan, t, dir, chain_of(b), n_base_disks(b), b->leaky_disk,
				  e))
		return -1;
	if (store_template_add(b->store, t, dir, b->o->names.n ? b->o->names.at[0] : NULL, e))
		return -1;
	progress_done(b->progress);
	*ret = take(t);
	return 0;
}

/* ---- the road ---- */

static int run_steps(struct build *b, struct err **e)
{
	struct steps_opts so = {
		.graph = &b->graph,
		.host = b->host,
		.secrets = &b->o->secrets,
		.ssh = b->o->ssh,
		.scan = b->scan,
		.cpus = b->o->cpus,
		.memory_mib = b->o->memory_mib,
		.disk_bytes = b->o->disk_bytes,
	};

	if (graph_complete(&so, b->plan->target, e))
		return -1;
	return steps_disk_bytes(&so, chain_of(b), base_of(b)->name, &b->disk_bytes, e);
}

static int find_or_make_template(struct build *b, struct build_result *ret, struct err **e)
{
	bool is_uncached = b->graph.stages[b->plan->target].is_uncached;
	AUTO(store_key) turn = NULL;
	AUTO(tmpl) t = NULL;
	cachekey key;
	int found = 0;

	template_key(b, key);
	if (!is_uncached)
		found = store_template_find_key(b->store, key, &t, e);
	if (!found && !is_uncached)
		found = turn_take(b->store, key, b->who, b->progress, &turn, e)
				? -1
				: store_template_find_key(b->store, key, &t, e);
	if (found < 0)
		return -1;
	ret->is_cached = found;
	if (found) {
		progress_begin(b->progress, "[final] snapshot %s", t->id);
		if (secret_check_template(b->scan, t, t->dir, chain_of(b), n_base_disks(b),
					  b->leaky_disk, e))
			return -1;
		progress_cached(b->progress);
	} else if (make_template(b, key, &t, e)) {
		return -1;
	}
	for (size_t i = found ? 0 : 1; i < b->o->names.n; i++)
		if (store_template_name(b->store, t->id, b->o->names.at[i], e))
			return -1;
	snprintf(ret->id, sizeof(ret->id), "%s", t->id);
	return 0;
}

/* Dockerfile in, named template out. One line per stage, in the order they happen. */
static int build(struct build *b, struct build_result *ret, struct err **e)
{
	if (read_dockerfile(b, e) || make_plan(b, e) || show_checks(b, e) || open_graph(b, e))
		return -1;
	if (choose_start(b, e))
		return -1;
	if (host_open(b->store, &b->host, e) ||
	    host_find_guest(b->host, b->store, b->o->kernel, e))
		return -1;
	if (run_steps(b, e))
		return -1;
	if (find_or_make_template(b, ret, e))
		return err_wrap(e, "making the template");
	graph_count(&b->graph, &ret->n_steps, &ret->n_cached);
	return 0;
}

/* The lines at fault, above the error; and their place in front of it. */
static void show_place(struct build *b, struct err **e)
{
	autostr block = STR_INIT;

	if (!b->where.line || !b->df)
		return;
	dockerfile_excerpt(b->df, b->file->file_name, b->where.line, b->where.end_line, &block);
	progress_block(b->progress, block.at);
	err_wrap(e, "%s:%d", b->file->file_name, b->where.line);
}

static int normalise_names(const struct build_opts *o, struct build_result *ret, struct err **e)
{
	for (size_t i = 0; i < o->names.n; i++) {
		char *name;

		if (store_name_parse(o->names.at[i], &name, e))
			return -1;
		strv_push_take(&ret->names, name);
	}
	return 0;
}

static int begin(struct build *b, const struct build_result *ret, struct err **e)
{
	const char *name = ret->names.n ? ret->names.at[0] : NULL;

	if (store_open(NULL, &b->store, e) ||
	    store_build_begin(b->store, name, b->o->context_dir, b->build_id, &b->log_path, e))
		return -1;
	if (progress_new(b->o->progress, b->log_path, &b->progress, e))
		return -1;
	b->who = name ? xasprintf("the build of %s", name) : xstrdup("another build");
	b->scan = secret_scan_new(&b->o->secrets, b->progress);
	return 0;
}

/* The build's record says how it ended, and its log why. */
static void end(struct build *b, bool has_failed, const struct build_result *ret,
		struct err **e)
{
	struct err *ignored = NULL;

	if (!b->progress)
		return;
	if (has_failed) {
		autofree char *text = NULL;

		show_place(b, e);
		text = err_text(*e);
		progress_end(b->progress, text);
	}
	if (store_build_end(b->store, b->build_id, has_failed ? "failed" : "done",
			    has_failed ? "" : ret->id, &ignored))
		err_drop(&ignored);
}

static int trim_cache(struct build *b, bool is_unchanged, struct err **e)
{
	struct store_prune_opts leaky = { .disk = b->leaky_disk };

	if (*b->leaky_disk && store_prune(b->store, &leaky, NULL, e))
		return -1;
	return is_unchanged ? 0
			    : cache_limit_apply(b->store, b->o->cache_bytes, b->progress, e);
}

/* What this build had in its hands is let go first. Not doing it is no failure of the build. */
static void end_cache(struct build *b, bool is_unchanged)
{
	AUTO(err) why = NULL;

	graph_release(&b->graph);
	b->graph = (struct graph){ 0 };
	if (b->progress && trim_cache(b, is_unchanged, &why)) {
		autofree char *text = err_text(why);

		progress_warn(b->progress, "%s", text);
	}
}

int build_template(const struct build_opts *o, struct build_result *ret, struct err **e)
{
	struct build b = { .o = o };
	struct timespec from, to;
	int failed;

	clock_gettime(CLOCK_MONOTONIC, &from);
	*ret = (struct build_result){ 0 };
	failed = image_check_contexts(&o->contexts, e) || normalise_names(o, ret, e) ||
		 begin(&b, ret, e) || build(&b, ret, e);
	end(&b, failed, ret, e);
	end_cache(&b, ret->is_cached);
	build_release(&b);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ret->seconds =
		(double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	return failed ? -1 : 0;
}

void build_result_release(struct build_result *r)
{
	strv_release(&r->names);
}
