/*
 * auto.h - give things back at the end of the scope (GCC and clang `cleanup` attribute).
 *
 * Every owner is declared with its empty value (NULL, -1) and is released in reverse order of
 * declaration. take() and take_fd() give a thing away: they return it and leave the empty value
 * behind.
 */
#ifndef BASE_AUTO_H
#define BASE_AUTO_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define autofree __attribute__((cleanup(auto_free_)))
#define autoclose __attribute__((cleanup(auto_close_))) /* keeps errno */
#define AUTO(T) __attribute__((cleanup(T##_auto_))) struct T *

/* Stands under the declaration of T_free(), which must accept NULL. */
#define DEFINE_AUTO(T)                             \
	static inline void T##_auto_(struct T **p) \
	{                                          \
		T##_free(*p);                      \
	}

#define take(p)                             \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#define take_fd(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

static inline void auto_free_(void *p)
{
	free(*(void **)p);
}

static inline void auto_close_(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}

/* Memory on the host aborts when it is gone: no code path exists that nobody can test. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
