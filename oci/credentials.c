#include "oci/credentials.h"

#include "base/fs.h"
#include "oci/credhelper.h"

/* The caller frees; NULL if there is no place for it. */
static char *config_path(void)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (dir && *dir)
		return xasprintf("%s/config.json", dir);
	return home && *home ? xasprintf("%s/.docker/config.json", home) : NULL;
}

static int look_up(const struct dockercfg *c, const char *host, struct credentials *ret,
		   struct err **e)
{
	const char *helper = dockercfg_helper(c, host);
	int got = 0;

	if (helper)
		got = credhelper_get(helper, dockercfg_server_name(host), ret, e);
	return got ? got : dockercfg_credentials(c, host, ret, e);
}

int credentials_find(const char *host, struct credentials *ret, struct err **e)
{
	autofree char *path = config_path();
	autostr bytes = STR_INIT;
	AUTO(dockercfg) c = NULL;
	struct err *why = NULL;
	int got;

	if (!path)
		return 0;
	if (fs_read_file(path, DOCKERCFG_MAX_BYTES, &bytes, &why)) {
		if (why->code == ERR_NOTFOUND || why->sys == ENOTDIR) {
			err_drop(&why);
			return 0;
		}
		*e = why;
		return -1;
	}
	if (dockercfg_parse(bytes.at, bytes.len, &c, e))
		return err_wrap(e, "reading %s", path);
	got = look_up(c, host, ret, e);
	if (got < 0)
		return err_wrap(e, "reading %s", path);
	if (got && !ret->from)
		ret->from = xstrdup(path);
	return got;
}
