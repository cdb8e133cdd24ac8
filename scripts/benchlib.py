"""benchlib: what the benches share: programs run and timed, and one line a figure."""

import os
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KILN = os.environ.get("KILN", os.path.join(TOP, "build", "kiln"))
IMAGES = os.path.join(TOP, "build", "images")
RUNS = int(os.environ.get("RUNS", "5"))


def quiet(argv, **more):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, **more)
    if done.returncode:
        sys.stderr.buffer.write(done.stderr[-3000:])
        sys.exit(f"bench: status {done.returncode}: {' '.join(argv)}")
    return done.stdout


def seconds(action, runs=RUNS):
    """The median."""
    times = []
    for _ in range(runs):
        begin = time.monotonic()
        action()
        times.append(time.monotonic() - begin)
    return statistics.median(times)


def show(what, value, note="", is_reached=None):
    verdict = {True: "reached", False: "MISSED", None: ""}[is_reached]
    print(f"{what:<44} {value:>10}  {note:<46} {verdict}".rstrip(), flush=True)


def ms(t):
    return f"{t * 1000:.0f} ms"
