"""A small HTTP service with a slow start.

At start-up it computes what its pages are made of and takes a random name for that run. A clone that
resumes from a template's memory answers at once, with the name and the start time of the process that
was saved, and counts its own visits from there.

    /         what this process is, as text
    /primes   the last primes it found at start-up
    /find?q=X words that hold X
"""

import http.server
import os
import secrets
import time
import urllib.parse

LIMIT = 1000000


class State:
    """Everything that is made before the port opens."""

    def __init__(self):
        begin = time.monotonic()
        self.started = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self.process = secrets.token_hex(4)
        self.primes = primes_below(LIMIT)
        with open("words.txt", encoding="utf-8") as f:
            self.words = f.read().split()
        self.seconds = time.monotonic() - begin
        self.visits = 0


def primes_below(n):
    sieve = bytearray([1]) * n
    for i in range(2, n):
        if sieve[i]:
            for k in range(i * i, n, i):
                sieve[k] = 0
    return [i for i in range(2, n) if sieve[i]]


class Handler(http.server.BaseHTTPRequestHandler):
    state = None

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/":
            self.reply(self.index())
        elif url.path == "/primes":
            self.reply("\n".join(map(str, self.state.primes[-10:])) + "\n")
        elif url.path == "/find":
            part = query.get("q", [""])[0]
            self.reply("\n".join(w for w in self.state.words if part in w) + "\n")
        else:
            self.send_error(404)

    def index(self):
        s = self.state
        s.visits += 1
        return (
            f"process {s.process}, started {s.started} in {s.seconds:.2f} s\n"
            f"visits  {s.visits}\n"
            f"primes  {len(s.primes)} below {LIMIT}\n"
            f"sandbox {os.uname().nodename}\n"
            f"now     {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())}\n"
        )

    def reply(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    Handler.state = State()
    port = int(os.environ.get("PORT", "8000"))
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler)
    print(f"process {Handler.state.process} listens on port {port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
