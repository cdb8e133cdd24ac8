#include "oci/auth.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "oci/challenge.h"
#include "oci/credentials.h"
#include "oci/token.h"

struct auth {
	char *host, *repo;
	pthread_mutex_t lock; /* of what follows */
	bool is_looked_up;
	struct credentials credentials;
	char *header;        /* NULL: nothing was asked for yet */
	struct err *refused; /* for good */
};

struct auth *auth_new(const char *host, const char *repo)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	a->host = xstrdup(host);
	a->repo = xstrdup(repo);
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	credentials_release(&a->credentials);
	err_free(a->refused);
	free(a->header);
	free(a->host);
	free(a->repo);
	free(a);
}

char *auth_header(struct auth *a)
{
	char *header;

	pthread_mutex_lock(&a->lock);
	header = a->header ? xstrdup(a->header) : NULL;
	pthread_mutex_unlock(&a->lock);
	return header;
}

bool auth_has_credentials(struct auth *a)
{
	bool has;

	pthread_mutex_lock(&a->lock);
	has = a->header && a->credentials.from;
	pthread_mutex_unlock(&a->lock);
	return has;
}

static int refuse(const struct auth *a, struct err **e)
{
	if (a->credentials.from)
		return err_set(e, ERR_AUTH, "it refuses the credentials from %s",
			       a->credentials.from);
	return err_set(e, ERR_AUTH,
		       "it wants credentials, and Docker's config.json has none for %s",
		       a->host);
}

static int answer_bearer(struct auth *a, struct http *h, const struct challenge *c,
			 const struct auth_question *q, struct err **e)
{
	struct token_request request = { .challenge = c,
					 .repo = a->repo,
					 .credentials = &a->credentials,
					 .is_plain_ok = q->is_plain_ok,
					 .is_insecure = q->is_insecure,
					 .backoff_ms = q->backoff_ms };
	autofree char *token = NULL;

	if (a->credentials.registry_token)
		token = xstrdup(a->credentials.registry_token);
	else if (token_get(h, &request, &token, e))
		return -1;
	a->header = xasprintf("Bearer %s", token);
	return 0;
}

static int answer_basic(struct auth *a, struct err **e)
{
	autostr header = STR_INIT;

	if (!a->credentials.user || !a->credentials.password)
		return refuse(a, e);
	credentials_add_basic(&header, &a->credentials);
	a->header = str_take(&header);
	return 0;
}

/* Which of the schemes, or NULL with *ret_is_bearer as it was. */
static const struct challenge *choose(const struct challenges *c, bool *ret_is_bearer)
{
	vec_each (it, &c->list) {
		if (strcasecmp(it->scheme, "Bearer") == 0 && it->realm) {
			*ret_is_bearer = true;
			return it;
		}
	}
	return challenges_find(c, "Basic");
}

static int refuse_challenges(const struct challenges *c, struct err **e)
{
	autostr shown = STR_INIT;

	if (challenges_find(c, "Bearer"))
		return err_set(e, ERR_AUTH, "its challenge names no realm");
	if (c->is_malformed || !c->list.n)
		return err_set(e, ERR_AUTH, "its challenge is not well-formed");
	vec_each (it, &c->list) {
		str_add(&shown, shown.len ? ", " : "");
		str_add_visible(&shown, it->scheme, strnlen(it->scheme, 40));
	}
	return err_set(e, ERR_AUTH, "it asks for %s; kiln speaks Bearer and Basic", shown.at);
}

static int answer(struct auth *a, struct http *h, const struct auth_question *q, struct err **e)
{
	autochallenges challenges = { .is_malformed = false };
	const struct challenge *c;
	bool is_bearer = false;

	challenges_parse(q->challenges, &challenges);
	c = choose(&challenges, &is_bearer);
	if (!c)
		return refuse_challenges(&challenges, e);
	if (!a->is_looked_up && credentials_find(a->host, &a->credentials, e) < 0)
		return -1;
	a->is_looked_up = true;
	/* These don't change by asking again. */
	if (q->refused && (!is_bearer || a->credentials.registry_token))
		return refuse(a, e);
	free(take(a->header));
	return is_bearer ? answer_bearer(a, h, c, q, e) : answer_basic(a, e);
}

/* Under the lock: an ERR_AUTH is the last word. */
static int keep_refusal(struct auth *a, struct err **e)
{
	if ((*e)->code == ERR_AUTH && !a->refused)
		a->refused = err_copy(*e);
	return -1;
}

int auth_answer(struct auth *a, struct http *h, const struct auth_question *q, struct err **e)
{
	int failed = 0;

	pthread_mutex_lock(&a->lock);
	if (a->refused) {
		*e = err_copy(a->refused);
		failed = -1;
	} else if (!a->header || (q->refused && streq(a->header, q->refused))) {
		failed = answer(a, h, q, e) ? keep_refusal(a, e) : 0;
	}
	pthread_mutex_unlock(&a->lock);
	return failed;
}

int auth_refuse(struct auth *a, struct err **e)
{
	int failed;

	pthread_mutex_lock(&a->lock);
	refuse(a, e);
	failed = keep_refusal(a, e);
	pthread_mutex_unlock(&a->lock);
	return failed;
}
