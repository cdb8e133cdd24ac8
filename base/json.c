#include "base/json.h"

#include <jansson.h>
#include <string.h>

#include "base/utf8.h"

/*
 * A struct json is a json_t behind our own name. Getters borrow, so one cast each way is all
 * there is to it; what a getter's error calls a value is its key, and the caller's wrap says
 * which document it came from.
 */
static json_t *in(const struct json *j)
{
	return (json_t *)(uintptr_t)j;
}

static struct json *out(json_t *j)
{
	if (!j)
		abort(); /* jansson gives NULL only without memory or on arguments that we
			    checked */
	return (struct json *)j;
}

enum { DEPTH_MAX = 128 };

static int check_depth(const json_t *j, int depth)
{
	if (depth > DEPTH_MAX)
		return -1;
	if (json_is_array(j)) {
		for (size_t i = 0; i < json_array_size(j); i++)
			if (check_depth(json_array_get(j, i), depth + 1))
				return -1;
	} else if (json_is_object(j)) {
		json_t *o = (json_t *)(uintptr_t)j;

		for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it))
			if (check_depth(json_object_iter_value(it), depth + 1))
				return -1;
	}
	return 0;
}

int json_parse(const char *bytes, size_t n, const char *what, struct json **ret, struct err **e)
{
	json_error_t je;
	json_t *j = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);

	if (!j)
		return err_set(e, ERR_CORRUPT, "%s is not valid JSON: line %d: %s", what,
			       je.line, je.text);
	if (check_depth(j, 0)) {
		json_decref(j);
		return err_set(e, ERR_LIMIT, "%s is nested deeper than %d levels", what,
			       DEPTH_MAX);
	}
	*ret = out(j);
	return 0;
}

void json_free(struct json *j)
{
	json_decref(in(j));
}

enum want { WANT_STR, WANT_INT, WANT_BOOL, WANT_OBJECT, WANT_ARRAY };

static bool has_type(const json_t *j, enum want want)
{
	switch (want) {
	case WANT_STR:
		return json_is_string(j);
	case WANT_INT:
		return json_is_integer(j);
	case WANT_BOOL:
		return json_is_boolean(j);
	case WANT_OBJECT:
		return json_is_object(j);
	case WANT_ARRAY:
		return json_is_array(j);
	}
	return false;
}

/* 1 with *ret, 0 when absent or null, -1 on a wrong type. */
static int find(const struct json *o, const char *key, enum want want, const json_t **ret,
		struct err **e)
{
	static const char *const names[] = { "a string", "an integer", "a boolean", "an object",
					     "an array" };
	const json_t *j;

	if (!json_is_object(in(o)))
		return err_set(e, ERR_CORRUPT, "the value that should hold '%s' is no object",
			       key);
	j = json_object_get(in(o), key);
	if (!j || json_is_null(j))
		return 0;
	if (!has_type(j, want))
		return err_set(e, ERR_CORRUPT, "'%s' is not %s", key, names[want]);
	*ret = j;
	return 1;
}

static int must_have(int found, const char *key, struct err **e)
{
	if (found == 0)
		return err_set(e, ERR_CORRUPT, "'%s' is missing", key);
	return found < 0 ? -1 : 0;
}

#define GETTERS(name, type, want, convert)                                                    \
	int json_opt_##name(const struct json *o, const char *key, type *ret, struct err **e) \
	{                                                                                     \
		const json_t *j = NULL;                                                       \
		int found = find(o, key, want, &j, e);                                        \
                                                                                              \
		if (found == 1)                                                               \
			*ret = convert;                                                       \
		return found < 0 ? -1 : 0;                                                    \
	}                                                                                     \
	int json_get_##name(const struct json *o, const char *key, type *ret, struct err **e) \
	{                                                                                     \
		const json_t *j = NULL;                                                       \
		int found = find(o, key, want, &j, e);                                        \
                                                                                              \
		if (found == 1)                                                               \
			*ret = convert;                                                       \
		return must_have(found, key, e);                                              \
	}

GETTERS(str, const char *, WANT_STR, json_string_value(j))
GETTERS(int, int64_t, WANT_INT, json_integer_value(j))
GETTERS(bool, bool, WANT_BOOL, json_is_true(j))
GETTERS(object, const struct json *, WANT_OBJECT, (const struct json *)j)
GETTERS(array, const struct json *, WANT_ARRAY, (const struct json *)j)

