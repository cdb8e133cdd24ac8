#include "builder/cache_limit.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "snapshot/store_prune.h"

int cache_limit_parse(const char *option, uint64_t *ret_bytes, struct err **e)
{
	const char *env = getenv("KILN_CACHE_MAX");
	const char *text = option ? option : env && *env ? env : NULL;
	unsigned long long bytes = 0;

	*ret_bytes = 0;
	if (!text)
		return 0;
	if (!streq(text, "none") && (str_parse_bytes(text, &bytes) || !bytes))
		return err_set(e, ERR_USAGE, "%s takes a size like 20g, or none, not \"%s\"",
			       option ? "--cache-limit" : "KILN_CACHE_MAX", text);
	*ret_bytes = bytes ? bytes : UINT64_MAX;
	return 0;
}

static int default_limit(const struct store *s, uint64_t *ret, struct err **e)
{
	struct statvfs st;
	uint64_t share;

	if (statvfs(store_home(s), &st))
		return err_sys(e, "looking at the file system of %s", store_home(s));
	share = (uint64_t)st.f_blocks * st.f_frsize / CACHE_LIMIT_SHARE;
	*ret = share < CACHE_LIMIT_BYTES ? share : CACHE_LIMIT_BYTES;
	return 0;
}

int cache_limit_apply(struct store *s, uint64_t bytes, struct progress *p, struct err **e)
{
	struct store_prune_opts o = { .kinds = STORE_CACHE | 1 << STORE_MOUNT,
				      .keep_bytes = bytes };
	struct store_usage usage;

	if (bytes == UINT64_MAX)
		return 0;
	if ((!bytes && default_limit(s, &o.keep_bytes, e)) || store_prune(s, &o, &usage, e))
		return err_wrap(e, "keeping the build cache small");
	if (usage.gone_bytes) {
		autofree char *gone = str_human_bytes(usage.gone_bytes);
		autofree char *limit = str_human_bytes(o.keep_bytes);

		progress_begin(p, "[internal] the build cache is limited to %s: %s removed",
			       limit, gone);
		progress_done(p);
	}
	store_usage_release(&usage);
	return 0;
}
