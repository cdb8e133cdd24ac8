#include "base/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *found)
{
	if (found)
		return found;
	fprintf(stderr, "kiln: error while loading shared libraries: %s\n", dlerror());
	exit(127);
}

void library_load(const char *soname, const char *const *names, void *ret, size_t bytes)
{
	void *library = need(dlopen(soname, RTLD_NOW | RTLD_LOCAL));
	char *at = ret;

	for (size_t i = 0; i < bytes / sizeof(void *); i++) {
		void *function = need(dlsym(library, names[i]));

		memcpy(at + i * sizeof(function), &function, sizeof(function));
	}
}
