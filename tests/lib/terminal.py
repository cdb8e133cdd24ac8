"""terminal.py ROWS COLUMNS CMD...: runs a command on a terminal, by a script on standard input.

expect TEXT   waits until TEXT has come since the last expect (30 s; LIMIT_SEC)
send TEXT     types it; \\r and \\xNN as in Python
resize R C    gives the terminal another size
status N      waits for the end, which must have that status

What the command prints goes to standard output. Ends with 1 and a reason if the script doesn't hold.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

LIMIT = float(os.environ.get("LIMIT_SEC", "30"))


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    def __init__(self, rows, columns, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            set_size(0, rows, columns)
            os.execvp(argv[0], argv)
        self.seen = b""

    def read(self, until):
        """More output; False at its end."""
        if not select.select([self.fd], [], [], max(0, until - time.monotonic()))[0]:
            self.fail("nothing more came")
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        self.seen += data
        return data != b""

    def expect(self, text):
        until = time.monotonic() + LIMIT
        while text not in self.seen:
            if not self.read(until):
                self.fail(f"ended before {text!r}")
        self.seen = self.seen.split(text, 1)[1]

    def status(self, want):
        until = time.monotonic() + LIMIT
        while self.read(until):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        got = os.waitstatus_to_exitcode(status)
        if got != want:
            self.fail(f"status {got} instead of {want}")

    def fail(self, why):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        sys.exit(f"terminal.py: {why}; last seen: {self.seen[-500:]!r}")


def main():
    terminal = Terminal(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    for line in sys.stdin.read().splitlines():
        verb, _, rest = line.strip().partition(" ")
        text = rest.encode().decode("unicode_escape").encode("latin-1")
        if verb == "expect":
            terminal.expect(text)
        elif verb == "send":
            os.write(terminal.fd, text)
        elif verb == "resize":
            set_size(terminal.fd, *map(int, rest.split()))
            os.kill(terminal.pid, signal.SIGWINCH)
        elif verb == "status":
            terminal.status(int(rest))
        elif verb:
            sys.exit(f"terminal.py: no verb {verb!r}")


main()
