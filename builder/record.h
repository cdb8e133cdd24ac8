/*
 * record.h - what a build was asked for and what each of its steps had for inputs, kept with
 * its log, so that a later one can say what has changed, what it will cost, and a failed step
 * can be entered again.
 *
 * Shape:   builds/<id>/inputs.json, one object; what is unknown is left out. A step's inputs
 * are parts: kind, name, value. The value of a file is its mode and the digest of its bytes
 * ("100644 ab12..."), of a link its target ("120777 -> to"). Secrets: never a value of one;
 * parts and options hold their ids only. Whatever else is longer than RECORD_VALUE_MAX is kept
 * as a digest, is_digest. Bounds:  RECORD_FILES_MAX files of a step and RECORD_BUILD_FILES_MAX
 * of a build are listed; the rest is counted. Trust:   the file may have been written by
 * anybody: sizes and kinds are checked when it is read, ERR_CORRUPT and ERR_LIMIT.
 */
#ifndef BUILDER_RECORD_H
#define BUILDER_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/vec.h"
#include "snapshot/store.h"

enum {
	RECORD_FORMAT = 1,
	RECORD_VALUE_MAX = 4096, /* bytes of a value that is kept as it is */
	RECORD_FILES_MAX = 8192,
	RECORD_BUILD_FILES_MAX = 32768,
	RECORD_STEPS_MAX = 10000, /* of a stage */
	RECORD_MOUNTS_MAX = 32,   /* of a failed step: as many as mount.h allows */
	RECORD_JSON_MAX = 32 << 20,
};

enum part_kind {
	PART_BASE,    /* what the stage stands on; on its first step. Value: digest or key */
	PART_FILE,    /* from a context; name: its path */
	PART_HEREDOC, /* name: of the inline file; value: digest */
	PART_ARG,
	PART_ENV,
	PART_COMMAND, /* what is run, word by word, or where a copy goes; name "" */
	PART_OPTION,  /* "USER", "WORKDIR", "--chown", ... */
	PART_MOUNT,   /* name: its target */
	PART_TREE,    /* "build:/out": content of a stage or image that is read */
	PART_KINDS
};
/* "file", "arg" ... */
const char *part_kind_name(enum part_kind kind);

struct record_part {
	enum part_kind kind;
	char *name, *value;
	bool is_digest; /* the value was too long: this is its digest */
};

enum step_outcome { STEP_NOT_REACHED, STEP_CACHED, STEP_RAN, STEP_FAILED, STEP_OUTCOMES };

struct record_step {
	char *text; /* the instruction, as written */
	int line;
	char key[SHA256_HEX + 1]; /* "" if it was never known */
	VEC(struct record_part) parts;
	size_t n_more_files; /* that are not among the parts */
	enum step_outcome outcome;
	int64_t run_ms; /* < 0: unknown */
	/* Of the layer's file, and of the file system after the step; 0: unknown. */
	uint64_t layer_bytes, used_bytes, used_inodes;
};

struct record_stage {
	char *label;          /* "build", "stage-1" */
	char *image, *digest; /* what it stands on; the image's digest, or "" */
	VEC(struct record_step) steps;
};

/* A mount of a failed step; numbers as struct mount has them. */
struct record_mount {
	char *kind; /* as mount_kind_name() has it */
	char *target, *source, *id, *env;
	char *from;      /* "context", "context NAME", "stage", "image", "" */
	char *from_key;  /* of the tree */
	char *from_disk; /* topmost disk of a stage or image, or "" */
	bool is_writable, is_required;
	uint64_t size_bytes;
	unsigned mode, uid, gid;
};

/* What is needed to stand where a RUN failed. */
struct record_failure {
	bool is_there;
	size_t stage, step;
	char *text;                      /* the instruction */
	char *why;                       /* as the build said it */
	char *disk;                      /* topmost disk of the last good state */
	struct strv argv, env, lost_env; /* lost: names whose values were too long */
	char *user, *cwd, *script_name, *script;
	bool has_no_network;
	VEC(struct record_mount) mounts;
};

struct record {
	/* What was asked for. Paths are absolute. */
	char *context_dir; /* a directory, or another word that contextsource.h takes */
	char *dockerfile;  /* -f; "": not given; "-": standard input */
	struct strv names, build_args, contexts, labels, secret_ids, lost_args;
	char *target; /* "" */
	bool has_no_cache;
	uint64_t disk_bytes;
	unsigned cpus, memory_mib;
	/* What became of it. */
	char *kiln_version;
	int64_t total_ms;                       /* < 0: it has not ended */
	uint64_t disk_used_bytes, memory_bytes; /* of the template that it made; 0: none */
	VEC(struct record_stage) stages;
	struct record_failure failure;
};

struct record *record_new(void);
void record_free(struct record *r);
DEFINE_AUTO(record)

/* Copies; a value that is too long becomes its digest. */
void record_add_part(struct record_step *s, enum part_kind kind, const char *name,
		     const char *value);
/* The same for "NAME=VALUE" lists: what is too long goes to *lost by its name. */
void record_copy_values(const struct strv *from, struct strv *to, struct strv *lost);

/* How long steps took that a build found cached: as the earlier record of the same keys has it.
 */
void record_carry_times(struct record *to, const struct record *from);

/* record_json.c */
struct json *record_to_json(const struct record *r);
int record_parse(const char *bytes, size_t n, struct record **ret, struct err **e);

/* 1 with *ret, 0 if the build left none. */
int record_read(const char *build_dir, struct record **ret, struct err **e);
int record_write(const struct record *r, const char *build_dir, struct err **e);

#endif
