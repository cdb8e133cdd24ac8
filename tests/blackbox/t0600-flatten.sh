#!/bin/bash
# kiln flatten: image to ext4, judged by e2fsck, debugfs and umoci unpack.
# takes: 60 s
. "$(dirname "$0")/../lib/lib.sh"

# compare LAYOUT:TAG: with what umoci unpacks. Owners and devices need root for that.
compare()
{
	[ "$(id -u)" = 0 ] || skip "umoci unpacks owners as root only"
	rm -rf bundle flat.ext4 dump
	mkdir dump
	ok umoci unpack --image "$1" bundle
	ok kiln flatten "oci:$1" -o flat.ext4
	ok e2fsck -fn flat.ext4
	python3 "$TOP/tests/lib/tree.py" dir bundle/rootfs >umoci.list
	python3 "$TOP/tests/lib/tree.py" ext4 flat.ext4 "$TMP/dump" >kiln.list
	[ "$(wc -l <umoci.list)" -gt 50 ] || no "umoci's list is short"
	# The time of folders that no layer lists is anyone's.
	sed -i -E 's,^(d(/d)*) (drwxr-xr-x) 0:0 [0-9]+ ,\1 \3 ,' umoci.list kiln.list
	run true
	diff umoci.list kiln.list >different || {
		cut -c1-200 different | head -n 30
		no "not what umoci unpacks: $(wc -l <different) lines"
	}
}

debian_base()
{
	compare "$BUILD/images/debian:12"
}

busybox_base()
{
	compare "$BUILD/images/busybox:1"
}

hard_image()
{
	make_hard
	compare hard:1
}

make_hard()
{
	[ ! -d hard ] || return 0
	python3 "$TOP/tests/lib/hardimage.py" .
	umoci init --layout hard
	umoci new --image hard:1
	umoci raw add-layer --image hard:1 lower.tar
	umoci raw add-layer --image hard:1 upper.tar
}

# Real changes, as umoci itself writes them down.
repacked()
{
	rm -rf bundle repacked
	cp -r "$BUILD/images/busybox" repacked
	[ "$(id -u)" = 0 ] || skip "umoci unpacks owners as root only"
	umoci unpack --image repacked:1 bundle
	rm bundle/rootfs/bin/wget
	rm -r bundle/rootfs/home
	mkdir bundle/rootfs/home bundle/rootfs/new
	echo new >bundle/rootfs/new/file
	chmod 600 bundle/rootfs/etc/passwd
	ln bundle/rootfs/new/file bundle/rootfs/new/link
	umoci repack --image repacked:2 bundle
	compare repacked:2
}

same_bytes()
{
	make_hard
	for image in "$BUILD/images/debian:12" hard:1; do
		ok kiln flatten "oci:$image" -o one.ext4
		KILN_HOME=$TMP/elsewhere SOURCE_DATE_EPOCH=5 TZ=Asia/Tokyo ok kiln flatten "oci:$image" -o two.ext4
		cmp one.ext4 two.ext4 || no "two runs, two files: $image"
	done
}

compressions()
{
	make_hard
	skopeo copy -q --dest-compress-format zstd oci:hard:1 oci:zstd:1
	skopeo copy -q --dest-decompress oci:hard:1 dir:plain 2>/dev/null || true
	grep -q zstd zstd/blobs/sha256/"$(json zstd/index.json 'j["manifests"][0]["digest"][7:]')" ||
		no "skopeo wrote no zstd"
	ok kiln flatten oci:hard:1 -o gzip.ext4
	ok kiln flatten oci:zstd:1 -o zstd.ext4
	ok e2fsck -fn zstd.ext4
	cmp gzip.ext4 zstd.ext4 || no "the same layers, two files"
}

from_a_registry()
{
	make_hard
	registry_start
	push hard:1 test/hard:1
	ok kiln flatten "$REGISTRY/test/hard:1" -o pulled.ext4
	ok kiln flatten oci:hard:1 -o local.ext4
	cmp pulled.ext4 local.ext4
}

