/*
 * users.h - who a process runs as, or who owns a copied file: "name", "uid", "name:group",
 * "uid:gid", looked up in the passwd(5) and group(5) of the guest's root, by ourselves: an
 * image may have no libc, and no name service is wanted.
 *
 * Rules (Docker's): a name is tried before a number. Without group: the group of the passwd
 * entry and the supplementary groups of the group file; a number without an entry has group 0.
 * With group: that one only. "" is root.
 */
#ifndef AGENT_USERS_H
#define AGENT_USERS_H

#include <limits.h>
#include <sys/types.h>

#include "fail.h"

enum { USER_GROUPS_MAX = 1024, USER_NAME_MAX = 256 };

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX];
	size_t n_groups;
	char name[USER_NAME_MAX]; /* "" without an entry */
	char home[PATH_MAX];      /* "/" without an entry */
};

/* PROTO_FAIL_USAGE "unable to find user X: no matching entries in passwd file". root_fd: the
 * directory that holds etc/, or AT_FDCWD for our own root. */
int user_find(int root_fd, const char *spec, struct user *ret, struct fail *f);
/* For --chown: no supplementary groups; a number without group is its own group. */
int user_find_owner(int root_fd, const char *spec, uid_t *ret_uid, gid_t *ret_gid,
		    struct fail *f);

#endif
