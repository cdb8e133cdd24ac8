/* What holds secrets: Docker's config.json, a helper's answer, a token service's. No error
 * shows a long piece of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/credhelper.h"
#include "oci/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_config(const char *bytes, size_t n)
{
	static const char *const hosts[] = { "docker.io", "h", "h:5000" };
	AUTO(dockercfg) cfg = NULL;
	AUTO(err) e = NULL;

	if (dockercfg_parse(bytes, n, &cfg, &e))
		return;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		autocredentials c = { .user = NULL };
		AUTO(err) why = NULL;
		int got = dockercfg_credentials(cfg, hosts[i], &c, &why);

		dockercfg_helper(cfg, hosts[i]);
		if (got == 1 && !c.password && !c.identity_token && !c.registry_token)
			abort();
		if (got < 0 && (c.user || c.password))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autocredentials c = { .user = NULL };
	autofree char *token = NULL;
	autostr text = STR_INIT;
	AUTO(err) helper = NULL;
	AUTO(err) service = NULL;

	str_addn(&text, data, size);
	check_config(text.at, text.len);
	credhelper_parse(&text, &c, &helper);
	if (!token_parse(&text, &token, &service) && strpbrk(token, " \r\n"))
		abort();
	return 0;
}
