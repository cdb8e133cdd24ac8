#include "builder/build.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "builder/cache_limit.h"
#include "builder/diagnose.h"
#include "builder/graph.h"
#include "builder/machine.h"
#include "builder/recipe.h"
#include "builder/record_keep.h"
#include "builder/record_take.h"
#include "builder/secret_check.h"
#include "builder/turn.h"
#include "progress/progress.h"
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
	struct recipe in;
	uint64_t disk_bytes;
	struct host *host;
	struct strv start;
	struct ready ready;
	struct tmpl *made; /* NULL: none, or it was there */
	int64_t started_ms;
};

static void build_release(struct build *b)
{
	tmpl_free(b->made);
	ready_release(&b->ready);
	strv_release(&b->start);
	host_free(b->host);
	recipe_release(&b->in);
	secret_scan_free(b->scan);
	progress_free(b->progress);
	free(b->log_path);
	free(b->who);
	store_free(b->store);
}

/* Those that were there before the first step. */
static size_t n_base_disks(const struct build *b)
{
	return recipe_base(&b->in)->tmpl ? recipe_base(&b->in)->tmpl->chain.n : 1;
}

/* ---- start and ready ---- */

static int choose_start(struct build *b, struct err **e)
{
	const struct oci_config *config = &recipe_target(&b->in)->config;
	const struct tmpl *parent = recipe_base(&b->in)->tmpl;

	b->ready = b->o->ready;
	b->ready.what = b->o->ready.what ? xstrdup(b->o->ready.what) : NULL;
	if (b->o->start_command) {
		service_shell(config, b->o->start_command, &b->start);
		return 0;
	}
	/* A template built from a template goes on as its parent does, unless it is told
	 * otherwise. */
	if (parent && !recipe_target(&b->in)->has_own_command && parent->start.n) {
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
	AUTO(json) config = oci_config_to_json(&recipe_target(&b->in)->config);
	autofree char *config_text = json_text(config);
	autofree char *ready = ready_text(&b->ready);

	sha256_add_field(h, "kiln-template-1");
	sha256_add_field(h, chain_top(recipe_chain(&b->in))->key);
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
	struct service_opts service = { &b->start,
					NULL,
					&recipe_target(&b->in)->config,
					&b->ready,
					b->o->ready_timeout_sec,
					b->scan };
	struct timespec from, to;
	struct machine_opts mo = {
		.cpus = b->o->cpus,
		.memory_mib = b->o->memory_mib,
		.disk_bytes = b->disk_bytes,
		.chain = recipe_chain(&b->in)->paths.at,
		.n_chain = recipe_chain(&b->in)->paths.n,
		.overlay_path = overlay,
		.ram_path = ram,
		.is_saved = true,
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
	for (size_t i = 0; i < recipe_chain(&b->in)->paths.n; i++)
		t->disk_stored_bytes += stored_bytes(recipe_chain(&b->in)->paths.at[i]);
	return fs_write_atomic(log_path, log.at, log.len, 0600, e);
}

static void describe(struct build *b, struct tmpl *t, const cachekey key)
{
	free(t->name);
	t->name = xstrdup(b->o->names.n ? b->o->names.at[0] : "");
	t->key = xstrdup(key);
	t->created_sec = time(NULL);
	t->base_name = xstrdup(recipe_base(&b->in)->name);
	t->base_digest = xstrdup(recipe_base(&b->in)->digest);
	vec_each (disk, &recipe_chain(&b->in)->disks)
		vec_push(&t->chain, xstrdup((*disk)->id));
	t->disk_bytes = b->disk_bytes;
	t->cpus = b->o->cpus;
	t->memory_mib = b->o->memory_mib;
	t->config = oci_config_to_json(&recipe_target(&b->in)->config);
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
	if (secret_check_template(b->scan, t, dir, recipe_chain(&b->in), n_base_disks(b),
				  b->leaky_disk, e))
		return -1;
	if (store_template_add(b->store, t, dir, b->o->names.n ? b->o->names.at[0] : NULL, e))
		return -1;
	progress_done(b->progress);
	*ret = take(t);
	return 0;
}

/* ---- the road ---- */

/* A FROM and the steps of each stage, and the three of the template; machines come as needed.
 */
static void expect(const struct recipe *in)
{
	size_t n = 3;

	for (size_t i = 0; i < in->plan->n_stages; i++)
		n += in->graph.stages[i].n_steps + (in->graph.stages[i].base != NULL);
	progress_expect(in->progress, n);
}

/* A shell in the machine that failed has the terminal for itself: no other runs then. */
static unsigned count_machines(const struct build_opts *o)
{
	if (o->has_shell_on_error)
		return 1;
	return o->max_parallelism ? o->max_parallelism : crew_machines_of_host(o->memory_mib);
}

static int run_steps(struct build *b, struct err **e)
{
	AUTO(crew) crew = crew_new(count_machines(b->o));
	struct steps_opts so = {
		.graph = &b->in.graph,
		.crew = crew,
		.host = b->host,
		.secrets = &b->o->secrets,
		.ssh = b->o->ssh,
		.scan = b->scan,
		.cpus = b->o->cpus,
		.memory_mib = b->o->memory_mib,
		.disk_bytes = b->o->disk_bytes,
		.step_timeout_sec = b->o->step_timeout_sec,
		.has_shell_on_error = b->o->has_shell_on_error,
	};

	expect(&b->in);
	if (graph_complete(&so, b->in.plan->target, e))
		return -1;
	return steps_disk_bytes(&so, recipe_chain(&b->in), recipe_base(&b->in)->name,
				&b->disk_bytes, e);
}

static int find_or_make_template(struct build *b, struct build_result *ret, struct err **e)
{
	bool is_uncached = b->in.graph.stages[b->in.plan->target].is_uncached;
	struct turn_opts to = { b->store, b->who, b->progress, NULL };
	AUTO(store_key) turn = NULL;
	AUTO(tmpl) t = NULL;
	cachekey key;
	int found = 0;

	template_key(b, key);
	if (!is_uncached)
		found = store_template_find_key(b->store, key, &t, e);
	if (!found && !is_uncached)
		found = turn_take(&to, key, &turn, e)
				? -1
				: store_template_find_key(b->store, key, &t, e);
	if (found < 0)
		return -1;
	ret->is_cached = found;
	if (found) {
		progress_begin(b->progress, "[final] snapshot %s", t->id);
		if (secret_check_template(b->scan, t, t->dir, recipe_chain(&b->in),
					  n_base_disks(b), b->leaky_disk, e))
			return -1;
		progress_cached(b->progress);
	} else if (make_template(b, key, &t, e)) {
		return -1;
	}
	for (size_t i = found ? 0 : 1; i < b->o->names.n; i++)
		if (store_template_name(b->store, t->id, b->o->names.at[i], e))
			return -1;
	snprintf(ret->id, sizeof(ret->id), "%s", t->id);
	if (!found)
		b->made = take(t);
	return 0;
}

/* Dockerfile in, named template out. One line per stage, in the order they happen. */
static int build(struct build *b, struct build_result *ret, struct err **e)
{
	if (recipe_read(&b->in, e))
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
	graph_count(&b->in.graph, &ret->n_steps, &ret->n_cached);
	return 0;
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
	autofree char *context = record_context(b->o->context_dir);

	if (store_open(NULL, &b->store, e) ||
	    store_build_begin(b->store, name, context, b->build_id, &b->log_path, e))
		return -1;
	if (progress_new(b->o->progress, b->log_path, &b->progress, e))
		return -1;
	b->who = name ? xasprintf("the build of %s", name) : xstrdup("another build");
	b->scan = secret_scan_new(&b->o->secrets, b->progress);
	b->in = (struct recipe){ .o = b->o,
				 .store = b->store,
				 .progress = b->progress,
				 .scan = b->scan,
				 .who = b->who };
	return 0;
}

/* Without it the build is what it is, and can't be explained later. */
static void keep_record(struct build *b, const struct build_result *ret, const char *why)
{
	struct build_end how = { .build_id = b->build_id,
				 .name = ret->names.n ? ret->names.at[0] : NULL,
				 .why = why,
				 .is_leaky = *b->leaky_disk,
				 .start = &b->start,
				 .total_ms = clock_ms() - b->started_ms,
				 .tmpl = b->made };
	struct err *ignored = NULL;

	if (record_keep(&b->in, &how, &ignored)) {
		autofree char *text = err_text(ignored);

		log_debug("the build's record: %s", text);
		err_drop(&ignored);
	}
}

/* The one command that helps now. */
static void show_next(struct build *b, const struct err *e)
{
	autofree char *command = failure_next_command(e->code, b->build_id,
						      recipe_failed_step(&b->in, NULL) != NULL);

	if (command)
		progress_hint(b->progress, command);
}

/* The build's record says how it ended, and its log why. */
static void end(struct build *b, bool has_failed, const struct build_result *ret,
		struct err **e)
{
	struct err *ignored = NULL;
	autofree char *text = NULL;

	if (!b->progress)
		return;
	if (has_failed) {
		recipe_show_place(&b->in, e);
		show_next(b, *e);
		text = err_text(*e);
		progress_end(b->progress, text);
	}
	keep_record(b, ret, text);
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

	graph_release(&b->in.graph);
	b->in.graph = (struct graph){ 0 };
	if (b->progress && trim_cache(b, is_unchanged, &why)) {
		autofree char *text = err_text(why);

		progress_warn(b->progress, "%s", text);
	}
}

int build_template(const struct build_opts *o, struct build_result *ret, struct err **e)
{
	struct build b = { .o = o };
	int failed;

	b.started_ms = clock_ms();
	*ret = (struct build_result){ 0 };
	failed = image_check_contexts(&o->contexts, e) || normalise_names(o, ret, e) ||
		 begin(&b, ret, e) || build(&b, ret, e);
	end(&b, failed, ret, e);
	end_cache(&b, ret->is_cached);
	build_release(&b);
	ret->seconds = (double)(clock_ms() - b.started_ms) / 1e3;
	return failed ? -1 : 0;
}

void build_result_release(struct build_result *r)
{
	strv_release(&r->names);
}
