/* The tar of an archive, and manifest.json of Docker's: by itself, and as a file of the tar. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "oci/dockerarchive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const char *bytes, size_t n)
{
	struct docker_images images = { .list = { 0 } };
	AUTO(err) e = NULL;

	if (docker_images_parse(bytes, n, &images, &e) == 0)
		vec_each (image, &images.list)
			if (!image->config)
				abort();
	docker_images_release(&images);
}

/* Whatever is found lies inside of the file. */
static void check_tar(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "manifest.json", "a/layer.tar", "index.json", "" };
	int fd = memfd_create("tar", MFD_CLOEXEC);
	AUTO(tarball) tar = NULL;
	AUTO(err) e = NULL;

	if (fd < 0 || fs_pwrite_full(fd, data, size, 0))
		abort();
	if (tarball_open_fd(fd, "tar", &tar, &e))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int64_t at, n;
		autostr bytes = STR_INIT;
		AUTO(err) why = NULL;

		if (!tarball_find(tar, names[i], &at, &n))
			continue;
		if (at < 0 || n < 0 || at + n > (int64_t)size)
			abort();
		if (tarball_read(tar, names[i], 1 << 16, &bytes, &why) == 0)
			check_manifest(bytes.at, bytes.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_manifest((const char *)data, size);
	check_tar(data, size);
	return 0;
}
