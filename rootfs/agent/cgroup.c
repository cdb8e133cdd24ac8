#include "cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sysfile.h"

#define TOP "/sys/fs/cgroup/"

static unsigned last_number;
static bool is_there;

void cgroup_setup(void)
{
	is_there = sysfile_write(TOP "cgroup.subtree_control", "+memory") == 0;
}

static void name_of(const struct cgroup *c, char ret[64])
{
	if (c->number)
		snprintf(ret, 64, TOP "kiln.%u", c->number);
	else
		snprintf(ret, 64, TOP "kiln");
}

/* The number after `key` in a flat-keyed file. */
static unsigned long read_key(const struct cgroup *c, const char *file, const char *key)
{
	char buf[512], *at;

	if (c->fd < 0 || sysfile_read_at(c->fd, file, buf, sizeof(buf)) < 0)
		return 0;
	at = strstr(buf, key);
	return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}

static unsigned long oom_kills(const struct cgroup *c)
{
	return read_key(c, "memory.events", "oom_kill ");
}

void cgroup_open(struct cgroup *c, bool is_own)
{
	char path[64];

	*c = (struct cgroup){ .fd = -1 };
	if (!is_there)
		return;
	if (is_own)
		c->number = ++last_number;
	name_of(c, path);
	mkdir(path, 0755);
	c->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c->oom_kills = is_own ? 0 : oom_kills(c);
}

void cgroup_close(struct cgroup *c)
{
	char path[64];

	if (c->fd >= 0)
		close(c->fd);
	if (c->fd >= 0 && c->number) {
		name_of(c, path);
		rmdir(path);
	}
	c->fd = -1;
}

void cgroup_kill(const struct cgroup *c)
{
	if (c->fd >= 0)
		sysfile_write_at(c->fd, "cgroup.kill", 0, "1");
}

bool cgroup_is_empty(const struct cgroup *c)
{
	return !read_key(c, "cgroup.events", "populated ");
}

bool cgroup_had_oom(const struct cgroup *c)
{
	return oom_kills(c) > c->oom_kills;
}
