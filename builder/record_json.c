/* record_json.c - a record as JSON and back: a table of members for each struct. */
#include <string.h>

#include "builder/record.h"

enum field_kind {
	FIELD_STR,
	FIELD_STRV,
	FIELD_BOOL,
	FIELD_KEY,
	FIELD_I64,
	FIELD_U64,
	FIELD_UINT,
	FIELD_SIZE,
	FIELD_INT
};

struct field {
	const char *name; /* NULL ends the table */
	enum field_kind kind;
	size_t at;
};

#define FIELD(type, member, name, kind)                   \
	{                                                 \
		name, kind, offsetof(struct type, member) \
	}

static const struct field record_fields[] = {
	FIELD(record, context_dir, "context", FIELD_STR),
	FIELD(record, dockerfile, "dockerfile", FIELD_STR),
	FIELD(record, names, "names", FIELD_STRV),
	FIELD(record, build_args, "buildArgs", FIELD_STRV),
	FIELD(record, lost_args, "buildArgsLeftOut", FIELD_STRV),
	FIELD(record, contexts, "buildContexts", FIELD_STRV),
	FIELD(record, labels, "labels", FIELD_STRV),
	FIELD(record, secret_ids, "secrets", FIELD_STRV),
	FIELD(record, target, "target", FIELD_STR),
	FIELD(record, has_no_cache, "noCache", FIELD_BOOL),
	FIELD(record, disk_bytes, "diskBytes", FIELD_U64),
	FIELD(record, cpus, "cpus", FIELD_UINT),
	FIELD(record, memory_mib, "memoryMib", FIELD_UINT),
	FIELD(record, kiln_version, "kilnVersion", FIELD_STR),
	FIELD(record, total_ms, "milliseconds", FIELD_I64),
	FIELD(record, disk_used_bytes, "diskStoredBytes", FIELD_U64),
	FIELD(record, memory_bytes, "memoryStoredBytes", FIELD_U64),
	{ 0 },
};
static const struct field stage_fields[] = {
	FIELD(record_stage, label, "stage", FIELD_STR),
	FIELD(record_stage, image, "from", FIELD_STR),
	FIELD(record_stage, digest, "digest", FIELD_STR),
	{ 0 },
};
static const struct field step_fields[] = {
	FIELD(record_step, text, "instruction", FIELD_STR),
	FIELD(record_step, line, "line", FIELD_INT),
	FIELD(record_step, key, "key", FIELD_KEY),
	FIELD(record_step, n_more_files, "filesLeftOut", FIELD_SIZE),
	FIELD(record_step, run_ms, "milliseconds", FIELD_I64),
	FIELD(record_step, layer_bytes, "layerBytes", FIELD_U64),
	FIELD(record_step, used_bytes, "usedBytes", FIELD_U64),
	FIELD(record_step, used_inodes, "usedInodes", FIELD_U64),
	{ 0 },
};
static const struct field failure_fields[] = {
	FIELD(record_failure, stage, "stage", FIELD_SIZE),
	FIELD(record_failure, step, "step", FIELD_SIZE),
	FIELD(record_failure, text, "instruction", FIELD_STR),
	FIELD(record_failure, why, "error", FIELD_STR),
	FIELD(record_failure, disk, "disk", FIELD_STR),
	FIELD(record_failure, argv, "argv", FIELD_STRV),
	FIELD(record_failure, env, "env", FIELD_STRV),
	FIELD(record_failure, lost_env, "envLeftOut", FIELD_STRV),
	FIELD(record_failure, user, "user", FIELD_STR),
	FIELD(record_failure, cwd, "cwd", FIELD_STR),
	FIELD(record_failure, script_name, "scriptName", FIELD_STR),
	FIELD(record_failure, script, "script", FIELD_STR),
	FIELD(record_failure, has_no_network, "noNetwork", FIELD_BOOL),
	{ 0 },
};
static const struct field mount_fields[] = {
	FIELD(record_mount, kind, "type", FIELD_STR),
	FIELD(record_mount, target, "target", FIELD_STR),
	FIELD(record_mount, source, "source", FIELD_STR),
	FIELD(record_mount, id, "id", FIELD_STR),
	FIELD(record_mount, env, "env", FIELD_STR),
	FIELD(record_mount, from, "from", FIELD_STR),
	FIELD(record_mount, from_key, "fromKey", FIELD_STR),
	FIELD(record_mount, from_disk, "fromDisk", FIELD_STR),
	FIELD(record_mount, is_writable, "writable", FIELD_BOOL),
	FIELD(record_mount, is_required, "required", FIELD_BOOL),
	FIELD(record_mount, size_bytes, "sizeBytes", FIELD_U64),
	FIELD(record_mount, mode, "mode", FIELD_UINT),
	FIELD(record_mount, uid, "uid", FIELD_UINT),
	FIELD(record_mount, gid, "gid", FIELD_UINT),
	{ 0 },
};

