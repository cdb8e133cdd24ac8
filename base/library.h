/*
 * library.h - shared libraries that are loaded when they are first needed.
 *
 * libcurl and libarchive bring thirty others with them, which the dynamic linker maps and
 * relocates: three quarters of what it takes to start kiln, while a clone needs neither. So the
 * one file that uses such a library lists the functions it wants, and the compiler checks their
 * types as usual:
 *
 *     #define FUNCTIONS(F) F(archive_read_new) F(archive_read_free)
 *     static struct { FUNCTIONS(LIBRARY_MEMBER) } lib;
 *     static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) };
 *     library_load("libarchive.so.13", names, &lib, sizeof(lib));      (once, see pthread_once)
 *     lib.archive_read_new();
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stddef.h>

#define LIBRARY_MEMBER(name) __typeof__(name) *name;
#define LIBRARY_NAME(name) #name,

/*
 * Fills a struct of `bytes` with the functions `names`, in their order. A library that is
 * missing, or of another kind, ends the program with status 127 and a sentence, as it would if
 * the dynamic linker had looked for it.
 */
void library_load(const char *soname, const char *const *names, void *ret, size_t bytes);

#endif
