#include "hardlinks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct hardlink {
	dev_t dev;
	ino_t ino;
	char path[];
};

static struct hardlink **find_slot(struct hardlink **slot, size_t cap, dev_t dev, ino_t ino)
{
	size_t i = ((uint64_t)ino * 0x9e3779b97f4a7c15U ^ dev) % cap;

	while (slot[i] && (slot[i]->dev != dev || slot[i]->ino != ino))
		i = (i + 1) % cap;
	return &slot[i];
}

const char *hardlinks_find(const struct hardlinks *h, dev_t dev, ino_t ino)
{
	struct hardlink *found = h->cap ? *find_slot(h->slot, h->cap, dev, ino) : NULL;

	return found ? found->path : NULL;
}

static int grow(struct hardlinks *h)
{
	size_t cap = h->cap ? h->cap * 2 : 64;
	struct hardlink **slot = calloc(cap, sizeof(*slot));

	if (!slot)
		return -1;
	for (size_t i = 0; i < h->cap; i++)
		if (h->slot[i])
			*find_slot(slot, cap, h->slot[i]->dev, h->slot[i]->ino) = h->slot[i];
	free(h->slot);
	h->slot = slot;
	h->cap = cap;
	return 0;
}

int hardlinks_keep(struct hardlinks *h, dev_t dev, ino_t ino, const char *path)
{
	size_t n = strlen(path) + 1;
	struct hardlink *link;

	if (h->n * 2 >= h->cap && grow(h))
		return -1;
	link = malloc(sizeof(*link) + n);
	if (!link)
		return -1;
	link->dev = dev;
	link->ino = ino;
	memcpy(link->path, path, n);
	*find_slot(h->slot, h->cap, dev, ino) = link;
	h->n++;
	return 0;
}

void hardlinks_release(struct hardlinks *h)
{
	for (size_t i = 0; i < h->cap; i++)
		free(h->slot[i]);
	free(h->slot);
	*h = (struct hardlinks){ 0 };
}
