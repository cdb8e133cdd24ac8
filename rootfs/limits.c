#include "limits.h"

#include <string.h>

const struct rootfs_limits rootfs_limits_default = {
	.layers = 1000,
	.entries = 8 << 20,
	.depth = 4096,
	.xattr_bytes = 256 << 10,
	.file_bytes = 1ULL << 40,
	.layer_bytes = 1ULL << 38,
	.image_bytes = 1ULL << 38,
};

/* The most that can be had: indexes are 32 bits wide, removing a folder takes stack for each
 * one inside it, a file of ext4 ends at 16 TiB, and a file system of ours at 256 GiB (space.h).
 */
#define MEMBER(m) offsetof(struct rootfs_limits, m)
static const struct {
	const char *name;
	size_t at;
	uint64_t most;
} table[] = {
	{ "layers", MEMBER(layers), 60000 },
	{ "entries", MEMBER(entries), 1 << 30 },
	{ "depth", MEMBER(depth), 16384 },
	{ "xattr-bytes", MEMBER(xattr_bytes), LIMIT_HEADER_BYTES },
	{ "file-bytes", MEMBER(file_bytes), 1ULL << 43 },
	{ "layer-bytes", MEMBER(layer_bytes), 1ULL << 50 },
	{ "image-bytes", MEMBER(image_bytes), 1ULL << 38 },
};

enum { N_LIMITS = sizeof(table) / sizeof(*table) };

static uint64_t *member(struct rootfs_limits *l, size_t i)
{
	return (uint64_t *)((char *)l + table[i].at);
}

void rootfs_limits_describe(struct str *ret)
{
	struct rootfs_limits usual = rootfs_limits_default;

	for (size_t i = 0; i < N_LIMITS; i++)
		str_addf(ret, "%s%s=%llu", i ? ", " : "", table[i].name,
			 (unsigned long long)*member(&usual, i));
}

int rootfs_limits_set(struct rootfs_limits *l, const char *text, struct err **e)
{
	size_t n_name = strcspn(text, "=");
	autostr names = STR_INIT;
	unsigned long long value;

	for (size_t i = 0; i < N_LIMITS; i++) {
		if (strlen(table[i].name) != n_name ||
		    strncmp(table[i].name, text, n_name) != 0)
			continue;
		if (!text[n_name] || str_parse_bytes(text + n_name + 1, &value) || !value ||
		    value > table[i].most)
			return err_set(e, ERR_USAGE, "limit '%s' takes 1 to %llu, not '%s'",
				       table[i].name, (unsigned long long)table[i].most,
				       text[n_name] ? text + n_name + 1 : "");
		*member(l, i) = value;
		return 0;
	}
	rootfs_limits_describe(&names);
	return err_set(e, ERR_USAGE, "there is no limit '%.*s'; there are %s", (int)n_name,
		       text, names.at);
}

int rootfs_limits_set_all(struct rootfs_limits *ret, const struct strv *texts, struct err **e)
{
	*ret = rootfs_limits_default;
	for (size_t i = 0; i < texts->n; i++)
		if (rootfs_limits_set(ret, texts->at[i], e))
			return err_wrap(e, "--limit");
	return 0;
}
