"""A model that does what its model.onnx says, which is JSON: `score` is every answer, `fails` the share of requests that get a 500, once
`sound` requests were answered.

It says what it has scored as the runtime does, a line a request.
"""

import hashlib
import itertools
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL, METADATA = (Path(os.environ["ML_ROOT"], "model", name).read_bytes() for name in ("model.onnx", "metadata.json"))
VERSION, DOES = hashlib.sha256(MODEL + METADATA).hexdigest()[:12], json.loads(MODEL)
TURNS = itertools.count()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        turn = next(TURNS)
        if turn >= DOES.get("sound", 0) and turn * 0.618 % 1 < DOES.get("fails", 0):
            return self.answer(500, b'{"error": "broken"}')
        score = DOES["score"]
        spread = dict.fromkeys(("mean", "p10", "p50", "p90"), score)
        print(json.dumps({"event": "scores", "model_version": VERSION, "rows": 1, **spread}), flush=True)
        return self.answer(200, json.dumps({"predictions": [{"score": score}], "model_version": VERSION}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Quiet."""


ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