fits()
{
	ok kiln flatten "oci:$BUILD/images/debian:12" -o flat.ext4
	local used size
	size=$(stat -c %s flat.ext4)
	used=$(dumpe2fs -h flat.ext4 2>/dev/null | awk '/^Free blocks/ { f = $3 } /^Block count/ { c = $3 }
		END { print (c - f) * 4096 }')
	[ $((size * 100)) -le $((used * 115)) ] || no "$size bytes for $used"
	dumpe2fs -h flat.ext4 2>/dev/null >about
	grep -q has_journal about && grep -q metadata_csum about && grep -q extent about
}

replaces_its_own()
{
	echo old >there.ext4
	ok kiln flatten "oci:$BUILD/images/busybox:1" -o there.ext4
	ok e2fsck -fn there.ext4
	is "$(find . -maxdepth 1 -name 'there.ext4?*')" ""
}

memory_stays_small()
{
	python3 "$TOP/tests/lib/peak.py" peak "$KILN" flatten "oci:$BUILD/images/debian:12" -o flat.ext4
	[ -n "${SAN:-}" ] || [ "$(cat peak)" -lt 65536 ] || no "kiln took $(cat peak) KiB"
}

# hostile TAR: a layer that is meant to do harm is refused, or does none.
hostile()
{
	rm -rf hostile hostile.ext4
	umoci init --layout hostile >/dev/null
	umoci new --image hostile:1 >/dev/null
	umoci raw add-layer --image hostile:1 "$1" >/dev/null
	run kiln flatten oci:hostile:1 -o hostile.ext4
	case $STATUS in
	0) e2fsck -fn hostile.ext4 || no "e2fsck: $1" ;;
	6) says_one_line layer && [ ! -e hostile.ext4 ] ;;
	*) no "status $STATUS: $1" ;;
	esac
}

hostile_layers()
{
	python3 - <<-'END'
		import io, tarfile
		def tar(name, *members):
		    with tarfile.open(name, "w", format=tarfile.PAX_FORMAT) as t:
		        for kind, path, link in members:
		            i = tarfile.TarInfo(path)
		            i.type, i.linkname = kind, link
		            t.addfile(i)
		R, L, S, D = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
		tar("up.tar", (R, "../../up", ""))
		tar("link-up.tar", (L, "x", "../../../etc/passwd"))
		tar("link-self.tar", (L, "x", "x"))
		tar("link-dir.tar", (D, "d", ""), (L, "x", "d"))
		tar("link-nowhere.tar", (L, "x", "nosuch"))
		tar("through.tar", (S, "s", "/etc"), (R, "s/below", ""))
		tar("long.tar", (R, "n" * 256, ""))
		tar("deep.tar", (R, "d/" * 3000 + "f", ""))
		tar("root.tar", (R, ".", ""))
		tar("wh.tar", (R, ".wh.", ""), (R, ".wh..", ""), (R, ".wh...", ""))
	END
	for t in up link-up link-self link-dir link-nowhere through long deep root wh; do
		hostile $t.tar || return 1
	done
	# Cut in the middle of a file.
	make_hard
	head -c 2000000 lower.tar >cut.tar
	hostile cut.tar
}

it "the Debian base is what umoci unpacks" debian_base
it "the busybox base is, too" busybox_base
it "an image with all that is hard is, too" hard_image
it "and one that umoci repacked" repacked
it "the same image gives the same bytes" same_bytes
it "gzip and zstd give the same bytes" compressions
it "registry and layout give the same bytes" from_a_registry
it "the file fits, with journal, checksums and extents" fits
it "an existing file is replaced as a whole" replaces_its_own
it "kiln stays under 64 MiB" memory_stays_small
it "hostile layers are refused, or do no harm" hostile_layers
