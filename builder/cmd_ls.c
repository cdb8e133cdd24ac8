/* cmd_ls.c - `kiln ls`: one line for each name. */
#include <stdio.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "builder/commands.h"
#include "builder/human.h"
#include "snapshot/store.h"

enum { SHORT_ID = 12, COLUMNS = 9 };

static void add_row(struct strv *cells, const struct store_entry *t, bool is_whole_id)
{
	autofree char *age = human_age(t->created_sec, time(NULL)),
		      *memory = str_human_bytes((unsigned long long)t->memory_mib << 20),
		      *disk = str_human_bytes(t->disk_bytes),
		      *snapshot = str_human_bytes(t->memory_stored_bytes);

	strv_push(cells, *t->name ? t->name : "<none>");
	strv_pushf(cells, "%.*s", is_whole_id ? (int)STORE_ID_MAX : SHORT_ID, t->id);
	strv_push(cells, age);
	strv_pushf(cells, "%u", t->cpus);
	strv_push(cells, memory);
	strv_push(cells, disk);
	strv_push(cells, snapshot);
	strv_push(cells, *t->ready ? t->ready : "-");
	strv_push(cells, t->base_name);
}

static void print_table(const struct store_list *l, bool is_whole_id)
{
	static const char *const header[COLUMNS] = { "NAME",     "ID",     "CREATED",
						     "CPUS",     "MEMORY", "DISK",
						     "SNAPSHOT", "READY",  "BASE" };
	autostrv cells = STRV_INIT;

	for (size_t i = 0; i < COLUMNS; i++)
		strv_push(&cells, header[i]);
	vec_each (it, &l->entries)
		add_row(&cells, it, is_whole_id);
	human_table(&cells, COLUMNS, stdout);
}

static void print_json(const struct store_list *l)
{
	AUTO(json) array = json_array_new();
	autofree char *text = NULL;

	vec_each (it, &l->entries) {
		struct json *o = json_object_new();

		json_put(o, "name", json_from_str(*it->name ? it->name : NULL));
		json_put(o, "id", json_from_str(it->id));
		json_put(o, "createdSec", json_from_int(it->created_sec));
		json_put(o, "cpus", json_from_int(it->cpus));
		json_put(o, "memoryMib", json_from_int(it->memory_mib));
		json_put(o, "diskBytes", json_from_int((int64_t)it->disk_bytes));
		json_put(o, "memoryStoredBytes",
			 json_from_int((int64_t)it->memory_stored_bytes));
		json_put(o, "diskStoredBytes", json_from_int((int64_t)it->disk_stored_bytes));
		json_put(o, "base", json_from_str(it->base_name));
		json_put(o, "ready", json_from_str(it->ready));
		json_push(array, o);
	}
	text = json_text_indented(array);
	puts(text);
}

static void print_ids(const struct store_list *l)
{
	const char *last = "";

	/* Names of one template needn't stand together: ids may repeat, as in `docker images
	 * -q`. */
	vec_each (it, &l->entries) {
		if (!streq(last, it->id))
			puts(it->id);
		last = it->id;
	}
}

int cmd_ls(const struct command *self, int argc, char **argv, struct err **e)
{
	AUTO(store) store = NULL;
	struct store_list list = { 0 };
	autostrv operands = STRV_INIT;
	bool is_json = false, is_quiet = false, is_whole_id = false;
	const struct option_def defs[] = {
		{ 'q', "quiet", OPTION_BOOL, &is_quiet, NULL, "print ids only" },
		{ 0, "no-trunc", OPTION_BOOL, &is_whole_id, NULL, "print whole ids" },
		{ 0, "json", OPTION_BOOL, &is_json, NULL, "print a JSON array" },
		{ 0 },
	};
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	interrupt_start_guard();
	if (options_check_operands(self, &operands, 0, 0, e) || store_open(NULL, &store, e))
		return -1;
	status = store_list(store, &list, e) ? -1 : 0;
	if (status == 0) {
		if (is_json)
			print_json(&list);
		else if (is_quiet)
			print_ids(&list);
		else
			print_table(&list, is_whole_id);
	}
	store_list_release(&list);
	return status;
}
