#include "snapshot/qcow2.h"

#include <assert.h>
#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"

enum {
	MAGIC = 0x514649fb, /* "QFI\xfb" */
	VERSION_2_HEADER_BYTES = 72,
	CLUSTER_BITS = 16,
	CLUSTER_BITS_MIN = 9,
	CLUSTER_BITS_MAX = 21,
	REFCOUNT_ORDER = 4,              /* 16 bits */
	MAX_L1_ENTRIES = (32 << 20) / 8, /* QEMU's own bound */
	MAX_REFCOUNT_TABLE_BYTES = 8 << 20,
	HEADER_READ_BYTES = 512,
};

/* Incompatible feature bits. Dirty and corrupt files are refused: ours are neither. */
#define FEATURE_EXTENDED_L2 (1ULL << 4)

struct header {
	uint32_t magic;
	uint32_t version;
	uint64_t backing_file_offset;
	uint32_t backing_file_size;
	uint32_t cluster_bits;
	uint64_t size;
	uint32_t crypt_method;
	uint32_t l1_size;
	uint64_t l1_table_offset;
	uint64_t refcount_table_offset;
	uint32_t refcount_table_clusters;
	uint32_t n_snapshots;
	uint64_t snapshots_offset;
	uint64_t incompatible;
	uint64_t compatible;
	uint64_t autoclear;
	uint32_t refcount_order;
	uint32_t header_length;
} __attribute__((packed));

_Static_assert(sizeof(struct header) == QCOW2_HEADER_BYTES, "the header of version 3");

/* L1 entries for a disk: each stands for an L2 table, one cluster of 8-byte entries. */
static uint64_t l1_entries(uint64_t virtual_bytes, unsigned cluster_bits, unsigned entry_bytes)
{
	uint64_t per_entry = ((1ULL << cluster_bits) / entry_bytes) << cluster_bits;

	return (virtual_bytes + per_entry - 1) / per_entry;
}

static int write_tables(int fd, uint64_t virtual_bytes)
{
	uint64_t n_l1 = l1_entries(virtual_bytes, CLUSTER_BITS, 8);
	uint64_t l1_clusters = (n_l1 * 8 + QCOW2_CLUSTER_BYTES - 1) / QCOW2_CLUSTER_BYTES;
	uint64_t n_clusters = 3 + (l1_clusters ? l1_clusters : 1);
	uint64_t table = htobe64(2 * QCOW2_CLUSTER_BYTES);
	uint16_t counts[64];
	struct header h = {
		.magic = htobe32(MAGIC),
		.version = htobe32(3),
		.cluster_bits = htobe32(CLUSTER_BITS),
		.size = htobe64(virtual_bytes),
		.l1_size = htobe32((uint32_t)n_l1),
		.l1_table_offset = htobe64(3 * QCOW2_CLUSTER_BYTES),
		.refcount_table_offset = htobe64(QCOW2_CLUSTER_BYTES),
		.refcount_table_clusters = htobe32(1),
		.refcount_order = htobe32(REFCOUNT_ORDER),
		.header_length = htobe32(sizeof(struct header)),
	};

	/* At QCOW2_MAX_BYTES the L1 table has 32768 entries: 4 clusters. */
	assert(n_clusters <= sizeof(counts) / sizeof(counts[0]));
	for (uint64_t i = 0; i < n_clusters; i++)
		counts[i] = htobe16(1);
	/* What isn't written is a hole and reads as zero. */
	return ftruncate(fd, (off_t)(n_clusters * QCOW2_CLUSTER_BYTES)) ||
	       fs_pwrite_full(fd, &h, sizeof(h), 0) ||
	       fs_pwrite_full(fd, &table, sizeof(table), QCOW2_CLUSTER_BYTES) ||
	       fs_pwrite_full(fd, counts, n_clusters * sizeof(counts[0]),
			      2 * QCOW2_CLUSTER_BYTES);
}

int qcow2_create(const char *path, uint64_t virtual_bytes, struct err **e)
{
	autoclose int fd = -1;

	if (virtual_bytes == 0 || virtual_bytes % 512 || virtual_bytes > QCOW2_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "no disk can have %llu bytes",
			       (unsigned long long)virtual_bytes);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "making %s", path);
	if (write_tables(fd, virtual_bytes)) {
		err_sys(e, "writing %s", path);
		unlink(path);
		return -1;
	}
	return 0;
}

static void to_host_order(struct header *h)
{
	h->magic = be32toh(h->magic);
	h->version = be32toh(h->version);
	h->backing_file_offset = be64toh(h->backing_file_offset);
	h->backing_file_size = be32toh(h->backing_file_size);
	h->cluster_bits = be32toh(h->cluster_bits);
	h->size = be64toh(h->size);
	h->crypt_method = be32toh(h->crypt_method);
	h->l1_size = be32toh(h->l1_size);
	h->l1_table_offset = be64toh(h->l1_table_offset);
	h->refcount_table_offset = be64toh(h->refcount_table_offset);
	h->refcount_table_clusters = be32toh(h->refcount_table_clusters);
	h->n_snapshots = be32toh(h->n_snapshots);
	h->snapshots_offset = be64toh(h->snapshots_offset);
	h->incompatible = be64toh(h->incompatible);
	h->compatible = be64toh(h->compatible);
	h->autoclear = be64toh(h->autoclear);
	h->refcount_order = be32toh(h->refcount_order);
	h->header_length = be32toh(h->header_length);
}

