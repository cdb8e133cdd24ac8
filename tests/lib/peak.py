"""peak.py FILE CMD...: runs a command and writes its peak resident memory in KiB to FILE.

Its own memory, not that of its children: getrusage(2) counts those it waited for, so the kernel's high
water mark is read while it runs. Ends with the command's status."""

import signal
import subprocess
import sys
import time

EVERY_SEC = 0.01


def high_water_kib(pid):
    """0 when it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def run(argv, **more):
    """(exit status, peak in KiB)"""
    peak = 0
    child = subprocess.Popen(argv, **more)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while child.poll() is None:
        peak = max(peak, high_water_kib(child.pid))
        time.sleep(EVERY_SEC)
    return child.returncode, peak


def main():
    status, peak = run(sys.argv[2:])
    with open(sys.argv[1], "w", encoding="ascii") as f:
        print(peak, file=f)
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
