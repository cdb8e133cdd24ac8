/* commands.h - every verb of the command line; main.c holds the table. One .c file per verb or
 * family of verbs. */
#ifndef BUILDER_COMMANDS_H
#define BUILDER_COMMANDS_H

#include "builder/options.h"

int cmd_build(const struct command *self, int argc, char **argv, struct err **e);
int cmd_explain(const struct command *self, int argc, char **argv, struct err **e);
int cmd_debug(const struct command *self, int argc, char **argv, struct err **e);
int cmd_run(const struct command *self, int argc, char **argv, struct err **e);
int cmd_flatten(const struct command *self, int argc, char **argv, struct err **e);
int cmd_ls(const struct command *self, int argc, char **argv, struct err **e);
int cmd_inspect(const struct command *self, int argc, char **argv, struct err **e);
int cmd_rm(const struct command *self, int argc, char **argv, struct err **e);
int cmd_prune(const struct command *self, int argc, char **argv, struct err **e);
int cmd_logs(const struct command *self, int argc, char **argv, struct err **e);
int cmd_doctor(const struct command *self, int argc, char **argv, struct err **e);
int cmd_dockerfile(const struct command *self, int argc, char **argv, struct err **e);

#endif
