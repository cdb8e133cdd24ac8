#include "builder/secret_forms.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

struct forms {
	secret_form_fn each;
	void *arg;
	struct str done[32]; /* of the current form: what was given already */
	size_t n_done;
};

/* Gives it, unless it was given; the memory is overwritten before it is freed. */
static void give(struct forms *f, enum secret_form form, struct str *take_text,
		 bool may_be_wrapped)
{
	bool is_new = true;

	for (size_t i = 0; i < f->n_done && is_new; i++)
		is_new = f->done[i].len != take_text->len ||
			 memcmp(f->done[i].at, take_text->at, take_text->len) != 0;
	if (is_new)
		f->each(f->arg, form, take_text->at, take_text->len, may_be_wrapped);
	f->done[f->n_done++] = *take_text;
}

static void forget(struct forms *f)
{
	for (size_t i = 0; i < f->n_done; i++) {
		if (f->done[i].cap)
			explicit_bzero(f->done[i].at, f->done[i].len);
		str_release(&f->done[i]);
	}
	f->n_done = 0;
}

/* Room for all at once: a string that grows would leave its beginnings behind. */
static struct str with_room(size_t n)
{
	return (struct str){ .at = xcalloc(1, n + 1), .cap = n + 1 };
}

/* ---- base64 (RFC 4648, sections 4 and 5) ---- */

static const char standard[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Six bits, the first of which is bit `bit` of the bytes. */
static unsigned six_bits(const unsigned char *bytes, size_t n, size_t bit)
{
	unsigned pair = (unsigned)bytes[bit / 8] << 8;

	if (bit / 8 + 1 < n)
		pair |= bytes[bit / 8 + 1];
	return pair >> (10 - bit % 8) & 63;
}

/* `skipped` bits of the secret belong to a character that the bytes before it decide too. */
static struct str base64(const unsigned char *bytes, size_t n, size_t skipped,
			 const char *alphabet)
{
	struct str out = with_room(n * 4 / 3 + 4);

	for (size_t bit = skipped; bit + 6 <= n * 8; bit += 6)
		str_addc(&out, alphabet[six_bits(bytes, n, bit)]);
	return out;
}

static void give_base64(struct forms *f, const unsigned char *bytes, size_t n)
{
	/* Behind none, two and one other bytes of a group of three. */
	for (size_t skipped = 0; skipped < 6; skipped += 2) {
		struct str plain = base64(bytes, n, skipped, standard),
			   safe = base64(bytes, n, skipped, url_safe);

		give(f, SECRET_BASE64, &plain, true);
		give(f, SECRET_BASE64, &safe, true);
	}
}

/* ---- hexadecimal ---- */

static const char *const digits[] = { "0123456789abcdef", "0123456789ABCDEF" };

static void give_hex(struct forms *f, const unsigned char *bytes, size_t n)
{
	for (size_t upper = 0; upper < 2; upper++) {
		struct str out = with_room(2 * n);

		for (size_t i = 0; i < n; i++) {
			str_addc(&out, digits[upper][bytes[i] >> 4]);
			str_addc(&out, digits[upper][bytes[i] & 15]);
		}
		give(f, SECRET_HEX, &out, true);
	}
}

/* ---- URL ---- */

/* What stays as it is besides letters and digits, by encoder. */
static const char *const kept[] = {
	"-._~",                 /* RFC 3986: all but the unreserved */
	"-._~!'()*",            /* encodeURIComponent() */
	"-._~!'()*;/?:@&=+$,#", /* encodeURI() */
	"-._~/",                /* paths */
	"-._*",                 /* HTML forms */
};

static struct str url(const unsigned char *bytes, size_t n, const char *set, const char *hex,
		      bool is_plus)
{
	struct str out = with_room(3 * n);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = bytes[i];

		if (is_plus && c == ' ') {
			str_addc(&out, '+');
		} else if (c && (isalnum(c) || strchr(set, c))) {
			str_addc(&out, (char)c);
		} else {
			str_addc(&out, '%');
			str_addc(&out, hex[c >> 4]);
			str_addc(&out, hex[c & 15]);
		}
	}
	return out;
}

static void give_url(struct forms *f, const unsigned char *bytes, size_t n)
{
	struct str raw = with_room(n);

	str_addn(&raw, bytes, n); /* what an encoder leaves as it is was given as that */
	f->done[f->n_done++] = raw;
	for (size_t set = 0; set < sizeof(kept) / sizeof(kept[0]); set++)
		for (size_t upper = 0; upper < 2; upper++)
			for (int is_plus = 0; is_plus < 2; is_plus++) {
				struct str out =
					url(bytes, n, kept[set], digits[upper], is_plus);

				give(f, SECRET_URL, &out, false);
			}
}

void secret_forms(const void *bytes, size_t n, secret_form_fn each, void *arg)
{
	struct forms f = { .each = each, .arg = arg };

	each(arg, SECRET_RAW, bytes, n, false);
	give_base64(&f, bytes, n);
	forget(&f);
	give_hex(&f, bytes, n);
	forget(&f);
	give_url(&f, bytes, n);
	forget(&f);
}
