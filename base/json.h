/*
 * json.h - typed reading and plain writing of JSON (RFC 8259); jansson does the work and
 * stays inside json.c.
 *
 * Reading: json_parse() gives a document; the getters lend parts of it, valid until
 * json_free() of the root. A getter's error is ERR_CORRUPT and names the member
 * ("'digest' is missing"); which object it was is the caller's to add. The json_opt_ forms
 * leave *ret as it was when the member is absent or null (a wrong type is still an error).
 *
 * Writing: json_object_new()/json_array_new() make an owned value; json_put and json_push
 * TAKE the value they are given.
 *
 * Limits: depth 128 (jansson's own bound is larger), duplicate members are refused, strings
 * hold no NUL.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct json; /* one value; owned by whoever made it, or lent by its parent */

int json_parse(const char *bytes, size_t n, const char *what, struct json **ret,
	       struct err **e);
void json_free(struct json *j); /* only for what json_parse and the makers below returned */
DEFINE_AUTO(json)

int json_get_str(const struct json *o, const char *key, const char **ret, struct err **e);
int json_get_int(const struct json *o, const char *key, int64_t *ret, struct err **e);
int json_get_bool(const struct json *o, const char *key, bool *ret, struct err **e);
int json_get_object(const struct json *o, const char *key, const struct json **ret,
		    struct err **e);
int json_get_array(const struct json *o, const char *key, const struct json **ret,
		   struct err **e);
int json_opt_str(const struct json *o, const char *key, const char **ret, struct err **e);
int json_opt_int(const struct json *o, const char *key, int64_t *ret, struct err **e);
int json_opt_bool(const struct json *o, const char *key, bool *ret, struct err **e);
int json_opt_object(const struct json *o, const char *key, const struct json **ret,
		    struct err **e);
int json_opt_array(const struct json *o, const char *key, const struct json **ret,
		   struct err **e);
/* Adds the strings of an optional array of strings to *ret. */
int json_opt_strv(const struct json *o, const char *key, struct strv *ret, struct err **e);
/* "key=value" for each member of an optional object of strings. */
int json_opt_map(const struct json *o, const char *key, struct strv *ret, struct err **e);

size_t json_count(const struct json *array);                    /* elements or members */
const struct json *json_at(const struct json *array, size_t i); /* NULL past the end */
const char *json_as_str(const struct json *j);                  /* NULL if it is no string */
bool json_holds_object(const struct json *j);
bool json_holds_array(const struct json *j);
/* Member i of an object in document order; false past the end. */
bool json_member(const struct json *object, size_t i, const char **ret_key,
		 const struct json **ret_value);

struct json *json_object_new(void);
struct json *json_array_new(void);
struct json *json_null_new(void);
struct json *
json_from_str(const char *s); /* bytes that are not UTF-8 become U+FFFD; NULL becomes null */
struct json *json_from_strn(const char *s, size_t n); /* likewise; a NUL comes out as \u0000 */
struct json *json_from_int(int64_t n);
struct json *json_from_double(double n);
struct json *json_from_bool(bool b);
struct json *json_from_strv(const struct strv *v);
struct json *json_clone(const struct json *j); /* deep */
void json_put(struct json *object, const char *key, struct json *take_value);
void json_push(struct json *array, struct json *take_value);

/* Compact (one line) or indented text without a final newline; members in the order they were
 * set. No control character is in it but the newlines of the indented one. The caller frees. */
char *json_text(const struct json *j);
char *json_text_indented(const struct json *j);

#endif
