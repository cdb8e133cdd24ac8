/*
 * acl.h - POSIX ACLs in the text form of pax headers become the value of an extended attribute,
 * system.posix_acl_access or .posix_acl_default, as system calls have it.
 *
 * Text: entries between commas or line ends, "user::rwx", "user:NAME:r-x:1000", "group:100:r",
 * "mask::r-x", "other::---". The last number is the id; a name without one can't be resolved:
 * ERR_CORRUPT, as no image says what it means on this host.
 *
 * Spec: star(5), acl(5); Linux, include/uapi/linux/posix_acl_xattr.h.
 */
#ifndef ROOTFS_ACL_H
#define ROOTFS_ACL_H

#include "base/err.h"
#include "base/str.h"

/* An empty list gives no bytes. Adds to *ret. ERR_CORRUPT, ERR_LIMIT. */
int acl_parse_text(const char *text, size_t n, struct str *ret, struct err **e);

#endif
