#include <string.h>

#include "dockerfile/ignore.h"

/* Takes the last component of s away, down to `floor` bytes. */
static void drop_last(struct str *s, size_t floor)
{
	while (s->len > floor && s->at[s->len - 1] != '/')
		s->len--;
	if (s->len > floor)
		s->len--;
	s->at[s->len] = 0;
}

/* Go's path.Clean: ".." that leads out of a relative path stays, out of "/" it goes. */
char *path_clean(const char *path)
{
	bool is_rooted = *path == '/';
	struct str s = STR_INIT;
	size_t floor = is_rooted; /* what ".." can't take away */

	if (is_rooted)
		str_addc(&s, '/');
	while (*path) {
		size_t n = strcspn(path, "/");
		bool is_up = n == 2 && strncmp(path, "..", 2) == 0;

		if (is_up && s.len > floor) {
			drop_last(&s, floor);
		} else if ((is_up && !is_rooted) ||
			   (n && !is_up && !(n == 1 && *path == '.'))) {
			if (s.len > (size_t)is_rooted)
				str_addc(&s, '/');
			str_addn(&s, path, n);
			if (is_up)
				floor = s.len;
		}
		path += n;
		path += *path == '/';
	}
	if (!s.len)
		str_addc(&s, '.');
	return str_take(&s);
}

char *path_inside(const char *path)
{
	autofree char *rooted = xasprintf("/%s", path);
	autofree char *clean = path_clean(rooted);

	return xstrdup(clean + 1);
}
