#include "builder/commands.h"
int cmd_debug(const struct command *self, int argc, char **argv, struct err **e)
{
	(void)self;
	(void)argc;
	(void)argv;
	return err_set(e, ERR_BUG, "x");
}