/* A table of n_bytes at offset: on a cluster boundary, behind the header, inside the file. */
static bool fits(uint64_t offset, uint64_t n_bytes, uint64_t file_bytes, uint64_t cluster_bytes)
{
	return offset >= cluster_bytes && offset % cluster_bytes == 0 && offset <= file_bytes &&
	       n_bytes <= file_bytes - offset;
}

static int check_features(const struct header *h, struct err **e)
{
	if (h->backing_file_offset || h->backing_file_size)
		return err_set(e, ERR_CORRUPT, "it names a backing file");
	if (h->crypt_method)
		return err_set(e, ERR_CORRUPT, "it is encrypted");
	if (h->n_snapshots)
		return err_set(e, ERR_CORRUPT, "it has internal snapshots");
	if (h->incompatible & ~FEATURE_EXTENDED_L2)
		return err_set(
			e, ERR_CORRUPT,
			"it needs features that are not accepted (%#llx: dirty, corrupt, "
			"external data file, ...)",
			(unsigned long long)h->incompatible);
	/* Bitmaps and a raw external file: extensions of the header, tied to these bits. */
	if (h->autoclear)
		return err_set(e, ERR_CORRUPT, "it has bitmaps or raw external data");
	return 0;
}

static int check_sizes(const struct header *h, uint64_t file_bytes, struct err **e)
{
	uint64_t cluster_bytes;
	unsigned entry_bytes = h->incompatible & FEATURE_EXTENDED_L2 ? 16 : 8;

	if (h->cluster_bits < CLUSTER_BITS_MIN || h->cluster_bits > CLUSTER_BITS_MAX)
		return err_set(e, ERR_CORRUPT, "clusters of 2^%u bytes", h->cluster_bits);
	if (h->size == 0 || h->size % 512 || h->size > QCOW2_MAX_BYTES)
		return err_set(e, ERR_CORRUPT, "a disk of %llu bytes",
			       (unsigned long long)h->size);
	if (h->refcount_order > 6)
		return err_set(e, ERR_CORRUPT, "reference counts of 2^%u bits",
			       h->refcount_order);
	if (h->header_length < QCOW2_HEADER_BYTES || h->header_length > 4096)
		return err_set(e, ERR_CORRUPT, "a header of %u bytes", h->header_length);
	cluster_bytes = 1ULL << h->cluster_bits;
	if (h->l1_size > MAX_L1_ENTRIES ||
	    h->l1_size < l1_entries(h->size, h->cluster_bits, entry_bytes) ||
	    !fits(h->l1_table_offset, (uint64_t)h->l1_size * 8, file_bytes, cluster_bytes))
		return err_set(e, ERR_CORRUPT, "its L1 table is not in the file");
	if (h->refcount_table_clusters == 0 ||
	    h->refcount_table_clusters > MAX_REFCOUNT_TABLE_BYTES / cluster_bytes ||
	    !fits(h->refcount_table_offset, h->refcount_table_clusters * cluster_bytes,
		  file_bytes, cluster_bytes))
		return err_set(e, ERR_CORRUPT, "its reference count table is not in the file");
	return 0;
}

int qcow2_header_check(const uint8_t *bytes, size_t n, uint64_t file_bytes,
		       struct qcow2_info *ret, struct err **e)
{
	struct header h = { 0 };

	memcpy(&h, bytes, n < sizeof(h) ? n : sizeof(h));
	to_host_order(&h);
	if (n < VERSION_2_HEADER_BYTES || h.magic != MAGIC)
		return err_set(e, ERR_CORRUPT, "it is no qcow2 file");
	if (h.version != 3 || n < sizeof(h))
		return err_set(e, ERR_CORRUPT, "it is qcow2 of version %u, not 3", h.version);
	if (check_features(&h, e) || check_sizes(&h, file_bytes, e))
		return -1;
	*ret = (struct qcow2_info){
		.virtual_bytes = h.size,
		.cluster_bytes = 1U << h.cluster_bits,
	};
	return 0;
}

int qcow2_check(const char *path, struct qcow2_info *ret, struct err **e)
{
	uint8_t bytes[HEADER_READ_BYTES];
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOTFOUND, "there is no disk %s", path);
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "opening disk %s", path);
	n = pread(fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return err_sys(e, "reading disk %s", path);
	if (qcow2_header_check(bytes, (size_t)n, (uint64_t)st.st_size, ret, e))
		return err_wrap(e, "disk %s", path);
	return 0;
}
