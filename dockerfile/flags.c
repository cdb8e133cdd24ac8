#include "dockerfile/internal.h"
#include "dockerfile/rune.h"

/* One flag, up to white space outside quotes: quotes go, escapes are resolved. Returns where it
 * ends. */
static const char *read_flag(struct span rest, char escape, struct str *ret)
{
	char quote = 0;

	while (rest.at < rest.end) {
		size_t n;
		uint32_t c = rune_at(rest.at, rest.end, &n);

		if (!quote && rune_is_space(c))
			break;
		if (c == (unsigned char)escape) {
			rest.at++; /* at the very end it just goes */
			if (rest.at < rest.end)
				rune_at(rest.at, rest.end, &n);
			else
				n = 0;
			str_addn(ret, rest.at, n);
		} else if (quote ? c == (unsigned char)quote : c == '"' || c == '\'') {
			quote = quote ? 0 : (char)c;
		} else {
			str_addn(ret, rest.at, n);
		}
		rest.at += n;
	}
	return rest.at;
}

void df_flags_take(struct span *rest, char escape, struct strv *ret)
{
	for (;;) {
		autostr flag = STR_INIT;

		rest->at = rune_skip_space(rest->at, rest->end);
		if (rest->end - rest->at < 2 || rest->at[0] != '-' || rest->at[1] != '-')
			return;
		rest->at = read_flag(*rest, escape, &flag);
		if (streq(flag.at, "--"))
			return;
		strv_push(ret, flag.at);
	}
}
