#include "oci/credhelper.h"

#include <string.h>

#include "base/json.h"
#include "base/proc.h"

enum { SHOWN_BYTES = 200 };

int credhelper_parse(const struct str *answer, struct credentials *ret, struct err **e)
{
	const char *user = NULL, *secret = NULL;
	struct err *why = NULL;
	AUTO(json) root = NULL;

	/* What the JSON reader would say shows a piece of the text. */
	if (json_parse(answer->at, answer->len, "it", &root, &why) ||
	    json_get_str(root, "Username", &user, &why) ||
	    json_get_str(root, "Secret", &secret, &why)) {
		err_drop(&why);
		return err_set(e, ERR_AUTH,
			       "its answer is no JSON object with 'Username' and 'Secret'");
	}
	if (streq(user, "<token>")) {
		ret->identity_token = xstrdup(secret);
		return 0;
	}
	ret->user = xstrdup(user);
	ret->password = xstrdup(secret);
	return 0;
}

/* The first line of what it says, unless that looks like an answer. */
static void add_reason(struct str *to, const struct str *out, const struct str *said)
{
	const struct str *from = out->len && out->at[0] != '{' ? out : said;
	size_t n = strcspn(from->at, "\n");

	if (from->len && from->at[0] != '{')
		str_add_visible(to, from->at, n < SHOWN_BYTES ? n : SHOWN_BYTES);
	if (!to->len)
		str_add(to, "it says nothing");
}

static bool is_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-_.")] == '\0';
}

static int run(const char *program, const char *server, struct str *out, struct err **e)
{
	char *argv[] = { xstrdup(program), xstrdup("get"), NULL };
	autostr said = STR_INIT, reason = STR_INIT;
	struct err *why = NULL;
	int status = 0, failed;

	failed = proc_run_opts(
		&(struct proc_run_opts){ .argv = argv,
					 .input = server,
					 .max_bytes = CREDHELPER_MAX_BYTES,
					 .timeout_ms = CREDHELPER_TIMEOUT_SEC * 1000 },
		&status, out, &said, &why);
	free(argv[0]);
	free(argv[1]);
	if (failed) {
		autofree char *text = err_text(why);

		err_drop(&why);
		return err_set(e, ERR_AUTH, "%s", text);
	}
	if (!status)
		return 1;
	if (strstr(out->at, "credentials not found"))
		return 0;
	add_reason(&reason, out, &said);
	return err_set(e, ERR_AUTH, "it failed: %s", reason.at);
}

int credhelper_get(const char *name, const char *server, struct credentials *ret,
		   struct err **e)
{
	autofree char *program = xasprintf("docker-credential-%s", name);
	autostr out = STR_INIT;
	int got;

	if (!is_name(name))
		return err_set(e, ERR_AUTH, "the name of a credential helper can't be one");
	got = run(program, server, &out, e);
	if (got == 1 && credhelper_parse(&out, ret, e))
		got = -1;
	if (got < 0)
		return err_wrap(e, "credential helper %s for %s", program, server);
	if (got)
		ret->from = xasprintf("credential helper %s", program);
	return got;
}
