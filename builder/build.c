#include "builder/build.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "builder/cache_filter.h"
#include "builder/cache_limit.h"
#include "builder/cachekey.h"
#include "builder/chain.h"
#include "builder/context.h"
#include "builder/image.h"
#include "builder/machine.h"
#include "builder/plan.h"
#include "builder/progress.h"
#include "builder/secret_check.h"
#include "builder/steps.h"
#include "builder/turn.h"
#include "dockerfile/dockerfile.h"
#include "snapshot/store_prune.h"

static const uint64_t gib = 1ULL << 30;
static const uint64_t default_free_bytes = 2ULL << 30;
enum { DOCKERFILE_MAX_BYTES = 16 << 20 };

/* Everything a build has in its hands; released as a whole. */
struct build {
	const struct build_opts *o;
	struct store *store;
	struct progress *progress;
	struct secret_scan *scan;      /* NULL: no secrets */
	char leaky_disk[STORE_ID_MAX]; /* a cached layer that holds a secret; "": none */
	char *log_path;
	char build_id[STORE_ID_MAX];
	char *file_name; /* how messages call the Dockerfile */
	struct dockerfile *df;
	struct base *base;
	struct plan *plan;
	struct context *context;
	struct context_selection *selections; /* one per step */
	struct chain chain;
	bool is_uncached; /* no result of others is taken, and ours is not waited for */
	size_t n_done;    /* steps whose result is in chain */
	size_t n_cached;  /* of those, by us or others made before */
	char *who;        /* how other builds call this one while they wait for it */
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
	chain_release(&b->chain);
	for (size_t i = 0; b->selections && i < b->plan->steps.n; i++)
		context_selection_release(&b->selections[i]);
	free(b->selections);
	context_free(b->context);
	plan_free(b->plan);
	base_free(b->base);
	dockerfile_free(b->df);
	free(b->file_name);
	secret_scan_free(b->scan);
	progress_free(b->progress);
	free(b->log_path);
	free(b->who);
	store_free(b->store);
}

/* ---- reading ---- */