int json_opt_strv(const struct json *o, const char *key, struct strv *ret, struct err **e)
{
	const json_t *array = NULL;
	int found = find(o, key, WANT_ARRAY, &array, e);

	if (found <= 0)
		return found;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *s = json_string_value(json_array_get(array, i));

		if (!s)
			return err_set(e, ERR_CORRUPT, "'%s[%zu]' is not a string", key, i);
		strv_push(ret, s);
	}
	return 0;
}

int json_opt_map(const struct json *o, const char *key, struct strv *ret, struct err **e)
{
	const json_t *map = NULL;
	int found = find(o, key, WANT_OBJECT, &map, e);
	json_t *m;

	if (found <= 0)
		return found;
	m = (json_t *)(uintptr_t)map;
	for (void *it = json_object_iter(m); it; it = json_object_iter_next(m, it)) {
		const char *s = json_string_value(json_object_iter_value(it));

		if (!s)
			return err_set(e, ERR_CORRUPT, "'%s.%s' is not a string", key,
				       json_object_iter_key(it));
		strv_pushf(ret, "%s=%s", json_object_iter_key(it), s);
	}
	return 0;
}

size_t json_count(const struct json *j)
{
	return json_is_array(in(j)) ? json_array_size(in(j)) : json_object_size(in(j));
}

const struct json *json_at(const struct json *array, size_t i)
{
	return (const struct json *)json_array_get(in(array), i);
}

const char *json_as_str(const struct json *j)
{
	return json_string_value(in(j));
}

bool json_holds_object(const struct json *j)
{
	return json_is_object(in(j));
}

bool json_holds_array(const struct json *j)
{
	return json_is_array(in(j));
}

bool json_member(const struct json *object, size_t i, const char **ret_key,
		 const struct json **ret_value)
{
	void *it = json_object_iter(in(object));

	while (it && i--)
		it = json_object_iter_next(in(object), it);
	if (!it)
		return false;
	*ret_key = json_object_iter_key(it);
	*ret_value = (const struct json *)json_object_iter_value(it);
	return true;
}

struct json *json_object_new(void)
{
	return out(json_object());
}

struct json *json_array_new(void)
{
	return out(json_array());
}

struct json *json_null_new(void)
{
	return out(json_null());
}

struct json *json_from_strn(const char *s, size_t n)
{
	autostr clean = STR_INIT;

	while (n) {
		size_t length = utf8_length(s, n);

		if (length)
			str_addn(&clean, s, length);
		else
			str_add(&clean, "\xef\xbf\xbd");
		s += length ? length : 1;
		n -= length ? length : 1;
	}
	return out(json_stringn(clean.at, clean.len));
}

struct json *json_from_str(const char *s)
{
	return s ? json_from_strn(s, strlen(s)) : json_null_new();
}

struct json *json_from_int(int64_t n)
{
	return out(json_integer(n));
}

struct json *json_from_double(double n)
{
	return out(json_real(n));
}

struct json *json_from_bool(bool b)
{
	return out(json_boolean(b));
}

struct json *json_from_strv(const struct strv *v)
{
	struct json *array = json_array_new();

	for (size_t i = 0; i < v->n; i++)
		json_push(array, json_from_str(v->at[i]));
	return array;
}

struct json *json_clone(const struct json *j)
{
	return out(json_deep_copy(in(j)));
}

void json_put(struct json *object, const char *key, struct json *take_value)
{
	if (json_object_set_new_nocheck(in(object), key, in(take_value)))
		abort();
}

void json_push(struct json *array, struct json *take_value)
{
	if (json_array_append_new(in(array), in(take_value)))
		abort();
}

/* 15 digits are what every double keeps: 0.007 doesn't become 0.0070000000000000001. jansson
 * escapes what JSON must have escaped; DEL and U+0080 to U+009F are controls too, and a
 * terminal may obey them. */
static char *dump(const struct json *j, size_t flags)
{
	autofree char *s = json_dumps(in(j), flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	struct str out = STR_INIT;

	if (!s)
		abort();
	for (const char *at = s; *at;) {
		unsigned char c = (unsigned char)*at, next = (unsigned char)at[1];
		bool is_c1 = c == 0xc2 && next < 0xa0;

		if (is_c1 || c == 0x7f)
			str_addf(&out, "\\u00%02x", is_c1 ? next : c);
		else
			str_addc(&out, (char)c);
		at += is_c1 ? 2 : 1;
	}
	return str_take(&out);
}

char *json_text(const struct json *j)
{
	return dump(j, JSON_COMPACT);
}

char *json_text_indented(const struct json *j)
{
	return dump(j, JSON_INDENT(2));
}
