/*
 * local.h - where the layers of an image on this machine are: a layout, or an archive of one,
 * or of Docker's.
 */
#ifndef OCI_LOCAL_H
#define OCI_LOCAL_H

#include "base/err.h"
#include "oci/oci.h"
#include "oci/ref.h"

/* Fills path and offset_bytes of every layer; whoever reads them verifies. ref isn't a
 * registry's. ERR_CORRUPT: one is missing or of another size. */
int local_find_layers(const struct oci_ref *ref, struct oci_image *image, struct err **e);

#endif
