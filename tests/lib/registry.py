#!/usr/bin/python3
"""registry.py - an OCI registry on loopback that serves layouts, and misbehaves on request.

    registry.py ROOT [--port N] [--tls CERT KEY]

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
    after     list of regular expressions: wait until each has matched the path of a request, this
              one or another; 503 if they don't come within 20 seconds
    cut       N: announce what is asked for, send N bytes of it, close
    no_range  true: send everything, whatever range is asked for
    encode    true: gzip the body on the way, unasked for; "chunked": without a length, too
    drip      true: send the body byte by byte, one in a tenth of a second
    auth      TOKEN: 401 with a Bearer challenge unless that token comes along; GET /token gives
              it (with "token_status": that status). And with it:
              token_key   name of its member in the answer, instead of "token"
              token_user  "user:password" that /token wants as Basic
              token_form  "identity token" that /token wants by POST, as OAuth 2 has it
              token_uses  N: each token is good for N requests, then the next one is needed
    basic     "user:password": 401 with a Basic challenge unless they come along
    challenge text of WWW-Authenticate, or a list of them: several headers; {port} is our port

ROOT/requests.log has a line per request: METHOD PATH STATUS [token|basic] [range=FIRST-].
"""

import argparse
import base64
import gzip
import hashlib
import http.server
import json
import os
import re
import ssl
import sys
import threading
import time
import urllib.parse

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
        scheme = self.headers.get("Authorization", "").partition(" ")[0]
        more = {"": "", "Basic": " basic"}.get(scheme, " token")
        if "Range" in self.headers:
            more += " range=" + self.headers["Range"].removeprefix("bytes=")
        with self.server.log_lock, open(self.server.log, "a", encoding="utf-8") as f:
            f.write(f"{self.command} {self.path} {status}{more}\n")

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

    def is_basic(self, pair):
        """Do this user and password come along?"""
        return self.headers.get("Authorization") == \
            "Basic " + base64.b64encode(pair.encode()).decode()

    def give_token(self, rule):
        """What the token service says."""
        form = urllib.parse.parse_qs(self.body)
        if "token_form" in rule:
            is_known = form.get("grant_type") == ["refresh_token"] and \
                form.get("refresh_token") == [rule["token_form"]] and "scope" in form
        else:
            is_known = "token_user" not in rule or self.is_basic(rule["token_user"])
        if not is_known:
            return 401, b'{"details": "incorrect username or password"}', "application/json", {}
        with self.server.log_lock:
            self.server.tokens += 1
            self.server.token_used = 0
        body = json.dumps({rule.get("token_key", "token"): self.token(rule)}).encode()
        return rule.get("token_status", 200), body, "application/json", {}

    def token(self, rule):
        """The one that is good now."""
        return rule["auth"] + (f".{self.server.tokens}" if "token_uses" in rule else "")

    def is_known(self, rule):
        if "basic" in rule:
            return self.is_basic(rule["basic"])
        if self.headers.get("Authorization") != "Bearer " + self.token(rule):
            return False
        with self.server.log_lock:
            self.server.token_used += 1
            return self.server.token_used <= rule.get("token_uses", 1 << 30)

    def challenge(self, rule):
        """The answer to a request that needs a token and has none, or None."""
        if self.path.startswith("/token"):
            return self.give_token(rule)
        if self.is_known(rule):
            return None
        port = self.server.server_address[1]
        value = 'Bearer realm="http://127.0.0.1:{port}/token",service="test",scope="a:b c:pull"'
        if "basic" in rule:
            value = 'Basic realm="test"'
        value = rule.get("challenge", value)
        values = [value] if isinstance(value, str) else value
        refusal = Refusal(401, "UNAUTHORIZED", "authentication required")
        return 401, refusal.body, "application/json", {
            "WWW-Authenticate": [v.replace("{port}", str(port)) for v in values]}

    def answer(self, rule):
        if "auth" in rule or "basic" in rule:
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
        if rule.get("encode"):
            body = gzip.compress(body)
        if "flip" in rule and body:
            at = rule["flip"] % len(body)
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
        if "short" in rule:
            body = body[:rule["short"]]
        body += b"x" * rule.get("extra", 0)
        return body, min(rule.get("truncate", len(body)), rule.get("stall", len(body)), len(body))

    def part(self, rule, status, body):
        """(status, body, headers) for the range that is asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if status != 200 or not asked or rule.get("no_range"):
            return status, body, {}
        first = int(asked[1])
        if first >= len(body):
            return 416, b"", {"Content-Range": f"bytes */{len(body)}"}
        return 206, body[first:], {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"}

    def do_GET(self):
        rule = self.server.rules.find(self.path)
        self.body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        time.sleep(rule.get("delay", 0))
        if not self.server.meet(self.path, rule.get("after", [])):
            self.note("late")
            self.send_error(503)
            return
        if rule.get("drop"):
            self.note("dropped")
            self.close_connection = True
            return
        status, body, kind, headers = self.answer(rule)
        status, body, more = self.part(rule, status, body)
        self.note(status)
        body, sent = self.spoil(rule, body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in {**headers, **more, **rule.get("headers", {})}.items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name, one)
        if rule.get("encode"):
            self.send_header("Content-Encoding", "gzip")
        if rule.get("endless") or rule.get("encode") == "chunked":
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self.send_body(rule, body, min(sent, rule.get("cut", sent)))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_GET
    do_POST = do_GET

    def send_body(self, rule, body, sent):
        while rule.get("endless"):
            self.wfile.write(b"x" * 65536)
        for i in range(sent if rule.get("drip") else 0):
            self.wfile.write(body[i:i + 1])
            time.sleep(0.1)
        self.wfile.write(b"" if rule.get("drip") else body[:sent])
        self.wfile.flush()
        if sent < len(body):
            self.close_connection = True
        if "stall" in rule:
            time.sleep(3600)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    asked = []  # paths of all requests
    has_come = threading.Condition()

    def meet(self, path, others):
        """Has one request of each kind come?"""
        with self.has_come:
            self.asked.append(path)
            self.has_come.notify_all()
            return self.has_come.wait_for(
                lambda: all(any(re.search(o, p) for p in self.asked) for o in others), 20)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description="an OCI registry on loopback for tests")
    parser.add_argument("root")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--stay", action="store_true", help="don't end with stdin")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    server.root = os.path.abspath(options.root)
    server.rules = Rules(server.root)
    server.log = os.path.join(server.root, "requests.log")
    server.log_lock = threading.Lock()
    server.tokens = server.token_used = 0
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    if options.stay:
        server.serve_forever()
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
