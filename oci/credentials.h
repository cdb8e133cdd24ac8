/*
 * credentials.h - finds the user's credentials for a registry, as Docker does: the host's own
 * helper, the store of all hosts, the file itself. The file is $DOCKER_CONFIG/config.json, by
 * default ~/.docker/config.json.
 */
#ifndef OCI_CREDENTIALS_H
#define OCI_CREDENTIALS_H

#include "oci/dockercfg.h"

/* 1 with *ret, which is zeroed; 0: there are none (or no file); -1: ERR_AUTH, ERR_CORRUPT,
 * ERR_SYS. */
int credentials_find(const char *host, struct credentials *ret, struct err **e);

#endif
