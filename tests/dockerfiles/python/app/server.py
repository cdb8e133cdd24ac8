import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

PORT = 8000
count = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        global count
        count += 1
        body = json.dumps({"path": self.path, "count": count, "uid": os.getuid()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def serve():
    HTTPServer(("", PORT), Handler).serve_forever()


def check():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health") as answer:
        return 0 if answer.status == 200 else 1
