/* cmd_inspect.c - `kiln inspect NAME`: what template.json says, for people or as it is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "builder/commands.h"
#include "builder/human.h"
#include "snapshot/store.h"

static void print_json(const struct tmpl *t)
{
	AUTO(json) o = tmpl_to_json(t);
	autofree char *text = NULL;

	json_put(o, "directory", json_from_str(t->dir));
	text = json_text_indented(o);
	puts(text);
}

/* Values come from images: no control bytes on a terminal. */
static void line(const char *label, const char *value)
{
	autostr s = STR_INIT;

	str_add_visible(&s, value, strlen(value));
	printf("%-12s %s\n", label, s.at);
}

static void line_take(const char *label, char *take_value)
{
	line(label, take_value);
	free(take_value);
}

/* An argument list with quotes where a shell would need them. */
static char *words(const struct strv *v)
{
	autostr s = STR_INIT;

	for (size_t i = 0; i < v->n; i++) {
		const char *word = v->at[i];
		bool is_plain = *word && !strpbrk(word, " \t\n'\"\\$`;&|<>()*?[]#~{}!");

		str_add(&s, i ? " " : "");
		if (is_plain) {
			str_add(&s, word);
			continue;
		}
		str_addc(&s, '\'');
		for (; *word; word++)
			str_addn(&s, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : 1);
		str_addc(&s, '\'');
	}
	return str_take(&s);
}

static void print_strings(const char *label, const struct json *config, const char *key)
{
	struct err *ignored = NULL;
	autostrv v = STRV_INIT;

	if (json_opt_strv(config, key, &v, &ignored) == 0 && v.n) {
		line_take(label, words(&v));
	}
	err_drop(&ignored);
}

static void print_string(const char *label, const struct json *config, const char *key)
{
	struct err *ignored = NULL;
	const char *s = "";

	if (json_opt_str(config, key, &s, &ignored) == 0 && *s)
		line(label, s);
	err_drop(&ignored);
}

static void print_env(const struct json *config)
{
	struct err *ignored = NULL;
	autostrv env = STRV_INIT;

	if (json_opt_strv(config, "Env", &env, &ignored) == 0)
		for (size_t i = 0; i < env.n; i++)
			line(i ? "" : "Environment", env.at[i]);
	err_drop(&ignored);
}

static void print_sizes(const struct tmpl *t)
{
	autofree char *ram = str_human_bytes((unsigned long long)t->memory_mib << 20),
		      *stored = str_human_bytes(t->memory_stored_bytes),
		      *state = str_human_bytes(t->state_bytes),
		      *disk = str_human_bytes(t->disk_bytes),
		      *on_disk = str_human_bytes(t->disk_stored_bytes);

	line_take("Machine", xasprintf("%u CPU%s, %s memory, %s disk", t->cpus,
				       t->cpus == 1 ? "" : "s", ram, disk));
	line_take("Stored",
		  xasprintf("memory %s, device state %s, disks %s in %zu layer%s", stored,
			    state, on_disk, t->chain.n + 1, t->chain.n ? "s" : ""));
}

static void print_summary(const struct tmpl *t)
{
	autofree char *age = human_age(t->created_sec, time(NULL)),
		      *when = human_time(t->created_sec), *ready = human_ms(t->ready_ms),
		      *snapshot = human_ms(t->snapshot_ms);

	line("Name", t->name);
	line("Id", t->id);
	line_take("Created", xasprintf("%s (%s)", when, age));
	line_take("Base", xasprintf("%s%s%s", t->base_name, *t->base_digest ? " " : "",
				    t->base_digest));
	print_sizes(t);
	if (t->start.n)
		line_take("Start", words(&t->start));
	if (*t->ready)
		line_take("Ready", xasprintf("%s, after %s", t->ready, ready));
	line("Snapshot", snapshot);
	print_string("User", t->config, "User");
	print_string("Directory", t->config, "WorkingDir");
	print_strings("Entrypoint", t->config, "Entrypoint");
	print_strings("Command", t->config, "Cmd");
	print_env(t->config);
	line_take("Made by",
		  xasprintf("kiln %s, %s, %s", t->kiln_version, t->vmm_version, t->accel));
	line("Kept in", t->dir);
}

int cmd_inspect(const struct command *self, int argc, char **argv, struct err **e)
{
	AUTO(store) store = NULL;
	AUTO(tmpl) t = NULL;
	autostrv operands = STRV_INIT;
	bool is_json = false;
	const struct option_def defs[] = {
		{ 0, "json", OPTION_BOOL, &is_json, NULL,
		  "print template.json and where the template is kept" },
		{ 0 },
	};
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	interrupt_start_guard();
	if (options_check_operands(self, &operands, 1, 1, e) || store_open(NULL, &store, e) ||
	    store_template_open(store, operands.at[0], &t, e))
		return -1;
	if (is_json)
		print_json(t);
	else
		print_summary(t);
	return 0;
}
