/*
 * copytree.h - the copying itself, once source and destination are open: contents, metadata,
 * whole trees (copy.h has the rules).
 */
#ifndef AGENT_COPYTREE_H
#define AGENT_COPYTREE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "fail.h"
#include "hardlinks.h"
#include "mkdirs.h"
#include "selection.h"

/* One COPY under way. */
struct copy_job {
	int root;
	const struct selection *from;
	bool has_owner;
	uid_t uid;
	gid_t gid;
	const char *chmod;        /* "": as they are */
	struct mkdirs_as parents; /* missing destination directories */
	struct hardlinks links;
	unsigned depth;
	char path[PATH_MAX]; /* destination below the root of what is being copied: for messages
				and links */
	char rel[PATH_MAX];  /* the same below the source directory: for exclusions */
};

/* A thing to be copied, and where to. */
struct copy_item {
	int from_dir, to_dir;
	const char *from, *to; /* names in them */
	struct stat st;
};

/* What is in the directory `from` goes into the directory `to`, which is j->path. */
int copytree_entries(struct copy_job *j, int from, int to, struct fail *f);
/* A regular file that is open already, under a name where nothing is. */
int copytree_file(struct copy_job *j, int from, const struct copy_item *it, struct fail *f);
/* A directory that is open: merged with the one of that name, metadata included. */
int copytree_directory(struct copy_job *j, int from, const struct copy_item *it,
		       struct fail *f);
/* The same without what is in it. */
int copytree_empty_directory(struct copy_job *j, int from, const struct copy_item *it,
			     struct fail *f);
/* A device or FIFO, likewise. */
int copytree_special(struct copy_job *j, const struct copy_item *it, struct fail *f);
/* What stands in the way of a file is removed, unless it is a directory. */
int copytree_make_way(struct copy_job *j, const struct copy_item *it, struct fail *f);

/* Owner, mode, times and extended attributes of one open file or directory for another: of the
 * latter's own attributes none are left. */
int copytree_take_metadata(int from, int to);

/* j->path gets one name longer: returns the old length for copytree_pop(), or -1. */
int copytree_push(struct copy_job *j, const char *name, struct fail *f);
void copytree_pop(struct copy_job *j, int len);

/* Closes, keeps errno, returns -1. */
int copytree_close(int fd);
/* "writing /P" with errno; -1. */
int copytree_cannot_write(const struct copy_job *j, struct fail *f);

#endif
