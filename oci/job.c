#include "oci/job.h"

#include <fcntl.h>
#include <string.h>

#include "oci/blobs.h"
#include "oci/digest.h"

/* A blob on its way from the network. */
struct arrival {
	struct job *job;
	struct blob_writer *writer; /* NULL: it isn't kept */
	struct sha256 *hash;        /* then */
};

static int arrival_add(void *arg, const void *bytes, size_t n, struct err **e)
{
	struct arrival *a = arg;
	struct job *job = a->job;

	if (a->writer) {
		if (blob_writer_add(a->writer, bytes, n, e))
			return -1;
	} else if ((long long)n > job->layer->size_bytes - job->done_bytes) {
		return err_set(e, ERR_CORRUPT, "it is larger than the announced %lld bytes",
			       (long long)job->layer->size_bytes);
	} else {
		sha256_add(a->hash, bytes, n);
	}
	job->done_bytes += (long long)n;
	return flow_add(job->flow, bytes, n) ? 0 : err_set(e, ERR_NET, "stopped");
}

static int download(struct http *h, struct arrival *a, struct err **e)
{
	const struct oci_layer *layer = a->job->layer;

	return registry_get_blob(a->job->registry, h,
				 &(struct registry_blob){ .digest = layer->digest,
							  .size_bytes = layer->size_bytes,
							  .urls = &layer->urls,
							  .sink = { arrival_add, a } },
				 e);
}

/* Nothing is written: what nobody reads waits. */
static int pass_on(struct http *h, struct job *job, struct err **e)
{
	AUTO(sha256) hash = sha256_new();
	struct arrival a = { .job = job, .hash = hash };
	char got[OCI_DIGEST_MAX];

	if (download(h, &a, e))
		return -1;
	oci_digest_end(hash, got);
	if (job->done_bytes != job->layer->size_bytes)
		return err_set(e, ERR_CORRUPT,
			       "it has %lld bytes instead of the announced %lld",
			       (long long)job->done_bytes, (long long)job->layer->size_bytes);
	if (!streq(got, job->layer->digest))
		return err_set(e, ERR_CORRUPT, "its digest is %s, it should be %s", got,
			       job->layer->digest);
	flow_end(job->flow);
	return 0;
}

int job_open(struct job *job, const char *path, int64_t offset_bytes, struct err **e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "opening %s", path);
	flow_set_whole(job->flow, fd, offset_bytes);
	job->done_bytes = job->layer->size_bytes;
	return 0;
}

static bool is_stopped(void *arg)
{
	const struct job *job = arg;

	return *job->is_stopped;
}

static int store(struct http *h, struct job *job, struct err **e)
{
	const struct oci_layer *layer = job->layer;
	const struct oci_opts *o = job->o;
	AUTO(blob_writer) writer = NULL;
	struct arrival a = { .job = job };
	int claimed, fd;

	claimed = blob_claim(&(struct blob_claim){ .dir = o->blob_dir,
						   .digest = layer->digest,
						   .size_bytes = layer->size_bytes,
						   .patience_sec = http_stall_sec(o->stall_sec),
						   .is_stopped = is_stopped,
						   .arg = job },
			     &writer, e);
	if (claimed < 0)
		return -1;
	if (!claimed) {
		autofree char *path = blob_path(o->blob_dir, layer->digest);

		return job_open(job, path, 0, e);
	}
	if (blob_writer_reader(writer, &fd, e))
		return -1;
	flow_set_growing(job->flow, fd);
	a.writer = writer;
	if (download(h, &a, e) || blob_writer_check(writer, e))
		return -1;
	flow_end(job->flow); /* readers needn't wait for the disk */
	if (blob_writer_end(writer, e))
		return -1;
	job->is_brought = true;
	return 0;
}

int job_run(struct job *job, struct http *h, struct err **e)
{
	int failed = job->o->is_kept ? store(h, job, e) : pass_on(h, job, e);

	return failed ? err_wrap(e, "layer %s", job->layer->digest) : 0;
}