static const char *const outcomes[STEP_OUTCOMES] = { "not reached", "cached", "run", "failed" };

/* ---- writing ---- */

/* Those that fit JSON's integers; ours always do. */
static void put_field(struct json *o, const struct field *f, const void *at)
{
	switch (f->kind) {
	case FIELD_STR:
		if (*(char *const *)at)
			json_put(o, f->name, json_from_str(*(char *const *)at));
		break;
	case FIELD_STRV:
		if (((const struct strv *)at)->n)
			json_put(o, f->name, json_from_strv(at));
		break;
	case FIELD_BOOL:
		if (*(const bool *)at)
			json_put(o, f->name, json_from_bool(true));
		break;
	case FIELD_KEY:
		if (*(const char *)at)
			json_put(o, f->name, json_from_str(at));
		break;
	case FIELD_I64:
		if (*(const int64_t *)at >= 0)
			json_put(o, f->name, json_from_int(*(const int64_t *)at));
		break;
	case FIELD_U64:
		if (*(const uint64_t *)at)
			json_put(o, f->name, json_from_int((int64_t) * (const uint64_t *)at));
		break;
	case FIELD_UINT:
		json_put(o, f->name, json_from_int(*(const unsigned *)at));
		break;
	case FIELD_SIZE:
		json_put(o, f->name, json_from_int((int64_t) * (const size_t *)at));
		break;
	case FIELD_INT:
		json_put(o, f->name, json_from_int(*(const int *)at));
		break;
	}
}

static struct json *put_fields(const struct field *fields, const void *from)
{
	struct json *o = json_object_new();

	for (const struct field *f = fields; f->name; f++)
		put_field(o, f, (const char *)from + f->at);
	return o;
}

static struct json *step_to_json(const struct record_step *s)
{
	struct json *o = put_fields(step_fields, s), *parts = json_array_new();

	json_put(o, "outcome", json_from_str(outcomes[s->outcome]));
	vec_each (part, &s->parts) {
		struct json *p = json_object_new();

		json_put(p, "kind", json_from_str(part_kind_name(part->kind)));
		json_put(p, "name", json_from_str(part->name));
		json_put(p, part->is_digest ? "digest" : "value", json_from_str(part->value));
		json_push(parts, p);
	}
	json_put(o, "inputs", parts);
	return o;
}

static struct json *failure_to_json(const struct record_failure *f)
{
	struct json *o = put_fields(failure_fields, f), *mounts = json_array_new();

	vec_each (m, &f->mounts)
		json_push(mounts, put_fields(mount_fields, m));
	json_put(o, "mounts", mounts);
	return o;
}

struct json *record_to_json(const struct record *r)
{
	struct json *o = put_fields(record_fields, r), *stages = json_array_new();

