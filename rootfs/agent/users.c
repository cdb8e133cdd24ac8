#include "users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysfile.h"

/* Docker's range: what fits into a signed 32-bit number. */
#define ID_MAX 2147483647UL

/* A decimal number and nothing else: 0, else -1. *ret_id is -1 (no id) when it is too large. */
static int parse_id(const char *s, long *ret_id)
{
	unsigned long v = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		if (v <= ID_MAX)
			v = v * 10 + (unsigned long)(*s - '0');
	}
	*ret_id = v <= ID_MAX ? (long)v : -1;
	return 0;
}

/* Cuts a line at its colons. Returns the number of fields, at most max. */
static size_t split(char *line, char **field, size_t max)
{
	size_t n = 0;

	while (n < max) {
		field[n++] = line;
		line = strchr(line, ':');
		if (!line)
			break;
		*line++ = '\0';
	}
	return n;
}

/* One line of passwd is the wanted one: fills *ret. */
static bool take_entry(char *line, const char *name, long id, struct user *ret)
{
	char *field[7];
	size_t n = split(line, field, 7);
	long uid, gid;

	if (n < 4 || parse_id(field[2], &uid) || parse_id(field[3], &gid) || uid < 0 || gid < 0)
		return false;
	if (name ? strcmp(field[0], name) != 0 : uid != id)
		return false;
	ret->uid = (uid_t)uid;
	ret->gid = (gid_t)gid;
	snprintf(ret->name, sizeof(ret->name), "%s", field[0]);
	snprintf(ret->home, sizeof(ret->home), "%s", n >= 6 && field[5][0] ? field[5] : "/");
	return true;
}

/* Relative to a root that isn't ours. */
static int open_file(int root_fd, const char *path)
{
	return sysfile_open_at(root_fd, root_fd == AT_FDCWD ? path : path + 1);
}

/* The first entry with this name, or, name being NULL, this id. No file is like an empty one.
 */
static bool find_entry(int root_fd, const char *name, long id, struct user *ret)
{
	static struct lines l;
	bool found = false;
	char *line;

	lines_init(&l, open_file(root_fd, "/etc/passwd"));
	while (l.fd >= 0 && !found && (line = lines_next(&l)))
		found = !l.is_cut && take_entry(line, name, id, ret);
	lines_release(&l);
	return found;
}

static int find_group(int root_fd, const char *group, gid_t *ret_gid, struct fail *f)
{
	static struct lines l;
	bool found = false;
	char *line, *field[4];
	long gid, number;

	lines_init(&l, open_file(root_fd, "/etc/group"));
	/* A line that is cut is a group with very many members: its number is still there. */
	while (l.fd >= 0 && !found && (line = lines_next(&l))) {
		if (split(line, field, 4) >= 3 && !strcmp(field[0], group) &&
		    !parse_id(field[2], &gid) && gid >= 0)
			found = true;
	}
	lines_release(&l);
	if (found)
		*ret_gid = (gid_t)gid;
	else if (parse_id(group, &number))
		return fail_set(f, PROTO_FAIL_USAGE,
				"unable to find group %s: no matching entries in group file",
				group);
	else if (number < 0)
		return fail_set(f, PROTO_FAIL_USAGE,
				"group %s is out of range: uids and gids must be 0 to %lu",
				group, ID_MAX);
	else
		*ret_gid = (gid_t)number;
	return 0;
}

static bool has_member(char *members, const char *name)
{
	size_t n = strlen(name);

	while (members) {
		if (!strncmp(members, name, n) && (!members[n] || members[n] == ','))
			return true;
		members = strchr(members, ',');
		if (members)
			members++;
	}
	return false;
}

static void find_supplementary(int root_fd, struct user *u)
{
	static struct lines l;
	char *line, *field[4];
	long gid;

	lines_init(&l, open_file(root_fd, "/etc/group"));
	while (l.fd >= 0 && u->n_groups < USER_GROUPS_MAX && (line = lines_next(&l))) {
		if (split(line, field, 4) == 4 && !parse_id(field[2], &gid) && gid >= 0 &&
		    has_member(field[3], u->name))
			u->groups[u->n_groups++] = (gid_t)gid;
	}
	lines_release(&l);
}

/* "name:group" in two; the group is NULL if there is none. */
static int split_spec(const char *spec, char name[USER_NAME_MAX], const char **ret_group,
		      struct fail *f)
{
	const char *colon = strchr(spec, ':');
	size_t n = colon ? (size_t)(colon - spec) : strlen(spec);

	if (n >= USER_NAME_MAX)
		return fail_set(f, PROTO_FAIL_USAGE, "unable to find user %.64s...: too long",
				spec);
	memcpy(name, spec, n);
	name[n] = '\0';
	*ret_group = colon && colon[1] ? colon + 1 : NULL;
	return 0;
}

/* uid, and gid, name and home if there is an entry (else 0, "", "/"): 1 if there is, 0, -1. */
static int find_user(int root_fd, const char *name, struct user *ret, struct fail *f)
{
	long id = 0;

	*ret = (struct user){ .home = "/" };
	if (*name && find_entry(root_fd, name, 0, ret))
		return 1;
	if (*name && parse_id(name, &id))
		return fail_set(f, PROTO_FAIL_USAGE,
				"unable to find user %s: no matching entries in passwd file",
				name);
	if (id < 0)
		return fail_set(f, PROTO_FAIL_USAGE,
				"user %s is out of range: uids and gids must be 0 to %lu", name,
				ID_MAX);
	ret->uid = (uid_t)id;
	return find_entry(root_fd, NULL, id, ret);
}

int user_find(int root_fd, const char *spec, struct user *ret, struct fail *f)
{
	char name[USER_NAME_MAX];
	const char *group;
	int found;

	if (split_spec(spec, name, &group, f))
		return -1;
	found = find_user(root_fd, name, ret, f);
	if (found < 0)
		return -1;
	if (group)
		return find_group(root_fd, group, &ret->gid, f);
	if (found)
		find_supplementary(root_fd, ret);
	return 0;
}

int user_find_owner(int root_fd, const char *spec, uid_t *ret_uid, gid_t *ret_gid,
		    struct fail *f)
{
	static struct user u;
	char name[USER_NAME_MAX];
	const char *group;
	long number;

	if (split_spec(spec, name, &group, f))
		return -1;
	/* An image without a passwd file still has a root. */
	if (find_user(root_fd, name, &u, f) < 0 && strcmp(name, "root") != 0)
		return -1;
	*ret_uid = u.uid;
	*ret_gid = u.gid;
	if (group)
		return find_group(root_fd, group, ret_gid, f);
	if (!parse_id(name, &number))
		*ret_gid = u.uid;
	return 0;
}
