/*
 * mounts.h - what one command sees besides the image's own files (RUN --mount).
 *
 * Trees are opened in the namespace where the disks are, then a mount namespace of the
 * command's own is entered (etcfiles_enter()), then they are attached. Mount points that are
 * missing are made by the command's child; PID 1 has noted them before and removes what is
 * still empty afterwards, with the times of the directory above put back. Contents of
 * PROTO_MOUNT_FILE live in a directory of the initramfs, which no process of the image can
 * reach, and are overwritten when the command has ended. One command with mounts at a time.
 */
#ifndef AGENT_MOUNTS_H
#define AGENT_MOUNTS_H

#include "fail.h"
#include "proto.h"

/* Makes the directory for files and sockets. */
int mounts_init(const char *path, struct fail *f);
int mounts_store(void); /* that directory; -1: none */

/* PID 1, around the command. */
int mounts_begin(const struct proto_exec *x, struct fail *f);
void mounts_end(void);

/* The child that becomes the command: before and after it has its own namespace. */
struct mount_trees {
	int fd[PROTO_MOUNTS_MAX]; /* -1: made when it is attached */
};
int mounts_open(const struct proto_exec *x, struct mount_trees *ret, struct fail *f);
int mounts_attach(const struct proto_exec *x, const struct mount_trees *t, struct fail *f);

#endif
