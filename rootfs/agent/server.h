/*
 * server.h - the agent's one loop: requests in, answers and output out, children reaped.
 */
#ifndef AGENT_SERVER_H
#define AGENT_SERVER_H

#include <stdbool.h>

struct server_opts {
	int fd;       /* to the host; taken */
	bool is_init; /* we are PID 1 of a machine. Else (tests): SETUP, IDENTIFY, QUIESCE
			 and FREEZE are answered, but this machine is left as it is */
	int context;  /* tests: what COPY reads, else -1 */
};

/* Runs until the host's end of a socket is closed (0) or it cannot go on (-1 with errno). A
 * port never ends. */
int server_run(const struct server_opts *o);

#endif
