/*
 * oci.h - an image reference becomes verified layer files and an image configuration.
 *
 * References:  `[host[:port]/]repo[:tag][@digest]` with Docker's defaults, and
 *              `oci:DIR[:TAG][@digest]`, an OCI image layout, also in a tar
 *              (`oci-archive:FILE..`), and `docker-archive:FILE[:TAG]` (oci/ref.h).
 * Shape:       oci_resolve() reads manifest and configuration only; oci_fetch() brings the
 *              layers. A build whose disk is cached never calls oci_fetch().
 * Blobs:       are kept in blob_dir/<hex of sha256>, under their final name only after their
 *              digest matched, synced. Layers of a layout or an archive are read in place:
 *              whoever reads them verifies (oci_layer.is_verified).
 * Trust:       everything from a registry or a layout is hostile; limits are the OCI_MAX_
 *              values here and in oci/manifest.h, oci/config.h.
 * Transport:   https; plain HTTP for loopback hosts (localhost, 127.0.0.0/8, ::1);
 *              oci/endpoint.h.
 * Mirrors:     oci/registries.h.
 * Credentials: oci/credentials.h.
 * Threads:     oci_fetch_begin() starts some, oci_fetch_end() or _free() has ended them when
 *              it returns; temporary files are removed on failure, on a signal
 *              (base/interrupt.h), and after SIGKILL by the next fetch.
 * Spec:        OCI image-spec v1.1 (manifest.md, config.md, image-layout.md),
 *              distribution-spec v1.1.
 */
#ifndef OCI_OCI_H
#define OCI_OCI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/vec.h"

enum {
	OCI_MAX_MANIFEST_BYTES = 4 << 20, /* distribution-spec: "at least 4 MiB" */
	OCI_MAX_CONFIG_BYTES = 8 << 20,
	OCI_MAX_LAYERS = 1000,
	OCI_DIGEST_MAX = 80, /* "sha256:" + 64 digits + NUL, rounded up */
};
#define OCI_MAX_LAYER_BYTES ((int64_t)1 << 38)

struct oci_opts {
	const char *blob_dir; /* exists; what it holds is used */
	bool is_kept; /* and what is fetched is put there; else nothing is written anywhere */
	const char *platform; /* "linux/amd64"; NULL is that */
	/* A name that stands for one image, without an index to choose from, gives it whatever
	 * it is for; else that is ERR_NOTFOUND. oci_image.platform tells. */
	bool takes_any_platform;
	/* Called from the thread that calls us; total is -1 while unknown. May be NULL. */
	void (*progress)(void *arg, const char *digest, int64_t done_bytes,
			 int64_t total_bytes);
	void *arg;
	const char *ca_file; /* PEM: further authorities to trust; NULL: none */
	bool is_insecure; /* any certificate will do, and plain HTTP where there is no HTTPS */
	int stall_sec;    /* no byte for so long ends a try; 0: 15 */
	int backoff_ms;   /* the first pause between two tries; 0: 500 */
	/* Asked about once a second, from any thread: true ends it all with ERR_NET "stopped".
	 * May be NULL. */
	bool (*is_stopped)(void *arg);
	void *stop_arg;
};

/* Image configuration as Docker means it; every list may be empty. */
struct oci_config {
	struct strv env; /* "KEY=value" */
	char *user;      /* "" if unset; never NULL */
	char *cwd;       /* WorkingDir, "" if unset */
	struct strv entrypoint;
	struct strv cmd;
	struct strv shell;  /* empty: the default */
	struct strv labels; /* "key=value" */
	struct strv ports;  /* "80/tcp", sorted */
	struct strv volumes;
	struct strv onbuild;
	char *stop_signal;        /* "" if unset */
	struct json *healthcheck; /* as in the config, or NULL */
};

struct oci_layer {
	char *path;           /* where the bytes are; NULL before oci_fetch() or if not kept */
	int64_t offset_bytes; /* in that file */
	char digest[OCI_DIGEST_MAX];  /* of the bytes as stored: "sha256:..."; "" if nobody says
				       */
	char diff_id[OCI_DIGEST_MAX]; /* of the uncompressed tar */
	char *media_type;
	int64_t size_bytes; /* as stored */
	struct strv urls;   /* of a layer that isn't to be distributed: where it is */
	/*
	 * The digest was checked while this call wrote the file. False for layers of a layout
	 * and for blobs that an earlier run left (checked then): the reader verifies.
	 */
	bool is_verified;
};