	json_put(o, "format", json_from_int(RECORD_FORMAT));
	vec_each (stage, &r->stages) {
		struct json *s = put_fields(stage_fields, stage), *steps = json_array_new();

		vec_each (step, &stage->steps)
			json_push(steps, step_to_json(step));
		json_put(s, "steps", steps);
		json_push(stages, s);
	}
	json_put(o, "stages", stages);
	if (r->failure.is_there)
		json_put(o, "failure", failure_to_json(&r->failure));
	return o;
}

/* ---- reading ---- */

static int get_number(const struct json *o, const struct field *f, int64_t max, int64_t *ret,
		      struct err **e)
{
	if (json_opt_int(o, f->name, ret, e))
		return -1;
	if (*ret < 0 || *ret > max)
		return err_set(e, ERR_CORRUPT, "'%s' is out of range", f->name);
	return 0;
}

static int get_key(const struct json *o, const struct field *f, char *at, struct err **e)
{
	const char *text = "";

	if (json_opt_str(o, f->name, &text, e))
		return -1;
	if (strlen(text) != (*text ? SHA256_HEX : 0) || text[strspn(text, "0123456789abcdef")])
		return err_set(e, ERR_CORRUPT, "'%s' is no key", f->name);
	strcpy(at, text);
	return 0;
}

static int get_text(const struct json *o, const struct field *f, char **at, struct err **e)
{
	const char *text = "";

	if (json_opt_str(o, f->name, &text, e))
		return -1;
	*at = xstrdup(text);
	return 0;
}

static int get_field(const struct json *o, const struct field *f, void *at, struct err **e)
{
	int64_t n = 0;

	switch (f->kind) {
	case FIELD_STR:
		return get_text(o, f, at, e);
	case FIELD_STRV:
		return json_opt_strv(o, f->name, at, e);
	case FIELD_BOOL:
		return json_opt_bool(o, f->name, at, e);
	case FIELD_KEY:
		return get_key(o, f, at, e);
	case FIELD_I64:
		*(int64_t *)at = -1;
		if (!json_opt_int(o, f->name, at, e))
			return 0;
		return -1;
	case FIELD_U64:
		if (get_number(o, f, INT64_MAX, &n, e))
			return -1;
		*(uint64_t *)at = (uint64_t)n;
		return 0;
	case FIELD_UINT:
		if (get_number(o, f, UINT32_MAX, &n, e))
			return -1;
		*(unsigned *)at = (unsigned)n;
		return 0;
	case FIELD_SIZE:
		if (get_number(o, f, INT64_MAX, &n, e))
			return -1;
		*(size_t *)at = (size_t)n;
		return 0;
	case FIELD_INT:
		if (get_number(o, f, INT32_MAX, &n, e))
			return -1;
		*(int *)at = (int)n;
		return 0;
	}
	return 0;
}

static int get_fields(const struct json *o, const struct field *fields, void *to,
		      struct err **e)
{
	if (!json_holds_object(o))
		return err_set(e, ERR_CORRUPT, "an element is no object");
	for (const struct field *f = fields; f->name; f++)
		if (get_field(o, f, (char *)to + f->at, e))
			return -1;
	return 0;
}

static int find_word(const char *word, const char *const *words, size_t n, const char *what,
		     struct err **e)
{
	for (size_t i = 0; i < n; i++)
		if (streq(words[i], word))
			return (int)i;
	return err_set(e, ERR_CORRUPT, "'%s' is no %s", word, what);
}

static int read_part(const struct json *o, struct record_step *s, struct err **e)
{
	const char *names[PART_KINDS];
	const char *kind, *name, *value = NULL, *digest = NULL;
	struct record_part part = { 0 };
	int found;

	for (enum part_kind k = 0; k < PART_KINDS; k++)
		names[k] = part_kind_name(k);
	if (!json_holds_object(o))
		return err_set(e, ERR_CORRUPT, "an input is no object");
	if (json_get_str(o, "kind", &kind, e) || json_get_str(o, "name", &name, e) ||
	    json_opt_str(o, "value", &value, e) || json_opt_str(o, "digest", &digest, e))
		return -1;
	found = find_word(kind, names, PART_KINDS, "kind of input", e);
	if (found < 0)
		return -1;
	if (!value == !digest)
		return err_set(e, ERR_CORRUPT,
			       "an input has both a value and a digest, or neither");
	part = (struct record_part){ (enum part_kind)found, xstrdup(name),
				     xstrdup(value ? value : digest), !value };
	vec_push(&s->parts, part);
	return 0;
}