static int dockerfile_path(const struct build_opts *o, char **ret, struct err **e)
{
	static const char *const names[] = { "Dockerfile", "dockerfile" };
	struct stat st;

	if (o->dockerfile) {
		*ret = xstrdup(o->dockerfile);
		return 0;
	}
	if (stat(o->context_dir, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "the build context %s is not a directory",
			       o->context_dir);
	for (size_t i = 0; i < 2; i++) {
		autofree char *path = xasprintf("%s/%s", o->context_dir, names[i]);

		if (fs_exists(path)) {
			*ret = take(path);
			return 0;
		}
	}
	return err_set(e, ERR_NOTFOUND, "there is no Dockerfile in %s: name one with -f FILE",
		       o->context_dir);
}

static int read_dockerfile(struct build *b, char **ret_path, struct err **e)
{
	autofree char *path = NULL;
	autostr text = STR_INIT;
	autostr excerpt = STR_INIT;
	struct df_where where = { 0 };

	if (dockerfile_path(b->o, &path, e))
		return -1;
	if (streq(path, "-")) {
		if (fs_read_fd(STDIN_FILENO, "standard input", DOCKERFILE_MAX_BYTES, &text, e))
			return -1;
		b->file_name = xstrdup("Dockerfile");
	} else {
		autofree char *copy = xstrdup(path);

		if (fs_read_file(path, DOCKERFILE_MAX_BYTES, &text, e))
			return err_wrap(e, "reading the Dockerfile");
		b->file_name = xstrdup(basename(copy));
	}
	progress_begin(b->progress, "[internal] load build definition from %s", b->file_name);
	if (secret_scan_text(b->scan, text.at, text.len, b->file_name, e))
		return -1;
	if (dockerfile_parse_at(text.at, text.len, b->file_name, &b->df, &where, e)) {
		df_excerpt(text.at, text.len, b->file_name, where, &excerpt);
		progress_block(b->progress, excerpt.at);
		return -1;
	}
	progress_done(b->progress);
	*ret_path = take(path);
	return 0;
}

/* FILE.dockerignore beside the Dockerfile, else .dockerignore in the context; never both. */
static int open_context(struct build *b, const char *dockerfile_path_, struct err **e)
{
	autofree char *own = xasprintf("%s.dockerignore", dockerfile_path_);
	autofree char *common = xasprintf("%s/.dockerignore", b->o->context_dir);
	const char *used = fs_exists(own) ? own : common;
	autostr text = STR_INIT;
	bool has_file = fs_exists(used);

	if (has_file && fs_read_file(used, DOCKERFILE_MAX_BYTES, &text, e))
		return err_wrap(e, "reading the ignore file");
	return context_open(b->o->context_dir, has_file ? &text : NULL,
			    used == own ? own : ".dockerignore", &b->context, e);
}

static int make_plan(struct build *b, struct err **e)
{
	struct plan_opts po = { &b->o->build_args, &b->o->labels, b->o->target };
	struct image_opts io = { &b->o->contexts, b->o->is_pulled, &b->o->registry };
	struct plan_from from = { 0 };
	int failed;

	failed = plan_from(b->df, &po, &from, &b->where, e);
	if (!failed) {
		b->where = from.where;
		failed = base_resolve(b->store, from.image, &io, b->progress, &b->base, e);
	}
	plan_from_release(&from);
	if (failed || plan_make(b->df, &po, &b->base->config, &b->plan, &b->where, e))
		return -1;
	if (secret_check_plan(b->scan, b->plan, &b->where, e))
		return -1;
	b->is_uncached = b->o->has_no_cache ||
			 cache_filter_has(&b->o->no_cache_filter, b->plan->from.stage, 0);
	if (b->o->no_cache_filter.n && !b->is_uncached)
		progress_warn(b->progress, "--no-cache-filter names no stage that is built");
	for (size_t i = 0; i < b->plan->unused_args.n; i++)
		progress_warn(b->progress,
			      "--build-arg %s was given, but no ARG of the Dockerfile takes it",
			      b->plan->unused_args.at[i]);
	return 0;
}

/* ---- cache ---- */

static int compute_keys(struct build *b, struct err **e)
{
	const char *below = b->base->key;

	b->selections = xcalloc(b->plan->steps.n, sizeof(*b->selections));
	for (size_t i = 0; i < b->plan->steps.n; i++) {
		struct step *step = &b->plan->steps.at[i];

		b->where = step->where;
		if (step->kind == STEP_COPY &&
		    context_select(b->context, &step->sources, step->is_add, &b->selections[i],
				   e))
			return err_wrap(e, "%s", step->text);
		cachekey_step(step, below, &b->selections[i], step->key);
		below = step->key;
	}
	b->where = (struct plan_where){ 0 };
	return 0;
}

/* The deepest step beyond those done whose result is stored, and fits the disk that was asked
 * for. */
static int find_cached(struct build *b, struct err **e)
{
	uint64_t limit = b->o->disk_bytes ? b->o->disk_bytes : UINT64_MAX;

	for (size_t i = b->is_uncached ? 0 : b->plan->steps.n; i > b->n_done; i--) {
		AUTO(store_disk) disk = NULL;
		struct chain chain = { 0 };
		int found = store_disk_find(b->store, b->plan->steps.at[i - 1].key, NULL, limit,
					    &disk, e);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		if (chain_open(b->store, disk->id, &chain, e) == 0) {
			chain_release(&b->chain);
			b->chain = chain;
			b->n_cached += i - b->n_done;
			b->n_done = i;
			return 0;
		}
		/* A disk below it has gone: what is left of the cache may still do. */
		err_drop(e);
		chain_release(&chain);
	}
	return 0;
}

static size_t shown_from(const struct build *b)
{
	return !b->base->image && !b->base->tmpl ? 0 : 1; /* scratch is no step */
}

static void show_cached(struct build *b, size_t first)
{
	size_t total = shown_from(b) + b->plan->steps.n;

	for (size_t i = first; i < b->n_done; i++) {
		progress_begin(b->progress, "[%zu/%zu] %s", shown_from(b) + i + 1, total,
			       b->plan->steps.at[i].text);
		progress_cached(b->progress);
	}
}

static int ensure_base(struct build *b, struct err **e)
{
	b->where = b->plan->from.where;
	if (!b->n_done && base_disk(b->store, b->base, b->who, b->progress, &b->chain, e))
		return -1;
	if (b->n_done) {
		progress_begin(b->progress, "FROM %s%s%s", b->base->name,
			       *b->base->digest ? "@" : "", b->base->digest);
		progress_cached(b->progress);
	}
	b->where = (struct plan_where){ 0 };
	return 0;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* Those that were there before the first step. */
static size_t n_base_disks(const struct build *b)
{
	return b->base->tmpl ? b->base->tmpl->chain.n : 1;
}

static int choose_disk(struct build *b, struct err **e)
{
	uint64_t base_bytes = b->chain.disks.at[0]->fs_bytes;
	uint64_t least = chain_fs_bytes(&b->chain);

	if (b->o->disk_bytes && b->o->disk_bytes < least) {
		autofree char *has = str_human_bytes(b->o->disk_bytes);
		autofree char *needs = str_human_bytes(least);

		return err_set(e, ERR_USAGE,
			       "--disk %s is too small: the root file system of %s is %s", has,
			       b->base->name, needs);
	}
	b->disk_bytes = b->o->disk_bytes ? round_up(b->o->disk_bytes, 4096)
					 : round_up(base_bytes + default_free_bytes, gib);
	if (b->disk_bytes < least)
		b->disk_bytes = least;
	return 0;
}

/* ---- start and ready ---- */

static int choose_start(struct build *b, struct err **e)
{
	const struct oci_config *config = &b->plan->config;
	const struct tmpl *parent = b->base->tmpl;

	b->ready = b->o->ready;
	b->ready.what = b->o->ready.what ? xstrdup(b->o->ready.what) : NULL;
	if (b->o->start_command) {
		service_shell(config, b->o->start_command, &b->start);
		return 0;
	}
	/* A template built from a template goes on as its parent does, unless it is told
	 * otherwise. */
	if (parent && !b->plan->has_own_command && parent->start.n) {
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
static void template_key(const struct build *b, cachekey ret)
{
	AUTO(sha256) h = sha256_new();
	AUTO(json) config = oci_config_to_json(&b->plan->config);
	autofree char *config_text = json_text(config);
	autofree char *ready = ready_text(&b->ready);

	sha256_add_field(h, "kiln-template-1");
	sha256_add_field(h, chain_top(&b->chain)->key);
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
		&b->start, NULL, &b->plan->config, &b->ready, b->o->ready_timeout_sec, b->scan
	};
	struct timespec from, to;
	struct machine_opts mo = {
		.cpus = b->o->cpus,
		.memory_mib = b->o->memory_mib,
		.disk_bytes = b->disk_bytes,
		.chain = b->chain.paths.at,
		.n_chain = b->chain.paths.n,
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
	for (size_t i = 0; i < b->chain.paths.n; i++)
		t->disk_stored_bytes += stored_bytes(b->chain.paths.at[i]);
	return fs_write_atomic(log_path, log.at, log.len, 0600, e);
}

static void describe(const struct build *b, struct tmpl *t, const cachekey key)
{
	free(t->name);
	t->name = xstrdup(b->o->names.n ? b->o->names.at[0] : "");
	t->key = xstrdup(key);
	t->created_sec = time(NULL);
	t->base_name = xstrdup(b->base->name);
	t->base_digest = xstrdup(b->base->digest);
	vec_each (disk, &b->chain.disks)
		vec_push(&t->chain, xstrdup((*disk)->id));
	t->disk_bytes = b->disk_bytes;
	t->cpus = b->o->cpus;
	t->memory_mib = b->o->memory_mib;
	t->config = oci_config_to_json(&b->plan->config);
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
	if (secret_check_template(b->scan, t, dir, &b->chain, n_base_disks(b), b->leaky_disk,
				  e))
		return -1;
	if (store_template_add(b->store, t, dir, b->o->names.n ? b->o->names.at[0] : NULL, e))
		return -1;
	progress_done(b->progress);
	*ret = take(t);
	return 0;
}

/* ---- the road ---- */

/* Runs what is to be run, as far as it is our turn. */
static int run_some(struct build *b, struct store_key *take_turn, struct err **e)
{
	const struct steps_opts so = {
		.store = b->store,
		.host = b->host,
		.progress = b->progress,
		.plan = b->plan,
		.selections = b->selections,
		.context = b->context,
		.who = b->who,
		.cpus = b->o->cpus,
		.memory_mib = b->o->memory_mib,
		.disk_bytes = b->disk_bytes,
		.scan = b->scan,
		.n_shown_before = shown_from(b),
		.n_shown = shown_from(b) + b->plan->steps.n,
	};

	return steps_run(&so, take_turn, &b->chain, &b->n_done, &b->where, e);
}

/* A build without cache neither takes what others make, nor has them wait. */
static int run_steps(struct build *b, struct err **e)
{
	show_cached(b, 0);
	while (b->n_done < b->plan->steps.n) {
		AUTO(store_key) turn = NULL;
		size_t n_before = b->n_done;

		if (!b->is_uncached && (turn_take(b->store, b->plan->steps.at[n_before].key,
						  b->who, b->progress, &turn, e) ||
					find_cached(b, e) || choose_disk(b, e)))
			return -1;
		show_cached(b, n_before);
		if (b->n_done == n_before && run_some(b, take(turn), e))
			return -1;
	}
	return 0;
}

static int find_or_make_template(struct build *b, struct build_result *ret, struct err **e)
{
	AUTO(store_key) turn = NULL;
	AUTO(tmpl) t = NULL;
	cachekey key;
	int found = 0;

	template_key(b, key);
	if (!b->is_uncached)
		found = store_template_find_key(b->store, key, &t, e);
	if (!found && !b->is_uncached)
		found = turn_take(b->store, key, b->who, b->progress, &turn, e)
				? -1
				: store_template_find_key(b->store, key, &t, e);
	if (found < 0)
		return -1;
	ret->is_cached = found;
	if (found) {
		progress_begin(b->progress, "[final] snapshot %s", t->id);
		if (secret_check_template(b->scan, t, t->dir, &b->chain, n_base_disks(b),
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
	autofree char *path = NULL;

	if (read_dockerfile(b, &path, e) || open_context(b, path, e))
		return -1;
	if (make_plan(b, e))
		return -1;
	if (compute_keys(b, e) || find_cached(b, e))
		return -1;
	if (choose_start(b, e))
		return -1;
	if (host_open(b->store, &b->host, e) ||
	    host_find_guest(b->host, b->store, b->o->kernel, e))
		return -1;
	if (ensure_base(b, e) || choose_disk(b, e))
		return -1;
	for (size_t i = 0; i < n_base_disks(b); i++)
		secret_scan_add_base(b->scan, b->chain.paths.at[i]);
	if (run_steps(b, e))
		return -1;
	if (find_or_make_template(b, ret, e))
		return err_wrap(e, "making the template");
	ret->n_steps = b->plan->steps.n;
	ret->n_cached = b->n_cached;
	return 0;
}

/* The lines at fault, above the error; and their place in front of it. */
static void show_place(struct build *b, struct err **e)
{
	autostr block = STR_INIT;

	if (!b->where.line || !b->df)
		return;
	dockerfile_excerpt(b->df, b->file_name, b->where.line, b->where.end_line, &block);
	progress_block(b->progress, block.at);
	err_wrap(e, "%s:%d", b->file_name, b->where.line);
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

	chain_release(&b->chain);
	base_free(take(b->base));
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
