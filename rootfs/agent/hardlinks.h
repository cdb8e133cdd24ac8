/*
 * hardlinks.h - where the first name of a file with several names was copied to.
 */
#ifndef AGENT_HARDLINKS_H
#define AGENT_HARDLINKS_H

#include <sys/types.h>

struct hardlinks {
	struct hardlink **slot; /* hash table, open addressing */
	size_t n, cap;
};

/* The path that was kept for the file, or NULL. */
const char *hardlinks_find(const struct hardlinks *h, dev_t dev, ino_t ino);
/* -1 without memory. The path is copied. */
int hardlinks_keep(struct hardlinks *h, dev_t dev, ino_t ino, const char *path);
void hardlinks_release(struct hardlinks *h);

#endif
