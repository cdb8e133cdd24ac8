"""benchbuild: kiln build beside `buildah bud`, on the same 20 steps in three stages.

The commands of the steps are as small as can be: measured is what a builder adds. Both start from
the same OCI layout, keep their things below `work`, and have built the file before.
"""

import os
import shutil
import subprocess
import time

BASE = "localhost/bench:1"

DOCKERFILE = f"""\
FROM {BASE} AS tools
WORKDIR /tools
COPY tools/ ./
RUN echo tool-1 >one
RUN echo tool-2 >two
RUN cat one two >all
FROM {BASE} AS app
WORKDIR /app
COPY package ./
RUN echo fetched >modules
COPY --from=tools /tools/all tools
COPY source/ source/
RUN cat source/a source/b >built
RUN echo checked >checked
FROM {BASE}
ENV APP=/srv
WORKDIR /srv
RUN echo user >/etc/app-user
COPY --from=app /app/built ./
COPY --from=app /app/checked ./
COPY --from=tools /tools/one ./
RUN cat built checked >ready
COPY changing ./
RUN cat changing >seen
"""
STEPS = sum(not line.startswith(("FROM", "ENV")) for line in DOCKERFILE.splitlines())


def write_context(directory):
    files = {"Dockerfile": DOCKERFILE, "package": "p", "changing": "0", "tools/t": "t",
             "source/a": "a", "source/b": "b"}
    for name, text in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)


class Buildah:
    """buildah with a storage of its own; the fastest driver that works here."""

    def __init__(self, quiet, layout, work):
        self.quiet = quiet
        self.work = work
        for self.driver in "overlay", "vfs":
            try:
                image = self.run(["pull", "-q", f"oci:{layout}"]).decode().strip()
                self.run(["tag", image, BASE])
                mounted = self.run(["from", "--name", "bench-try", BASE]).decode().strip()
                self.run(["mount", mounted])
                self.run(["rm", mounted])
                return
            except subprocess.CalledProcessError as error:
                last = error
        raise last

    def run(self, argv):
        where = os.path.join(self.work, "buildah-" + self.driver)
        return subprocess.run(["buildah", "--root", where, "--runroot", where + ".run",
                               "--storage-driver", self.driver] + argv, check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE).stdout

    def build(self, context):
        self.run(["bud", "-q", "--layers", "--isolation", "chroot", "--pull-never", "-t", "bench", context])

    def close(self):
        self.run(["umount", "--all"])


STAGES = f"""\
FROM {BASE} AS one
RUN i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo one >/sum
FROM {BASE} AS two
RUN i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo two >/sum
FROM {BASE}
COPY --from=one /sum /one
COPY --from=two /sum /two
"""


def measure_stages(bench, layout, work):
    """Two stages, each of which keeps a CPU busy, one after the other and together."""
    context = os.path.join(work, "stages")
    os.makedirs(context)
    with open(os.path.join(context, "Dockerfile"), "w", encoding="ascii") as file:
        file.write(STAGES)
    kiln = [bench.KILN, "build", "--quiet", "--no-cache", "--memory", "256", "--build-context",
            f"{BASE}=oci-layout://{layout}", "--max-parallelism"]
    bench.quiet(kiln + ["1", context])
    one, two = (bench.seconds(lambda n=n: bench.quiet(kiln + [n, context]), 3) for n in "12")
    bench.show("kiln build --max-parallelism 1", bench.ms(one), "two stages of one busy CPU each")
    bench.show("kiln build --max-parallelism 2", bench.ms(two), f"1/{one / two:.1f} of that")


def changed(context, build, runs):
    """The median of builds before each of which the file of the last COPY has changed."""
    times = []
    for i in range(runs):
        with open(os.path.join(context, "changing"), "w", encoding="ascii") as file:
            file.write(f"{time.monotonic_ns()} {i}")
        begin = time.monotonic()
        build()
        times.append(time.monotonic() - begin)
    return sorted(times)[runs // 2]


def measure(bench, layout, work):
    """bench: the module that measures and shows."""
    if not shutil.which("buildah"):
        bench.show("buildah bud", "", "not installed: nothing to compare with")
        return
    context = os.path.join(work, "steps")
    write_context(context)
    peer = Buildah(bench.quiet, layout, work)
    # A machine like the smallest a service would be given.
    kiln = [bench.KILN, "build", "--quiet", "-t", "steps", "--memory", "256", "--build-context",
            f"{BASE}=oci-layout://{layout}", context]

    def ours():
        bench.quiet(kiln)

    def theirs():
        peer.build(context)

    ours()
    theirs()
    for what, time_of in (("nothing changed", lambda build: bench.seconds(build, bench.RUNS)),
                          ("a file of the last COPY changed",
                           lambda build: changed(context, build, 3))):
        us, them = time_of(ours), time_of(theirs)
        bench.show(f"buildah bud ({peer.driver}), {STEPS} steps", bench.ms(them), what)
        bench.show(f"kiln build, {STEPS} steps, 3 stages", bench.ms(us),
                   f"1/{them / us:.1f} of that; at most 1/1", us <= them)
    peer.close()
