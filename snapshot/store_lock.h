/*
 * store_lock.h - who is making what: several builds at once do shared work once.
 *
 * Way:     before a result is made, its cache key is locked; whoever waited for it looks
 * whether the result is there by then, and makes it if not, as the first may have failed or
 * died. The lock (flock) is a file locks/<key>, which says who has it; the kernel lets it go
 * when its owner ends, however that ends. What a crash leaves of it is removed by
 * store_open().
 *
 * Deadlock: a thread waits for a key only while it holds none, and gets on with what it holds
 * by itself. It may try for the next key while it holds one, so that a chain of results isn't
 * torn from it; and it may wait then for what is only ever held by those who wait for no key:
 * the disk of a cache mount, then one of the machines that its build may run at a time.
 */
#ifndef SNAPSHOT_STORE_LOCK_H
#define SNAPSHOT_STORE_LOCK_H

#include "base/err.h"
#include "snapshot/store.h"

enum { STORE_HOLDER_MAX = 200 };

struct store_key;

/*
 * key: hex; who: a phrase for those who wait, as "the build of web". 1 with *ret; 0 if somebody
 * else has it: *ret_holder (owned by the caller) is their phrase and process id, "" if unknown.
 */
int store_key_try(struct store *s, const char *key, const char *who, struct store_key **ret,
		  char **ret_holder, struct err **e);
/* Waits for it. A signal ends the process (base/interrupt.h) or nothing. */
int store_key_wait(struct store *s, const char *key, const char *who, struct store_key **ret,
		   struct err **e);
/* Lets it go. */
void store_key_free(struct store_key *k);
DEFINE_AUTO(store_key)

#endif
