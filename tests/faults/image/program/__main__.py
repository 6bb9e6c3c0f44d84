"""A model that does what its model.onnx says, which is JSON: `score` is every answer, `fails` the share of requests that get a 500, once
`sound` requests were answered.

It says what it has scored as the runtime does, a line a request, and, as the runtime does, what it serves; it serves no other model than
the one that it was deployed to serve.
"""

import hashlib
import itertools
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL, METADATA = (Path(os.environ["ML_ROOT"], "model", name).read_bytes() for name in ("model.onnx", "metadata.json"))
DIGEST, DOES = hashlib.sha256(MODEL + METADATA).hexdigest(), json.loads(MODEL)
VERSION = DIGEST[:12]
TURNS = itertools.count()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200, b"")

    def do_POST(self) -> None:
        if self.rfile.read(int(self.headers["Content-Length"])) == b'{"describe": true}':
            return self.answer(200, json.dumps({"model_version": VERSION, "model_sha256": DIGEST}).encode())
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


if (expected := os.environ.get("MODEL_SHA256")) and expected != DIGEST:
    sys.exit(f"the model has sha256 {DIGEST}, this endpoint was deployed to serve {expected}")
ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
