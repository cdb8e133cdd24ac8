#include "builder/chain.h"

enum { CHAIN_MAX = 400 };

void chain_push(struct chain *c, struct store_disk *take_disk)
{
	vec_push(&c->disks, take_disk);
	vec_push(&c->paths, take_disk->path);
}

void chain_release(struct chain *c)
{
	vec_each (disk, &c->disks)
		store_disk_free(*disk);
	vec_release(&c->disks);
	vec_release(&c->paths);
}

static void reverse(struct chain *c)
{
	for (size_t i = 0, k = c->disks.n; i + 1 < k; i++) {
		struct store_disk *disk = c->disks.at[i];
		const char *path = c->paths.at[i];

		k--;
		c->disks.at[i] = c->disks.at[k];
		c->paths.at[i] = c->paths.at[k];
		c->disks.at[k] = disk;
		c->paths.at[k] = path;
	}
}

int chain_open(struct store *s, const char *top, struct chain *ret, struct err **e)
{
	const char *id = top;

	while (*id) {
		struct store_disk *disk;

		if (ret->disks.n == CHAIN_MAX)
			return err_set(e, ERR_CORRUPT, "disk %s lies on more than %d others",
				       top, CHAIN_MAX);
		if (store_disk_get(s, id, &disk, e))
			return err_wrap(e, "opening the disks below %s", top);
		chain_push(ret, disk);
		id = disk->parent;
	}
	reverse(ret);
	return 0;
}

const struct store_disk *chain_top(const struct chain *c)
{
	return c->disks.n ? c->disks.at[c->disks.n - 1] : NULL;
}

uint64_t chain_fs_bytes(const struct chain *c)
{
	return c->disks.n ? chain_top(c)->fs_bytes : 0;
}
