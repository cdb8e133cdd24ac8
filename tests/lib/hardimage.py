"""hardimage.py DIR: two tars, DIR/lower.tar and DIR/upper.tar, with what is hard about image layers:
whiteouts, opaque directories, links across layers, changed types, long names, attributes, holes."""

import io
import os
import sys
import tarfile


class Layer:
    def __init__(self, path):
        self.tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)

    def add(self, name, kind=tarfile.REGTYPE, data=b"", mode=0o644, **more):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.size = kind, mode, len(data)
        info.mtime = more.pop("mtime", 1600000000)
        for key, value in more.items():
            setattr(info, key, value)
        self.tar.addfile(info, io.BytesIO(data))

    def dir(self, name, mode=0o755, **more):
        self.add(name, tarfile.DIRTYPE, mode=mode, **more)

    def link(self, name, target):
        self.add(name, tarfile.LNKTYPE, linkname=target)

    def symlink(self, name, target):
        self.add(name, tarfile.SYMTYPE, linkname=target, mode=0o777)

    def whiteout(self, name):
        head, tail = os.path.split(name)
        self.add(os.path.join(head, ".wh." + tail))

    def opaque(self, name):
        self.add(name + "/.wh..wh..opq")


def lower(path):
    t = Layer(path)
    t.dir("./", mode=0o755)
    t.dir("etc")
    t.add("etc/plain", data=b"plain\n")
    t.add("etc/setuid", data=b"x", mode=0o4755, uid=7, gid=8)
    t.add("etc/sticky-and-owner", data=b"x", mode=0o1640, uid=70000, gid=4000000)
    t.add("etc/old", data=b"x", mtime=1)
    t.add("etc/future", data=b"x", mtime=5000000000)
    t.add("empty")
    t.dir("gone/deep/er")
    t.add("gone/deep/er/file", data=b"x")
    t.add("gone-file", data=b"x")
    t.dir("opaque")
    t.add("opaque/lower", data=b"lower")
    t.dir("opaque/lowerdir")
    t.add("opaque/lowerdir/x", data=b"x")
    t.add("file-to-dir", data=b"x")
    t.dir("dir-to-file")
    t.add("dir-to-file/below", data=b"x")
    t.dir("dir-to-link")
    t.add("dir-to-link/below", data=b"x")
    t.add("linked", data=b"several names\n")
    t.link("linked2", "linked")
    t.link("etc/linked3", "linked")
    t.symlink("short", "etc/plain")
    t.symlink("long", "x/" * 40 + "y")
    t.symlink("longest", "z" * 1024)
    t.symlink("absolute", "/etc/plain")
    t.add("a" * 255, data=b"longest name")
    t.add("d/" * 60 + "deep", data=b"no parent was listed")
    t.add("name with blanks, ü and \\", data=b"x")
    t.add("big", data=bytes(range(256)) * 20_000)
    t.add("zeros", data=bytes(3_000_000))
    t.dir("many")
    for i in range(3000):
        t.add(f"many/file-{i:05d}-with-a-rather-long-name", data=b"%d" % i)
    t.add("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
    t.add("wide", tarfile.CHRTYPE, devmajor=511, devminor=70000)
    t.add("disk", tarfile.BLKTYPE, devmajor=8, devminor=1, mode=0o660)
    t.add("pipe", tarfile.FIFOTYPE, mode=0o600)
    t.add("attributes", data=b"x", pax_headers={"SCHILY.xattr.user.one": "1",
                                                "SCHILY.xattr.user.two": "v" * 200})
    t.dir("dir-attributes", pax_headers={"SCHILY.xattr.user.dir": "d"})
    t.add("capable", data=b"x", mode=0o755, pax_headers={
        "SCHILY.xattr.security.capability": b"\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0".decode("latin-1")})
    t.add("e\u0301 in two letters", data=b"decomposed")
    t.add("\u00e9 in one letter", data=b"composed")
    t.add("no text: \udcff\udc80\udcfe", data=b"bytes")
    t.add("before-1970", data=b"x", pax_headers={"mtime": "-1.25"})
    t.add("up/and/../down", data=b"through a folder that is named, not made")
    t.symlink("turns", "missing/../turned")
    t.dir("turned")
    t.symlink("to-be-linked", "etc/plain")
    t.link("link-of-link", "to-be-linked")
    t.add("holes", data=b"abcde", pax_headers={
        "GNU.sparse.size": "30000", "GNU.sparse.numblocks": "2", "GNU.sparse.map": "2,3,20000,2", "GNU.sparse.name": "holes"})
    t.add("twice", data=b"first")
    t.add("twice", data=b"second", mode=0o600)
    t.tar.close()


def upper(path):
    t = Layer(path)
    t.whiteout("gone")
    t.whiteout("gone-file")
    t.whiteout("never-was-there")
    # The order within a layer doesn't matter: what the layer brings itself stays.
    t.add("opaque/upper", data=b"upper")
    t.opaque("opaque")
    t.add("opaque/later", data=b"later")
    t.dir("file-to-dir")
    t.add("file-to-dir/below", data=b"x")
    t.add("dir-to-file", data=b"now a file")
    t.symlink("dir-to-link", "etc")
    t.add("turns/below", data=b"through a symlink of the layer below")
    t.link("linked4", "linked")
    t.add("linked2", data=b"no longer linked")
    t.dir("etc", mode=0o711, uid=3)
    t.add("etc/plain", data=b"changed\n")
    t.whiteout("short")
    t.add("short", data=b"whiteout and file of one name")
    t.tar.close()


lower(os.path.join(sys.argv[1], "lower.tar"))
upper(os.path.join(sys.argv[1], "upper.tar"))
