/*
 * cgroup.h - one control group (cgroup2) per build step: to end all that it has started, and to
 * learn that the kernel's out-of-memory killer came by.
 *
 * Other commands have none: making one is slow in a guest that was just restored. For them the
 * kernel's count of such kills in the whole machine must do. The same goes for steps under a
 * kernel without cgroup2: fd is -1, and what they leave behind lives on.
 */
#ifndef AGENT_CGROUP_H
#define AGENT_CGROUP_H

#include <stdbool.h>

struct cgroup {
	int fd;          /* its directory, for clone3(CLONE_INTO_CGROUP); -1: there is none */
	unsigned number; /* its name is "kiln.<number>" */
};

/* Once, when /sys/fs/cgroup is mounted. */
void cgroup_setup(void);
void cgroup_open(struct cgroup *c);
void cgroup_close(struct cgroup *c); /* and removes it */
void cgroup_kill(const struct cgroup *c);
/* No live process is in it. Groups that don't exist are empty. */
bool cgroup_is_empty(const struct cgroup *c);
/* In it, or, without one, anywhere since somebody last asked so. */
bool cgroup_had_oom(const struct cgroup *c);

#endif
