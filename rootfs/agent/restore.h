/*
 * restore.h - what makes one machine out of a snapshot that many are resumed from: clock,
 * random pool, names.
 */
#ifndef AGENT_RESTORE_H
#define AGENT_RESTORE_H

#include "fail.h"
#include "proto.h"

/* Before the snapshot: what needs not be done after it. */
int restore_prepare(struct fail *f);
int restore_identify(const struct proto_identify *i, bool has_network, struct fail *f);
int restore_set_hostname(const char *hostname, bool has_network, struct fail *f);
/* Its last part, by itself. */
int restore_keep_env(const struct proto_strings *v, struct fail *f);
/* What IDENTIFY added to the environment of every later command. NULL-terminated, never NULL.
 */
char *const *restore_env(void);

#endif