struct oci_image {
	char *name; /* normalised: "docker.io/library/debian:12", "oci:/dir:tag" */
	char digest[OCI_DIGEST_MAX]; /* of the platform's manifest; docker-archive: the image ID
				      */
	char config_digest[OCI_DIGEST_MAX]; /* the image ID */
	char *platform;                     /* "linux/amd64" */
	struct oci_config config;
	VEC(struct oci_layer) layers; /* lowest first */
};

/* The reference in full, without I/O but for the directory of a layout (made absolute): the key
 * under which a caller remembers it, and oci_image.name. The caller frees. ERR_USAGE. */
int oci_name(const char *ref, char **ret, struct err **e);

/* Does it name files of this machine? Then it means what they hold now. */
bool oci_is_local(const char *ref);

/*
 * ref may carry a digest: then manifest and config are taken from blob_dir when they are there,
 * without network. ERR_USAGE (malformed), ERR_NOTFOUND, ERR_AUTH, ERR_NET, ERR_CORRUPT,
 * ERR_LIMIT.
 */
int oci_resolve(const char *ref, const struct oci_opts *o, struct oci_image **ret,
		struct err **e);
/* Fills path of every layer; downloads what blob_dir doesn't have, each blob once, verified
 * while streaming. o->is_kept must be true. */
int oci_fetch(struct oci_image *image, const struct oci_opts *o, struct err **e);
/*
 * The same, with the bytes of each layer on the way: a running download, in threads. begin
 * starts it; layers that are local are just opened. A layer is downloaded in order of the
 * image, or when somebody reads it. With is_kept the blobs land in blob_dir, readers are served
 * from what was just written; without it a layer waits for its reader with FLOW_WINDOW_BYTES
 * (flow.h) in memory. Retries and resuming are done below this. image and what o points to
 * outlive it.
 */
struct oci_fetch;
int oci_fetch_begin(struct oci_image *image, const struct oci_opts *o, struct oci_fetch **ret,
		    struct err **e);
/*
 * The next bytes of layer `index`, in order, as stored (compressed); blocks until there are
 * some. 1 with bytes; 0 at the end of the layer, only after size and digest of the whole layer
 * matched (also of a local one); -1 (ERR_NET, ERR_AUTH, ERR_CORRUPT, ...). One reader per
 * layer; different layers may be read from different threads. Without is_kept a layer that is
 * there twice and larger than the window is fetched twice.
 */
int oci_fetch_read(struct oci_fetch *f, size_t index, void *buf, size_t cap, size_t *ret_n,
		   struct err **e);
/* Calls o->progress for what has come since it was last called. */
void oci_fetch_show(struct oci_fetch *f);
/*
 * Waits for what is left, showing progress: blobs that nobody read to the end are brought too
 * and get their names, and layers their path and is_verified; not kept, what nobody read is
 * left. Nobody may be reading any more. After a failure, of reading too, this is the first one
 * there was. Frees nothing.
 */
int oci_fetch_end(struct oci_fetch *f, struct err **e);
void oci_fetch_free(struct oci_fetch *f); /* stops what still runs */
DEFINE_AUTO(oci_fetch)

/*
 * After a reader found a layer corrupt: hashes the layers that are in blob_dir and not
 * verified, removes the bad ones, and empties all paths, so that oci_fetch() can be called
 * again. Returns how many were removed (0: the fault isn't in blob_dir), or -1.
 */
int oci_recheck(struct oci_image *image, const struct oci_opts *o, struct err **e);
void oci_image_free(struct oci_image *image);
DEFINE_AUTO(oci_image)

/* The configuration as the "config" object of image-spec config.md, and back. The caller owns
 * what is returned. */
void oci_config_release(struct oci_config *c);
void oci_config_copy(struct oci_config *to,
		     const struct oci_config *from); /* *to is zeroed or valid */
struct json *oci_config_to_json(const struct oci_config *c);
int oci_config_from_json(const struct json *j, struct oci_config *ret, struct err **e);

#endif
