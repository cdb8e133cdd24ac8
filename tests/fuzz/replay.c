/*
 * replay.c - runs the files of folders through a fuzz target, compiled by any compiler.
 *
 * Linked with one fuzz_X.c it becomes replay_X; its arguments are files or folders of inputs.
 * An input that crashes is named by the last line that was printed.
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_MAX_BYTES = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
/* Fuzz targets may have one. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *bytes;
	size_t n;

	if (!f || fstat(fileno(f), &st) || st.st_size > INPUT_MAX_BYTES) {
		perror(path);
		return -1;
	}
	/* An allocation of just the right size shows a sanitizer every byte read past it. */
	bytes = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (!bytes)
		abort();
	n = fread(bytes, 1, (size_t)st.st_size, f);
	fclose(f);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	return 0;
}

/* Returns how many inputs there were, or -1. */
static int replay(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return replay_file(path) ? -1 : 1;
	while (count >= 0 && (entry = readdir(dir))) {
		char *below = NULL;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&below, "%s/%s", path, entry->d_name) < 0)
			abort();
		count = replay_file(below) ? -1 : count + 1;
		free(below);
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int total = 0;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		int count = replay(argv[i]);

		if (count < 0)
			return 1;
		total += count;
	}
	printf("%d inputs\n", total);
	/* A corpus that is empty tests nothing. */
	return total ? 0 : 1;
}
