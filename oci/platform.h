/*
 * platform.h - "os/arch[/variant]": which images run where.
 *
 * Spec: image-spec v1.1, image-index.md ("platform"); what containerd's platforms package does.
 */
#ifndef OCI_PLATFORM_H
#define OCI_PLATFORM_H

#include <stdbool.h>

#include "base/err.h"

/* What a user wrote, in full: "arm64" and "linux/aarch64" are "linux/arm64". ERR_USAGE. The
 * caller frees. */
int platform_parse(const char *text, char **ret, struct err **e);

/*
 * How well an image for `have` does where `want` was asked for: the more the better, 0 not at
 * all. Best is the variant itself, then lesser ones from the next one down ("linux/arm/v6" for
 * "linux/arm/v7"), then none, then, if no variant was asked for, a greater one
 * ("linux/amd64/v2" for "linux/amd64"). arm without one is v7, arm64 is v8, amd64 is v1.
 */
int platform_match(const char *have, const char *want);
/* The same but for the variant? */
bool platform_same_arch(const char *have, const char *want);

#endif
