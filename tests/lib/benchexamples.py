"""benchexamples: what each example takes, beside `buildah bud` of the same Dockerfile.

Columns: the first build, with its base image; the same again; again with one byte more in one file
that the Dockerfile copies; from the start of a new clone to the first answer of its service, or the
end of one command in it; what is stored, base image included. buildah runs steps on this machine as
it is, in a chroot: no machine is emulated, nothing is started, and no memory is saved. So it has no
service to resume; a command is run in a new container. EXAMPLES picks some by name.
"""

import collections
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

# base: the image of FROM, and the layout that stands in for it. change: a file of the context.
# answer: what is asked for an answer, a port and path of its service, or a command.
Example = collections.namedtuple("Example", "base options change answer")
NODE = ("node:22", "node:18")
EXAMPLES = {
    "hello": Example(None, ["--wait-for-port", "8080"], "hello", (8080, "/")),
    "web": Example(("debian:12", "debian:12"), ["--wait-for-port", "8000"], "words.txt", (8000, "/")),
    "claude": Example(NODE, None, "settings.json", ["claude", "--version"]),
    "codex": Example(NODE, None, "config.toml", ["codex", "--version"]),
    "opencode": Example(NODE, None, "opencode.json", (4096, "/global/health")),
}
RUNS_FAST = 3
ANSWER_MAX_SEC = 120
COLUMNS = ["cold build", "warm build", "one file", "first answer", "disk", "memory"]


def duration(t):
    if t is None:
        return "-"
    return f"{t * 1000:.0f} ms" if t < 10 else f"{t:.1f} s"


def size(n):
    return f"{n / (1 << 20):.1f} MiB" if n else "-"


def row(name, who, cells):
    print(f"{name:<10} {who:<8}" + "".join(f" {cell:>12}" for cell in cells), flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(url, deadline):
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError) as why:
            if time.monotonic() > deadline:
                sys.exit(f"bench: no answer from {url}: {why}")
            time.sleep(0.005)


class Kiln:
    def __init__(self, bench, name, example, context, home):
        self.bench = bench
        self.env = {**os.environ, "KILN_HOME": home}
        self.name = name
        self.asked = example.answer
        self.argv = [bench.KILN, "build", "--quiet", "-t", name, *options(bench, name, example)]
        if example.base:
            self.argv += ["--build-context", f"{example.base[0]}=oci-layout://{bench.IMAGES}/{example.base[1]}"]
        self.argv += [context]

    def build(self):
        self.bench.quiet(self.argv, env=self.env)

    def answer(self):
        if isinstance(self.asked, list):
            argv = [self.bench.KILN, "run", self.name, "--", *self.asked]
            return self.bench.seconds(lambda: self.bench.quiet(argv, env=self.env), 1)
        port, path = self.asked
        on_host = free_port()
        begin = time.monotonic()
        with subprocess.Popen([self.bench.KILN, "run", self.name, "-p", f"{on_host}:{port}"], env=self.env,
                              stdout=subprocess.DEVNULL) as clone:
            try:
                fetch(f"http://127.0.0.1:{on_host}{path}", begin + ANSWER_MAX_SEC)
                return time.monotonic() - begin
            finally:
                clone.terminate()

    def stored(self):
        about = json.loads(self.bench.quiet([self.bench.KILN, "inspect", "--json", self.name], env=self.env))
        memory = about["memory"]
        return about["disk"]["storedBytes"], memory["storedBytes"] + memory["stateBytes"]


class Buildah:
    def __init__(self, bench, name, example, context, home):
        self.bench = bench
        self.home = home
        self.name = name
        self.asked = example.answer
        self.buildah = ["buildah", "--root", f"{home}/root", "--runroot", f"{home}/run"]
        self.argv = [*self.buildah, "bud", "--layers", "--isolation", "chroot", "--quiet", "-t", name]
        if example.base:
            self.argv += ["--from", f"oci:{bench.IMAGES}/{example.base[1]}"]
        self.argv += [context]

    def build(self):
        self.bench.quiet(self.argv)

    def answer(self):
        return self.bench.seconds(self.run, 1) if isinstance(self.asked, list) else None

    def run(self):
        container = self.bench.quiet([*self.buildah, "from", self.name]).decode().strip()
        self.bench.quiet([*self.buildah, "run", "--isolation", "chroot", container, "--", *self.asked])
        self.bench.quiet([*self.buildah, "rm", container])

    def stored(self):
        return int(self.bench.quiet(["du", "-sx", "--block-size=1", self.home]).split()[0]), 0


def options(bench, name, example):
    if example.options:
        return example.options
    with open(os.path.join(bench.TOP, "examples", name, "options"), encoding="ascii") as f:
        return f.read().split()


def context_of(bench, name, work):
    context = os.path.join(work, "context")
    shutil.copytree(os.path.join(bench.TOP, "examples", name), context)
    if name == "hello":
        shutil.copy(os.path.join(bench.TOP, "build", "hello"), context)
    return context


def first_answer(b):
    times = [b.answer() for _ in range(RUNS_FAST)]
    return None if None in times else statistics.median(times)


def measure_one(bench, name, builder, work):
    example = EXAMPLES[name]
    context = context_of(bench, name, work)
    home = os.path.join(work, "home")
    os.mkdir(home)
    b = builder(bench, name, example, context, home)
    cells = [duration(bench.seconds(b.build, 1)), duration(bench.seconds(b.build, RUNS_FAST))]
    stored = b.stored()
    with open(os.path.join(context, example.change), "ab") as f:
        f.write(b"\n")
    cells += [duration(bench.seconds(b.build, 1)), duration(first_answer(b))]
    row(name if builder is Kiln else "", builder.__name__.lower(), cells + [size(n) for n in stored])


def remove(work):
    """Files of an image may have any mode."""
    subprocess.run(["chmod", "-R", "u+rwX", work], check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(work, ignore_errors=True)


def measure(bench, work):
    row("example", "", COLUMNS)
    for name in os.environ.get("EXAMPLES", " ".join(EXAMPLES)).split():
        for builder in (Kiln, Buildah) if shutil.which("buildah") else (Kiln,):
            place = os.path.join(work, f"{name}-{builder.__name__}")
            os.mkdir(place)
            try:
                measure_one(bench, name, builder, place)
            finally:
                remove(place)
