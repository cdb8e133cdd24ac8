/*
 * value.h - values that instructions take, after expansion: ports, signals, durations,
 * platforms, image names, modes. Only their form is looked at.
 *
 * Errors: ERR_USAGE, bare, with BuildKit's texts.
 */
#ifndef DOCKERFILE_VALUE_H
#define DOCKERFILE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* As Go's strconv.ParseBool takes it; -1 if it is none. */
int df_bool_parse(const char *s, bool *ret);

/* A duration as Go writes it ("1m30s", a unit on every number, a sign in front). */
int df_duration_parse(const char *s, int64_t *ret_ns, struct err **e);

/* A number but 0, or a name with or without SIG, in any case. */
bool df_signal_is_valid(const char *s);

/* EXPOSE: [IP:][HOST:]PORT[-PORT][/PROTO]. */
struct df_port {
	unsigned first, last;
	char proto[5];    /* lower case */
	bool is_cased;    /* the protocol was not written in lower case */
	bool has_mapping; /* an address or a host port was given, which means nothing */
};
int df_port_parse(const char *s, struct df_port *ret, struct err **e);

/* "linux/arm/v7": what its parts are normalised to. */
struct df_platform {
	char os[32], arch[32], variant[32]; /* "" if not given */
};
int df_platform_parse(const char *s, struct df_platform *ret, struct err **e);
/* However it is written: is it the platform of our guests, linux/amd64? */
bool df_platform_is_guests(const char *s);

/* Could it be an image's name (distribution/reference, or one of kiln's own "oci:DIR" forms)?
 * ERR_USAGE "invalid reference format ..." */
int df_image_check(const char *name, struct err **e);

/* --chmod: octal, or symbolic as chmod(1) has it. */
int df_chmod_check(const char *s, struct err **e);

/* What ADD makes of a source. */
enum df_source { DF_SOURCE_PATH, DF_SOURCE_URL, DF_SOURCE_GIT };
enum df_source df_source_kind(const char *source);
/* The form of a git URL. */
int df_source_check(const char *source, struct err **e);

#endif
