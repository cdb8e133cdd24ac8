#!/usr/bin/env python3
"""web.py DIR PORT LOG: serves DIR on loopback, with ETag (of content) and Last-Modified.

LOG gets a line "STATUS PATH" per answer. /redirect/PATH sends to /PATH; /bare/PATH has neither header;
/cut/PATH ends in the middle.
"""
import email.utils
import hashlib
import http.server
import os
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

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/redirect/"):
            return self.answer(302, headers=[("Location", path[len("/redirect"):])])
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
