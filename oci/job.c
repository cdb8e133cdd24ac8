#include "oci/job.h"

#include <fcntl.h>

#include "oci/blobs.h"
#include "oci/blobsum.h"

/* A blob on its way from the network. */
struct arrival {
	struct job *job;
	struct blob_writer *writer; /* NULL: it isn't kept */
	struct blobsum *sum;        /* then */
};

static int arrival_add(void *arg, const void *bytes, size_t n, struct err **e)
{
	struct arrival *a = arg;

	if (a->writer) {
		if (blob_writer_add(a->writer, bytes, n, e))
			return -1;
	} else {
		if (blobsum_expect(a->sum, n, e))
			return -1;
		blobsum_add(a->sum, bytes, n);
	}
	a->job->done_bytes += (long long)n;
	return flow_add(a->job->flow, bytes, n) ? 0 : err_set(e, ERR_NET, "stopped");
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
	struct arrival a = { .job = job };
	autoblobsum sum = { .hash = NULL };

	blobsum_init(&sum, job->layer->digest, job->layer->size_bytes);
	a.sum = &sum;
	if (download(h, &a, e) || blobsum_end(&sum, e))
		return -1;
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
						   .is_stopped = job->is_stopped,
						   .arg = job->fetch },
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
