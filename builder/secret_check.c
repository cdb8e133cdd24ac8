#include "builder/secret_check.h"

#include <stdio.h>
#include <string.h>

static int check_words(struct secret_scan *scan, const struct strv *words, const char *where,
		       struct err **e)
{
	for (size_t i = 0; i < words->n; i++)
		if (secret_scan_text(scan, words->at[i], strlen(words->at[i]), where, e))
			return -1;
	return 0;
}

static int check_json(struct secret_scan *scan, const struct json *j, const char *where,
		      struct err **e)
{
	autofree char *text = json_text(j);

	return secret_scan_text(scan, text, strlen(text), where, e);
}

static int check_step(struct secret_scan *scan, const struct step *step, struct err **e)
{
	if (secret_scan_text(scan, step->text, strlen(step->text), "the text of this step",
			     e) ||
	    check_words(scan, &step->argv, "the command of this step", e) ||
	    check_words(scan, &step->env, "the environment of this step", e))
		return -1;
	return 0;
}

static int check_stage(struct secret_scan *scan, const struct plan_stage *s,
		       struct plan_where *where, struct err **e)
{
	vec_each (step, &s->steps) {
		if (check_step(scan, step, e)) {
			*where = step->where;
			return -1;
		}
	}
	return 0;
}

int secret_check_plan(struct secret_scan *scan, const struct plan *plan,
		      struct plan_where *where, struct err **e)
{
	AUTO(json) config = NULL;

	const struct plan_stage *config_of = &plan->stages[plan->target];

	if (!scan)
		return 0;
	for (size_t i = 0; i < plan->n_stages; i++)
		if (check_stage(scan, &plan->stages[i], where, e))
			return -1;
	/* As they are too: JSON escapes some bytes. */
	if (check_words(scan, &config_of->config.env, "the environment of the image", e) ||
	    check_words(scan, &config_of->config.cmd, "CMD of the image", e) ||
	    check_words(scan, &config_of->config.entrypoint, "ENTRYPOINT of the image", e))
		return -1;
	config = oci_config_to_json(&config_of->config);
	return check_json(scan, config, "the configuration of the image", e);
}

static int check_layers(struct secret_scan *scan, const struct chain *chain, size_t n_base,
			char ret_disk[STORE_ID_MAX], struct err **e)
{
	for (size_t i = n_base; i < chain->disks.n; i++) {
		const struct store_disk *disk = chain->disks.at[i];
		autofree char *where = xasprintf("what \"%s\" wrote to the disk", disk->what);

		if (secret_scan_file(scan, disk->path, where, e)) {
			snprintf(ret_disk, STORE_ID_MAX, "%s", disk->id);
			return -1;
		}
	}
	return 0;
}

int secret_check_template(struct secret_scan *scan, const struct tmpl *t, const char *dir,
			  const struct chain *chain, size_t n_base, char ret_disk[STORE_ID_MAX],
			  struct err **e)
{
	static const struct {
		const char *name, *where;
	} files[] = {
		{ "disk.qcow2", "what the start command wrote to the disk" },
		{ "ram", "the memory of the template" },
		{ "state", "the device state of the template" },
		{ "build.log", "the build log" },
		{ "start.log", "the start log" },
	};
	AUTO(json) about = NULL;

	*ret_disk = '\0';
	if (!scan)
		return 0;
	about = tmpl_to_json(t);
	if (check_json(scan, about, "the description of the template", e) ||
	    check_layers(scan, chain, n_base, ret_disk, e))
		return -1;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		autofree char *path = xasprintf("%s/%s", dir, files[i].name);

		if (secret_scan_optional(scan, path, files[i].where, e))
			return -1;
	}
	return 0;
}
