#include "builder/mount.h"

#include <stdlib.h>

void tree_release(struct tree *t)
{
	free(t->name);
	*t = (struct tree){ 0 };
}

const char *mount_kind_name(enum mount_kind kind)
{
	static const char *const kinds[] = {
		[MOUNT_BIND] = "bind",     [MOUNT_CACHE] = "cache", [MOUNT_TMPFS] = "tmpfs",
		[MOUNT_SECRET] = "secret", [MOUNT_SSH] = "ssh",
	};

	return kinds[kind];
}

static void mount_release(struct mount *m)
{
	free(m->target);
	free(m->source);
	free(m->from_name);
	tree_release(&m->from);
	free(m->id);
	free(m->env);
}

void mounts_release(struct mounts *m)
{
	vec_each (at, m)
		mount_release(at);
	vec_release(m);
}
