#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "etcfiles.h"
#include "sysfile.h"

enum { ENV_MAX = 256, ENV_BYTES = 32 << 10, MACHINE_ID_CHARS = 32 };

static char env_bytes[ENV_BYTES];
static char *env[ENV_MAX + 1];
static int random_fd = -1;

char *const *restore_env(void)
{
	return env;
}

static int set_clock(const struct proto_identify *i, struct fail *f)
{
	struct timespec now = { .tv_sec = i->now_sec, .tv_nsec = (long)i->now_nsec };

	if (clock_settime(CLOCK_REALTIME, &now))
		return fail_sys(f, "setting the guest's clock");
	return 0;
}

int restore_prepare(struct fail *f)
{
	if (random_fd < 0)
		random_fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	return random_fd < 0 ? fail_sys(f, "opening the guest's /dev/urandom") : 0;
}

/* The pool has the state of the snapshot, which all clones share: the seed is credited and
 * mixed in before anybody may draw from it (random(4)). */
static int seed_random(const uint8_t seed[PROTO_SEED_BYTES], struct fail *f)
{
	/* struct rand_pool_info, whose last member has no size of its own. */
	struct {
		int entropy_bits, bytes;
		uint8_t seed[PROTO_SEED_BYTES];
	} info = { PROTO_SEED_BYTES * 8, PROTO_SEED_BYTES, { 0 } };
	int done;

	if (restore_prepare(f))
		return -1;
	memcpy(info.seed, seed, PROTO_SEED_BYTES);
	done = ioctl(random_fd, RNDADDENTROPY, &info) || ioctl(random_fd, RNDRESEEDCRNG) ? -1
											 : 0;
	if (done)
		fail_sys(f, "seeding the guest's random pool");
	explicit_bzero(&info, sizeof(info));
	return done;
}

int restore_set_hostname(const char *hostname, bool has_network, struct fail *f)
{
	if (sethostname(hostname, strlen(hostname)))
		return fail_sys(f, "setting the guest's hostname to %s", hostname);
	return etcfiles_set_hostname(hostname, has_network, f);
}

static int set_machine_id(const char *id, struct fail *f)
{
	if (strspn(id, "0123456789abcdef") != MACHINE_ID_CHARS || id[MACHINE_ID_CHARS])
		return fail_set(f, PROTO_FAIL_REQUEST, "a machine id has 32 hex digits");
	return etcfiles_set_machine_id(id, f);
}

int restore_keep_env(const struct proto_strings *v, struct fail *f)
{
	size_t used = 0;

	env[0] = NULL;
	for (size_t i = 0; i < v->n; i++) {
		size_t n = strlen(v->at[i]) + 1;

		if (i >= ENV_MAX || n > sizeof(env_bytes) - used)
			return fail_set(f, PROTO_FAIL_LIMIT,
					"the sandbox's environment is larger than %d bytes",
					ENV_BYTES);
		env[i] = memcpy(env_bytes + used, v->at[i], n);
		env[i + 1] = NULL;
		used += n;
	}
	return 0;
}

int restore_identify(const struct proto_identify *i, bool has_network, struct fail *f)
{
	if (set_clock(i, f) || seed_random(i->seed, f))
		return -1;
	if (*i->hostname && restore_set_hostname(i->hostname, has_network, f))
		return -1;
	if (*i->machine_id && set_machine_id(i->machine_id, f))
		return -1;
	return restore_keep_env(&i->env, f);
}
