/*
 * secret_check.h - where in a build secrets are looked for, besides steps' layers and output.
 *
 * Errors: ERR_STEP: there is one, and in what. Without secrets (scan NULL) nothing is done.
 */
#ifndef BUILDER_SECRET_CHECK_H
#define BUILDER_SECRET_CHECK_H

#include "builder/chain.h"
#include "builder/plan.h"
#include "builder/secret_scan.h"

/* Steps' texts, commands and environments, and the configuration of the result: before anything
 * is run, since these are shown, logged and stored. */
int secret_check_plan(struct secret_scan *scan, const struct plan *plan,
		      struct plan_where *where, struct err **e);
/*
 * A template that lies in dir, on the chain: its description, disk, memory, device state, logs,
 * and the block layers above the first n_base disks, some of which may come from the cache of a
 * build that was given no secret: ret_disk is the id of such a one that holds it, else "".
 */
int secret_check_template(struct secret_scan *scan, const struct tmpl *t, const char *dir,
			  const struct chain *chain, size_t n_base, char ret_disk[STORE_ID_MAX],
			  struct err **e);

#endif
