#!/usr/bin/python3
"""registry.py - an OCI registry on loopback that serves layouts, and misbehaves on request.

    registry.py ROOT [--port N]

ROOT/<repository>/ is an OCI image layout each; repositories may be nested. The first line on
stdout is the port, once it listens. It ends with its stdin (so give it a pipe, or /dev/null
with --stay), or with SIGTERM.

ROOT/rules.json, read anew for every request, is a list of rules; the first that matches applies:

    match     regular expression, searched in the path (with the query)
    times     how often the rule applies; absent: always
    status    answer with this status; body, type and headers as given
    body      text of the answer, instead of what would be served
    body_file file below ROOT with it
    type      its Content-Type
    headers   object: further headers
    redirect  a URL: answer 307; "{port}" is our port, "{path}" the path
    truncate  N: announce the whole length, send N bytes, close
    short     N: announce and send only the first N bytes
    extra     N: announce and send N bytes more
    flip      N: byte N is another one
    endless   true: a body without length and end
    stall     N: send N bytes of the body, then nothing
    drop      true: close without an answer
    delay     seconds to wait before all that
    auth      TOKEN: 401 with a Bearer challenge unless that token comes along; GET /token gives
              it (with "token_status": that status)

ROOT/requests.log has a line per request: METHOD PATH STATUS [token].
"""

import argparse
import hashlib
import http.server
import json
import os
import re
import sys
import threading
import time

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"
ROUTE = re.compile(r"^/v2/(?P<repo>.+)/(?P<kind>manifests|blobs)/(?P<ref>[^/]+)$")


class Refusal(Exception):
    """An answer of the error document kind."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status = status
        self.body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()


class Rules:
    """rules.json, with the count of how often each was used."""

    def __init__(self, root):
        self.path = os.path.join(root, "rules.json")
        self.lock = threading.Lock()
        self.text = None
        self.used = {}

    def find(self, path):
        try:
            with open(self.path, encoding="utf-8") as f:
                text = f.read()
        except FileNotFoundError:
            text = "[]"
        with self.lock:
            if text != self.text:
                self.text, self.used = text, {}
            for i, rule in enumerate(json.loads(text)):
                if not re.search(rule.get("match", ""), path):
                    continue
                self.used[i] = self.used.get(i, 0) + 1
                if "times" not in rule or self.used[i] <= rule["times"]:
                    return rule
        return {}


def read_blob(layout, digest):
    algorithm, _, hexa = digest.partition(":")
    if algorithm != "sha256" or not re.fullmatch("[0-9a-f]{64}", hexa):
        raise Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    try:
        with open(os.path.join(layout, "blobs", "sha256", hexa), "rb") as f:
            return f.read()
    except FileNotFoundError:
        raise Refusal(404, "BLOB_UNKNOWN", "blob unknown to registry") from None


def read_manifest(layout, reference):
    if not reference.startswith("sha256:"):
        with open(os.path.join(layout, "index.json"), encoding="utf-8") as f:
            entries = json.load(f).get("manifests", [])
        tagged = [e for e in entries if e.get("annotations", {}).get(REF_NAME) == reference]
        if not tagged:
            raise Refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")
        reference = tagged[0]["digest"]
    body = read_blob(layout, reference)
    return body, json.loads(body).get("mediaType", MANIFEST)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, status):
        has_token = " token" if "Authorization" in self.headers else ""
        with self.server.log_lock, open(self.server.log, "a", encoding="utf-8") as f:
            f.write(f"{self.command} {self.path} {status}{has_token}\n")

    def lookup(self):
        """(status, body, type, headers) as an honest registry would answer."""
        path = self.path.partition("?")[0]
        if path in ("/v2", "/v2/"):
            return 200, b"{}", "application/json", {}
        route = ROUTE.match(path)
        if not route:
            raise Refusal(404, "UNSUPPORTED", "no such route")
        layout = os.path.normpath(os.path.join(self.server.root, route["repo"]))
        if not layout.startswith(self.server.root + os.sep) or not os.path.isdir(layout):
            raise Refusal(404, "NAME_UNKNOWN", "repository name not known to registry")
        if route["kind"] == "blobs":
            return 200, read_blob(layout, route["ref"]), "application/octet-stream", {}
        body, kind = read_manifest(layout, route["ref"])
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        return 200, body, kind, {"Docker-Content-Digest": digest}

    def challenge(self, rule):
        """The answer to a request that needs a token and has none, or None."""
        if self.path.startswith("/token"):
            body = json.dumps({"token": rule["auth"]}).encode()
            return rule.get("token_status", 200), body, "application/json", {}
        if self.headers.get("Authorization") == "Bearer " + rule["auth"]:
            return None
        port = self.server.server_address[1]
        value = f'Bearer realm="http://127.0.0.1:{port}/token",service="test",scope="a:b c:pull"'
        refusal = Refusal(401, "UNAUTHORIZED", "authentication required")
        return 401, refusal.body, "application/json", {"WWW-Authenticate": value}

    def answer(self, rule):
        if "auth" in rule:
            challenge = self.challenge(rule)
            if challenge:
                return challenge
        if "redirect" in rule:
            url = rule["redirect"].format(port=self.server.server_address[1], path=self.path)
            return 307, b"", "text/plain", {"Location": url}
        try:
            if "body" in rule or "body_file" in rule or "status" in rule:
                body = rule.get("body", "").encode()
                if "body_file" in rule:
                    with open(os.path.join(self.server.root, rule["body_file"]), "rb") as f:
                        body = f.read()
                return rule.get("status", 200), body, rule.get("type", "text/plain"), {}
            return self.lookup()
        except Refusal as refusal:
            return refusal.status, refusal.body, "application/json", {}

    def spoil(self, rule, body):
        """What the body becomes, the length to announce, and how much of it to send."""
        if "flip" in rule and body:
            at = rule["flip"] % len(body)
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
        if "short" in rule:
            body = body[:rule["short"]]
        body += b"x" * rule.get("extra", 0)
        sent = min(rule.get("truncate", len(body)), rule.get("stall", len(body)), len(body))
        return body, len(body), sent

    def do_GET(self):
        rule = self.server.rules.find(self.path)
        time.sleep(rule.get("delay", 0))
        if rule.get("drop"):
            self.note("dropped")
            self.close_connection = True
            return
        status, body, kind, headers = self.answer(rule)
        self.note(status)
        body, length, sent = self.spoil(rule, body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in {**headers, **rule.get("headers", {})}.items():
            self.send_header(name, value)
        if rule.get("endless"):
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self.send_body(rule, body, sent)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_GET

    def send_body(self, rule, body, sent):
        while rule.get("endless"):
            self.wfile.write(b"x" * 65536)
        self.wfile.write(body[:sent])
        self.wfile.flush()
        if sent < len(body):
            self.close_connection = True
        if "stall" in rule:
            time.sleep(3600)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description="an OCI registry on loopback for tests")
    parser.add_argument("root")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stay", action="store_true", help="don't end with stdin")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    server.root = os.path.abspath(options.root)
    server.rules = Rules(server.root)
    server.log = os.path.join(server.root, "requests.log")
    server.log_lock = threading.Lock()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    if options.stay:
        server.serve_forever()
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
