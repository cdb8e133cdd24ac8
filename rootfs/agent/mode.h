/* mode.h - --chmod: octal, or symbolic as chmod(1) has it ("u=rwX,go=rX", "+x", "a+X"). */
#ifndef AGENT_MODE_H
#define AGENT_MODE_H

#include <stdbool.h>
#include <sys/types.h>

/* The permissions a file gets that has `mode`. -1: text is no mode. "" leaves it. */
int mode_apply(const char *text, mode_t mode, mode_t *ret);
bool mode_is_octal(const char *text);

#endif
