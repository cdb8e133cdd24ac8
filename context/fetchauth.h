/*
 * fetchauth.h - what authorizes kiln itself to fetch: secrets and ssh agents that a build is
 * given, for ADD and build contexts.
 *
 * Web:     the secret HTTP_AUTH_TOKEN_<host> ("Bearer" goes before it), else
 *          HTTP_AUTH_HEADER_<host>, the header's whole value.
 * Git:     over HTTP GIT_AUTH_HEADER.<host>, GIT_AUTH_TOKEN.<host>, GIT_AUTH_HEADER,
 *          GIT_AUTH_TOKEN, the first there is. A token is the password of "x-access-token"; a
 *          header is the whole value, or `basic` or `bearer`, then the scheme of its token
 *          (a token with a colon in it is user and password).
 *          Over ssh the agent that --ssh calls `default`.
 * Host:    as in the URL; a name with the port counts before one without.
 * Hiding:  what is made of a secret is in no command line, no key and no message, and is
 *          overwritten. It goes to the place it was meant for: redirects to another are not
 *          followed with it, and another repository gets it only below the same
 *          github.com.
 * Errors:  ERR_USAGE: a secret that can't be a header's value.
 *
 * Spec: Docker's "Build secrets"; BuildKit's source/git and source/http where they differ.
 */
#ifndef CONTEXT_FETCHAUTH_H
#define CONTEXT_FETCHAUTH_H

#include "context/secret.h"
#include "context/ssh_agents.h"

struct fetch_auth {
	const struct secrets *secrets; /* NULL: none */
	const struct ssh_agents *ssh;  /* NULL: none */
};

/* The value of the header Authorization; NULL if nothing is given for the place. To be freed
 * with fetchauth_forget(). a: may be NULL. */
int fetchauth_web(const struct fetch_auth *a, const char *url, char **ret, struct err **e);
int fetchauth_git(const struct fetch_auth *a, const char *remote, char **ret, struct err **e);
/* The secret that would authorize a request to the URL's host. The caller frees. */
char *fetchauth_web_name(const char *url);
/* Which URLs git may use it for: the repository's own, or all of github.com. */
const char *fetchauth_git_scope(const char *remote);
/* The socket of the agent; NULL: none. Lent. */
const char *fetchauth_ssh(const struct fetch_auth *a);

/* Overwrites and frees. */
void fetchauth_forget(char *value);

#endif
