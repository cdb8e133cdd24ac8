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
	snprintf(ret, 64, TOP "kiln.%u", c->number);
}

/* The number after `key` in text of lines "key number". */
static unsigned long find_key(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}

static unsigned long read_key(const struct cgroup *c, const char *file, const char *key)
{
	char buf[512];

	if (c->fd < 0 || sysfile_read_at(c->fd, file, buf, sizeof(buf)) < 0)
		return 0;
	return find_key(buf, key);
}

void cgroup_open(struct cgroup *c)
{
	char path[64];

	*c = (struct cgroup){ .fd = -1 };
	if (!is_there)
		return;
	c->number = ++last_number;
	name_of(c, path);
	mkdir(path, 0755);
	c->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void cgroup_close(struct cgroup *c)
{
	char path[64];

	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	name_of(c, path);
	rmdir(path);
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
	static unsigned long seen;
	static char buf[16384];
	unsigned long now;
	bool is_more;

	if (c->fd >= 0)
		return read_key(c, "memory.events", "oom_kill ") > 0;
	if (sysfile_read("/proc/vmstat", buf, sizeof(buf)) < 0)
		return false;
	now = find_key(buf, "\noom_kill ");
	is_more = now > seen;
	seen = now;
	return is_more;
}
