/*
 * vec.h - growing array over any struct { T *at; size_t n, cap; } that starts zeroed.
 *
 * Elements move when it grows: keep indexes, not pointers. vec_release() frees the array, not
 * what elements own.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>

#include "base/auto.h"

#define VEC(T)                 \
	struct {               \
		T *at;         \
		size_t n, cap; \
	}

#define vec_push(v, x)                                                            \
	do {                                                                      \
		if ((v)->n == (v)->cap) {                                         \
			(v)->cap = (v)->cap ? (v)->cap * 2 : 8;                   \
			(v)->at = xrealloc((v)->at, (v)->cap * sizeof(*(v)->at)); \
		}                                                                 \
		(v)->at[(v)->n++] = (x);                                          \
	} while (0)

/* Empty, `at` may be NULL, to which C lets not even 0 be added. */
#define vec_each(it, v) \
	for (__typeof__(*(v)->at) *it = (v)->at; it && it < (v)->at + (v)->n; it++)

#define vec_release(v)                 \
	do {                           \
		free((v)->at);         \
		(v)->at = NULL;        \
		(v)->n = (v)->cap = 0; \
	} while (0)

#endif
