"""tree.py dir DIR | tree.py ext4 FILE WORKDIR: lists a tree, a line per name, for comparing.

A line is: path, type and mode, uid:gid, mtime, and by type the SHA-256
of the bytes, the target of the link, or the device; then the names of extended attributes, and for a
file with several names the first of them. An ext4 image is read with debugfs: nothing is mounted.
WORKDIR takes what the image holds (debugfs rdump).
"""

import hashlib
import os
import re
import stat
import subprocess
import sys


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while data := f.read(1 << 20):
            h.update(data)
    return h.hexdigest()[:16]


class Entry:
    """What is compared of one name."""

    def __init__(self, path, mode, uid, gid, mtime, ino, content, xattrs):
        self.path, self.mode, self.uid, self.gid = path, mode, uid, gid
        self.mtime, self.ino, self.content, self.xattrs = mtime, ino, content, sorted(xattrs)

    def line(self, first_name):
        link = "" if stat.S_ISDIR(self.mode) or first_name == self.path else f" = {first_name}"
        return (
            f"{self.path} {stat.filemode(self.mode)} {self.uid}:{self.gid} {self.mtime} "
            f"{self.content} {','.join(self.xattrs)}{link}"
        )


def show(entries):
    first = {}
    for e in sorted(entries, key=lambda e: e.path):
        print(e.line(first.setdefault(e.ino, e.path)))


def from_dir(root):
    for path, dirs, files in os.walk(root):
        for name in dirs + files:
            full = os.path.join(path, name)
            st = os.lstat(full)
            yield Entry(
                os.path.relpath(full, root),
                st.st_mode,
                st.st_uid,
                st.st_gid,
                st.st_mtime_ns // 10**9,
                st.st_ino,
                content(full, st),
                # The judge's own bookkeeping.
                [x for x in os.listxattr(full, follow_symlinks=False)
                 if not x.startswith(("user.rootlesscontainers", "security.selinux"))],
            )


def content(full, st):
    if stat.S_ISREG(st.st_mode):
        return sha256(full)
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(full)
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        return f"{os.major(st.st_rdev)},{os.minor(st.st_rdev)}"
    return "-"


def debugfs(image, commands):
    """Output of each command."""
    script = "".join(f"{c}\n" for c in commands)
    out = subprocess.run(
        ["debugfs", "-f", "-", image], input=script.encode(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, check=True,
    ).stdout.decode("utf-8", "surrogateescape")
    parts = re.split(r"^debugfs: .*\n", out, flags=re.M)[1:]
    assert len(parts) == len(commands), (len(parts), len(commands))
    return parts


def ext4_names(image):
    """(path, inode number, mode, uid, gid), level by level."""
    level = [("", 2)]
    while level:
        below = []
        for (path, _), text in zip(level, debugfs(image, [f"ls -p <{ino}>" for _, ino in level])):
            for line in text.splitlines():
                if not line.startswith("/"):
                    continue
                _, ino, mode, uid, gid, name = line.split("/", 5)
                name = name.rsplit("/", 2)[0]
                if name in (".", "..") or ino == "0" or (path == "" and name == "lost+found"):
                    continue
                full = os.path.join(path, name)
                yield full, int(ino), int(mode, 8), int(uid), int(gid)
                if stat.S_ISDIR(int(mode, 8)):
                    below.append((full, int(ino)))
        level = below


def from_ext4(image, work):
    names = list(ext4_names(image))
    inodes = sorted({n[1] for n in names})
    stats = dict(zip(inodes, debugfs(image, [f"stat <{i}>" for i in inodes])))
    debugfs(image, [f'rdump / "{work}"'])
    for path, ino, mode, uid, gid in names:
        text = stats[ino]
        full = os.path.join(work, path)
        if stat.S_ISREG(mode):
            what = sha256(full)
        elif stat.S_ISLNK(mode):
            what = os.readlink(full)
        elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            what = re.search(r"Device major/minor number: (\d+):(\d+)", text)
            what = f"{int(what[1])},{int(what[2])}"
        else:
            what = "-"
        xattrs = re.findall(r"^  ([a-z]+\.\S+) \(\d+\)", text.partition("Extended attributes:")[2], re.M)
        yield Entry(path, mode, uid, gid, mtime_of(text), ino, what, xattrs)


def mtime_of(text):
    """The low 32 bits and the two more that ext4 keeps beside the nanoseconds."""
    low, extra = re.search(r"mtime: 0x([0-9a-f]{8}):?([0-9a-f]{8})?", text).groups()
    low = int(low, 16)
    low -= (low & 1 << 31) << 1
    return low + ((int(extra, 16) & 3) << 32 if extra else 0)


if sys.argv[1] == "dir":
    show(from_dir(sys.argv[2]))
else:
    show(from_ext4(sys.argv[2], sys.argv[3]))
