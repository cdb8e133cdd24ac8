/*
 * job.h - one blob of a fetch, from wherever it is to those who read it (flow.h).
 *
 * Threads: one runs it; done_bytes can be read by any. What else changes meanwhile is under
 *          the lock of whoever owns the job.
 */
#ifndef OCI_JOB_H
#define OCI_JOB_H

#include <stdatomic.h>
#include <stdbool.h>

#include "oci/flow.h"
#include "oci/oci.h"
#include "oci/registry.h"

enum job_state { JOB_WAITS, JOB_RUNS, JOB_DONE };

struct job {
	struct oci_fetch *fetch;       /* the owner */
	const struct oci_layer *layer; /* the first one with this blob */
	const struct oci_opts *o;
	struct registry *registry;
	bool (*is_stopped)(void *fetch); /* the owner's answer */
	struct flow *flow;
	enum job_state state; /* under the owner's lock */
	bool is_local;        /* it was here before */
	bool is_brought;      /* by us, verified, in blob_dir; once it is done */
	atomic_llong done_bytes;
	int64_t shown_bytes; /* the caller's thread only */
};

/* Opens what is here: the bytes are not looked at. */
int job_open(struct job *j, const char *path, int64_t offset_bytes, struct err **e);
/* Brings the blob to its verified end, into blob_dir or past it, as the options say. */
int job_run(struct job *j, struct http *h, struct err **e);

#endif
