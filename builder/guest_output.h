/*
 * guest_output.h - what a command in the guest prints, on its way to the progress and perhaps
 * to a log: secrets are taken out (secret_filter.h).
 */
#ifndef BUILDER_GUEST_OUTPUT_H
#define BUILDER_GUEST_OUTPUT_H

#include "builder/secret_scan.h"
#include "progress/progress.h"

struct guest_output;

/* All borrowed; scan may be NULL. Unless log is NULL, it gets a copy, as long as it has fewer
 * than log_max bytes. */
struct guest_output *guest_output_new(struct progress *p, struct secret_scan *scan,
				      struct str *log, size_t log_max);
void guest_output_free(struct guest_output *o);
DEFINE_AUTO(guest_output)
/* An on_output of struct agent_exec: arg is the guest_output. */
void guest_output_feed(void *arg, int stream, const char *bytes, size_t n);
/* No more will come; gives on what was held back. ERR_STEP if there was a secret in it. */
int guest_output_end(struct guest_output *o, const char *where, struct err **e);

#endif
