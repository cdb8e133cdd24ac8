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
	sed -i -E 's,^(d(/d)*|up) (drwxr-xr-x) 0:0 [0-9]+ ,\1 \3 ,' umoci.list kiln.list
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

# One core or two, and another home: the order in which threads come to work leaves no trace.
same_bytes_on_one_core()
{
	make_hard
	ok kiln flatten oci:hard:1 -o two.ext4
	KILN_HOME=$TMP/one-core ok taskset -c 0 "$KILN" flatten oci:hard:1 -o one.ext4
	cmp one.ext4 two.ext4
}

# once NAME: an image of a registry of its own, flattened once.
once()
{
	make_hard
	registry_start
	push hard:1 "$1"
	IMAGE=$REGISTRY/$1
	ok kiln flatten "$IMAGE" -o first.ext4
}

again_without_network()
{
	once test/again:1
	kill "$REGISTRY_PID"
	ok kiln flatten "$IMAGE" -o second.ext4
	cmp first.ext4 second.ext4 || return 1
	fails 5 kiln flatten --pull "$IMAGE" -o third.ext4
	says_one_line "$IMAGE"
	[ ! -e third.ext4 ]
}

pull_asks_again()
{
	once test/moved:1
	push "$BUILD/images/busybox:1" test/moved:1
	ok kiln flatten "$IMAGE" -o second.ext4
	cmp first.ext4 second.ext4 || return 1
	ok kiln flatten --pull "$IMAGE" -o third.ext4
	debugfs -R "stat /bin/busybox" third.ext4 2>/dev/null | grep -q "Type: regular"
}

damaged_blob()
{
	once test/damaged:1
	local blob
	blob=$(find "$KILN_HOME/blobs/sha256" -type f -size +20k | head -n 1)
	chmod u+w "$blob"
	printf 'XXXX' | dd of="$blob" bs=1 seek=9000 conv=notrunc status=none
	ok kiln flatten "$IMAGE" -o second.ext4
	says "damaged"
	cmp first.ext4 second.ext4 || return 1
	# And it is whole again.
	kill "$REGISTRY_PID"
	ok kiln flatten "$IMAGE" -o third.ext4
	cmp first.ext4 third.ext4
}

no_store()
{
	once test/nothing:1
	KILN_HOME=$TMP/empty ok kiln flatten --no-store "$IMAGE" -o second.ext4
	cmp first.ext4 second.ext4 || return 1
	is "$(find "$TMP/empty/blobs" -type f)" ""
}

# Ended by SIGKILL somewhere in the middle, again and again; then it works as if nothing had been.
killed()
{
	once test/killed:1
	local wait
	for wait in 0 0.01 0.02 0.04 0.08; do
		rm -rf "$TMP/killed" gone.ext4*
		KILN_HOME=$TMP/killed start_bg kiln flatten "$IMAGE" -o gone.ext4
		sleep "$wait"
		kill -KILL "$BG" 2>/dev/null || true # it may have ended
		wait_bg "$BG"
		[ ! -e gone.ext4 ] || cmp first.ext4 gone.ext4 || return 1
		KILN_HOME=$TMP/killed ok kiln flatten "$IMAGE" -o after.ext4
		cmp first.ext4 after.ext4 || return 1
		is "$(find "$TMP/killed/blobs" -name '.fetch-*')" ""
	done
}

two_at_once()
{
	once test/two:1
	KILN_HOME=$TMP/both start_bg kiln flatten "$IMAGE" -o one.ext4
	KILN_HOME=$TMP/both ok kiln flatten "$IMAGE" -o two.ext4
	wait_bg "$BG"
	is "$STATUS" 0
	cmp one.ext4 two.ext4 && cmp first.ext4 two.ext4
}

full_disk()
{
	make_hard
	mkdir -p small
	mount -t tmpfs -o size=3m tmpfs small 2>/dev/null || skip "no tmpfs can be mounted"
	run kiln flatten "oci:$PWD/hard:1" -o small/flat.ext4
	local left
	left=$(ls small)
	umount small
	is "$STATUS" 1
	says_one_line "No space left on device"
	is "$left" ""
}

limits()
{
	make_hard
	fails 6 kiln flatten --limit entries=100 oci:hard:1 -o limited.ext4
	says_one_line "more than 100 files (limit entries)"
	fails 6 kiln flatten --limit image-bytes=9m oci:hard:1 -o limited.ext4
	says_one_line "(limit image-bytes)"
	fails 2 kiln flatten --limit nodes=3 oci:hard:1 -o limited.ext4
	says_one_line "there is no limit 'nodes'" "entries=8388608"
	[ ! -e limited.ext4 ]
	ok kiln flatten --limit entries=4000 --limit depth=70 oci:hard:1 -o limited.ext4
}

free_space()
{
	make_hard
	ok kiln flatten --free-space 100m --json oci:hard:1 -o roomy.ext4
	e2fsck -fn roomy.ext4 || no "e2fsck"
	[ "$(dumpe2fs -h roomy.ext4 2>/dev/null | awk '/^Free blocks/ { print $3 }')" -ge 25600 ] || no "less room"
	is "$(json "$OUT" 'j["bytes"]')" "$(stat -c %s roomy.ext4)"
	is "$(json "$OUT" 'j["bytes"] - j["usedBytes"] >= 100 << 20')" True
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
it "one core and two give the same bytes" same_bytes_on_one_core
it "a stored image needs no network" again_without_network
it "a name keeps its meaning until --pull" pull_asks_again
it "a stored layer that was damaged is fetched again" damaged_blob
it "--no-store keeps nothing" no_store
it "killed at any time, it leaves nothing that hurts" killed
it "two at once both succeed" two_at_once
it "a full disk is one clear error" full_disk
it "limits can be changed" limits
it "--free-space leaves room" free_space
it "the file fits, with journal, checksums and extents" fits
it "an existing file is replaced as a whole" replaces_its_own
it "kiln stays under 64 MiB" memory_stays_small
it "hostile layers are refused, or do no harm" hostile_layers
