/*
 * secret_scan.h - no secret stays in what a build leaves behind.
 *
 * Looked at: the Dockerfile and the configuration, each step's output while it is shown and its
 * block layer before it is recorded, and before a template is: layers from the cache, its own
 * disk, memory, device state, description, logs. Disks and memory are searched as files, so
 * what was deleted in the guest, or freed, counts.
 *
 * Secret:  leading and trailing white space aside; in each form of secret_forms.h. One of more
 * than SECRET_WHOLE_BYTES is looked for in pieces, since a file or memory is scattered over
 * pages: it is there when half of its pieces are in one place. One of less than SCAN_MIN_BYTES
 * bytes, or SECRET_MIN_DISTINCT different ones, can't be told from chance: a warning says that
 * it isn't looked for. One that the base image holds is no secret, and finding it no proof: a
 * warning says so.
 *
 * NULL:    without secrets there is no struct secret_scan; every function takes NULL, and does
 * nothing then.
 *
 * Threads: any.
 */
#ifndef BUILDER_SECRET_SCAN_H
#define BUILDER_SECRET_SCAN_H

#include "base/err.h"
#include "builder/secret_forms.h"
#include "context/secret.h"
#include "progress/progress.h"

enum { SECRET_WHOLE_BYTES = 512, SECRET_PIECE_BYTES = 256, SECRET_MIN_DISTINCT = 4 };

struct secret_scan;

/* NULL if there is nothing to look for. Borrows both while it lives. */
struct secret_scan *secret_scan_new(const struct secrets *secrets, struct progress *p);
void secret_scan_free(struct secret_scan *s);
DEFINE_AUTO(secret_scan)

/* A disk that was there before the first step. */
void secret_scan_add_base(struct secret_scan *s, const char *path);

/*
 * ERR_STEP: `the secret "token" is in WHERE (in base64): ...`. where: "the output of this
 * step".
 */
int secret_scan_text(struct secret_scan *s, const char *text, size_t n, const char *where,
		     struct err **e);
int secret_scan_file(struct secret_scan *s, const char *path, const char *where,
		     struct err **e);
/* If the file is there. */
int secret_scan_optional(struct secret_scan *s, const char *path, const char *where,
			 struct err **e);

/* For secret_filter.h, which searches a stream: how many marks there are, what those that were
 * found mean, and every pattern. Not with NULL. */
size_t secret_scan_count(const struct secret_scan *s);
int secret_scan_judge(struct secret_scan *s, const uint8_t *found, const char *where,
		      struct err **e);
struct secret_pattern {
	size_t secret;              /* its number */
	size_t mark;                /* one for each piece and form */
	const unsigned char *bytes; /* lent for the call */
	size_t n;
	bool may_be_wrapped;
};
void secret_scan_each(const struct secret_scan *s,
		      void (*each)(void *arg, const struct secret_pattern *p), void *arg);
const char *secret_scan_id(const struct secret_scan *s, size_t n);

#endif