static int read_step(const struct json *o, struct record_step *s, struct err **e)
{
	const struct json *parts = NULL;
	const char *outcome;
	int found;

	if (get_fields(o, step_fields, s, e) || json_get_str(o, "outcome", &outcome, e) ||
	    json_get_array(o, "inputs", &parts, e))
		return -1;
	found = find_word(outcome, outcomes, STEP_OUTCOMES, "outcome", e);
	if (found < 0)
		return -1;
	s->outcome = (enum step_outcome)found;
	for (size_t i = 0; i < json_count(parts); i++)
		if (read_part(json_at(parts, i), s, e))
			return -1;
	return 0;
}

static int read_stage(const struct json *o, struct record_stage *stage, struct err **e)
{
	const struct json *steps = NULL;

	if (get_fields(o, stage_fields, stage, e) || json_get_array(o, "steps", &steps, e))
		return -1;
	if (json_count(steps) > RECORD_STEPS_MAX)
		return err_set(e, ERR_LIMIT, "a stage has more than %d steps",
			       RECORD_STEPS_MAX);
	for (size_t i = 0; i < json_count(steps); i++) {
		vec_push(&stage->steps, (struct record_step){ 0 });
		if (read_step(json_at(steps, i), &stage->steps.at[i], e))
			return -1;
	}
	return 0;
}

static int read_failure(const struct json *o, struct record_failure *f, struct err **e)
{
	const struct json *mounts = NULL;

	f->is_there = true;
	if (get_fields(o, failure_fields, f, e) || json_get_array(o, "mounts", &mounts, e))
		return -1;
	if (json_count(mounts) > RECORD_MOUNTS_MAX)
		return err_set(e, ERR_LIMIT, "a step has more than %d mounts",
			       RECORD_MOUNTS_MAX);
	for (size_t i = 0; i < json_count(mounts); i++) {
		vec_push(&f->mounts, (struct record_mount){ 0 });
		if (get_fields(json_at(mounts, i), mount_fields, &f->mounts.at[i], e))
			return -1;
	}
	return 0;
}

static int read_all(const struct json *o, struct record *r, struct err **e)
{
	const struct json *stages = NULL, *failure = NULL;
	int64_t format;

	if (!json_holds_object(o))
		return err_set(e, ERR_CORRUPT, "it is no JSON object");
	if (json_get_int(o, "format", &format, e))
		return -1;
	if (format != RECORD_FORMAT)
		return err_set(e, ERR_CORRUPT, "it was written by another version of kiln");
	if (get_fields(o, record_fields, r, e) || json_get_array(o, "stages", &stages, e) ||
	    json_opt_object(o, "failure", &failure, e))
		return -1;
	for (size_t i = 0; i < json_count(stages); i++) {
		vec_push(&r->stages, (struct record_stage){ 0 });
		if (read_stage(json_at(stages, i), &r->stages.at[i], e))
			return -1;
	}
	return failure ? read_failure(failure, &r->failure, e) : 0;
}

int record_parse(const char *bytes, size_t n, struct record **ret, struct err **e)
{
	AUTO(record) r = record_new();
	AUTO(json) j = NULL;

	if (n > RECORD_JSON_MAX)
		return err_set(e, ERR_LIMIT, "the record is larger than %d bytes",
			       RECORD_JSON_MAX);
	if (json_parse(bytes, n, "the record", &j, e) || read_all(j, r, e))
		return -1;
	*ret = take(r);
	return 0;
}
