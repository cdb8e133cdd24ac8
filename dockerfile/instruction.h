/*
 * instruction.h - what every instruction may look like: its keyword, how many arguments, which
 * flags. Checked without expanding anything, so that a mistake in the last line shows before
 * any work.
 *
 * Errors: ERR_USAGE, bare ("unknown flag: --form (did you mean from?)"), with BuildKit's texts.
 *
 * Spec: BuildKit's frontend/dockerfile/instructions.
 */
#ifndef DOCKERFILE_INSTRUCTION_H
#define DOCKERFILE_INSTRUCTION_H

#include <stdbool.h>

#include "base/err.h"
#include "dockerfile/dockerfile.h"

int df_instruction_check(const struct df_instruction *in, struct err **e);

/* The value of a flag, given without its dashes: "" for a boolean without one, NULL if it isn't
 * there. */
const char *df_flag_get(const struct df_instruction *in, const char *name);
/* Of a checked boolean flag. */
bool df_flag_is_true(const struct df_instruction *in, const char *name);
/* Adds every value of a repeatable flag. */
void df_flag_all(const struct df_instruction *in, const char *name, struct strv *ret);

/* "FROM image AS Name": lower-case name of the stage, or "". The caller frees. Checked
 * instruction. */
char *df_stage_name(const struct df_instruction *from);

#endif
