#!/usr/bin/env python3
"""web.py DIR PORT LOG: serves DIR on loopback, with ETag (of content) and Last-Modified.

LOG gets a line "STATUS PATH" per answer. /redirect/PATH sends to /PATH, /away/PORT/PATH to another
server; /bare/PATH has neither header; /cut/PATH ends in the middle. /private/PATH wants an
Authorization header that is a line of DIR/.authorized. /git/PATH is git's smart HTTP over the
repositories in DIR, /git-v0/PATH its first version, which gives no commit that isn't advertised.
"""
import email.utils
import hashlib
import http.server
import os
import subprocess
import sys

root, port, log = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "a", buffering=1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=(), length=None):
        log.write(f"{status} {self.path}\n")
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def is_authorized(self):
        with open(os.path.join(root, ".authorized")) as lines:
            return self.headers.get("Authorization") in lines.read().splitlines()

    def answer_git(self, version, path):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": os.path.abspath(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": self.path.partition("?")[2],
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if version else "",
        }
        out = subprocess.run(["git", "http-backend"], env=env, input=body, stdout=-1).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = [value.split()[0] for name, value in headers if name == "Status"]
        self.answer(int(status[0]) if status else 200, rest, headers)

    def do_POST(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/private/"):
            if not self.is_authorized():
                return self.answer(401, b"who?\n", [("WWW-Authenticate", 'Basic realm="x"')])
            path = path[len("/private"):]
        if path.startswith("/redirect/"):
            return self.answer(302, headers=[("Location", self.path.partition("/redirect")[2])])
        if path.startswith("/away/"):
            where = self.path.partition("/away/")[2]
            return self.answer(302, headers=[("Location", f"http://127.0.0.1:{where}")])
        for prefix in ("/git/", "/git-v0/"):
            if path.startswith(prefix):
                return self.answer_git(prefix == "/git/", path[len(prefix) - 1:])
        kind, _, rest = path.lstrip("/").partition("/")
        name = rest if kind in ("bare", "cut") else path.lstrip("/")
        file = os.path.join(root, name)
        if not os.path.isfile(file):
            return self.answer(404, b"no such file\n")
        body = open(file, "rb").read()
        if kind == "cut":
            self.close_connection = True
            return self.answer(200, body[: len(body) // 2], length=len(body))
        if kind == "bare":
            return self.answer(200, body)
        etag = '"%s"' % hashlib.sha256(body).hexdigest()[:16]
        if self.headers.get("If-None-Match") == etag:
            return self.answer(304, headers=[("ETag", etag)])
        when = email.utils.formatdate(os.stat(file).st_mtime, usegmt=True)
        return self.answer(200, body, [("ETag", etag), ("Last-Modified", when)])


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
