#include "dockerfile/glob.h"

#include "dockerfile/rune.h"

bool glob_class_is_negated(const char **at)
{
	bool is_negated = **at == '^';

	*at += is_negated;
	return is_negated;
}

static bool next_member(const char **at, const char *end, uint32_t *ret)
{
	size_t n;

	if (*at == end || **at == '-' || **at == ']')
		return false;
	if (**at == '\\' && ++*at == end)
		return false;
	*ret = rune_at(*at, end, &n);
	*at += n;
	/* What follows must at least be the ']'. */
	return !(*ret == RUNE_BAD && n == 1) && *at < end;
}

int glob_class_next(const char **at, const char *end, bool is_first, uint32_t *ret_low,
		    uint32_t *ret_high)
{
	if (!is_first && *at < end && **at == ']') {
		++*at;
		return 0;
	}
	if (!next_member(at, end, ret_low))
		return -1;
	*ret_high = *ret_low;
	if (**at != '-')
		return 1;
	++*at;
	return next_member(at, end, ret_high) ? 1 : -1;
}
