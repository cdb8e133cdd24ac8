/*
 * dockerarchive.h - what `docker save` writes: a tar with manifest.json, which lists images,
 * each with the file of its configuration and those of its layers.
 *
 * Layouts: old (<id>/layer.tar, some of them links to others; <id>/json, VERSION and
 *          repositories aren't read), new (blobs/sha256/<hex>, an OCI layout around it), and
 *          what other tools write.
 * Digests: a layer's file of the form blobs/sha256/<hex> has that digest; an uncompressed one
 *          has its diff_id; of another nobody says it: oci_layer.digest is "", and the diff_id
 *          remains to be checked. The image's digest is that of its configuration: there is no
 *          manifest.
 * Which:   the one with the tag, in any form that Docker takes for the same; without a tag the
 *          only one.
 * Errors:  ERR_NOTFOUND (lists the tags there are), ERR_CORRUPT, ERR_LIMIT.
 * Spec:    Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset
 *          Format".
 */
#ifndef OCI_DOCKERARCHIVE_H
#define OCI_DOCKERARCHIVE_H

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "oci/config.h"
#include "oci/oci.h"
#include "oci/ref.h"
#include "oci/tarball.h"

struct docker_image {
	char *config; /* name of a file in the tar, like the layers */
	struct strv tags, layers;
};
struct docker_images {
	VEC(struct docker_image) list;
};

/* manifest.json alone. *ret is zeroed; release it also after a failure. */
int docker_images_parse(const char *bytes, size_t n, struct docker_images *ret, struct err **e);
void docker_images_release(struct docker_images *images);

/* The configuration of the image that ref names, its digest, and its layers, all but media_type
 * filled in, lowest first: into *ret_config (zeroed) and *image. */
int docker_archive_read(const struct oci_ref *ref, struct oci_image *image,
			struct oci_image_config *ret_config, struct err **e);

#endif
