/*
 * kiln-agent - /init of every guest: boots it, then does what the host asks for, until the end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "fail.h"
#include "server.h"

/* On the console, where the host finds it. PID 1 then ends, and the kernel stops the machine.
 */
static int give_up(const struct fail *f)
{
	dprintf(2, "kiln-agent: %s%s%s\n", f->msg, f->sys ? ": " : "",
		f->sys ? strerror(f->sys) : "");
	return 1;
}

int main(void)
{
	static struct fail f;
	struct server_opts o = { .is_init = true, .context = -1 };

	if (getpid() != 1) {
		dprintf(2, "kiln-agent: this is the init process of kiln's guests\n");
		return 2;
	}
	if (boot_begin(&f) || boot_port(&o.fd, &f))
		return give_up(&f);
	server_run(&o);
	fail_sys(&f, "talking to the host");
	return give_up(&f);
}
