/*
 * cgroup.h - one control group (cgroup2) per command: to end all that a build step has started,
 * and to learn that the kernel's out-of-memory killer came by.
 *
 * Without cgroup2 in the kernel everything here does nothing and says so: fd -1.
 */
#ifndef AGENT_CGROUP_H
#define AGENT_CGROUP_H

#include <stdbool.h>

struct cgroup {
	int fd;          /* its directory, for clone3(CLONE_INTO_CGROUP); -1: there is none */
	unsigned number; /* its name is "kiln.<number>"; 0: shared, "kiln" */
	unsigned long oom_kills; /* in it, before the command started */
};

/* Once, when /sys/fs/cgroup is mounted. */
void cgroup_setup(void);
/* A group of its own, or the shared one. */
void cgroup_open(struct cgroup *c, bool is_own);
void cgroup_close(struct cgroup *c); /* and removes it if it is its own */
void cgroup_kill(const struct cgroup *c);
/* No live process is in it. Groups that don't exist are empty. */
bool cgroup_is_empty(const struct cgroup *c);
bool cgroup_had_oom(const struct cgroup *c);

#endif
