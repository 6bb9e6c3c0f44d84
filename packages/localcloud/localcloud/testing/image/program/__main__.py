"""What the test image runs: it does what BEHAVIOUR or a request says, so that each test can see one thing go right or wrong."""

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(os.environ.get("ML_ROOT", "/opt/ml"))
BEHAVIOUR = os.environ.get("BEHAVIOUR", "")
AT_ONCE = threading.Barrier(int(os.environ.get("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "1")))
HELD: list[bytes] = []
INSTANCE = uuid.uuid4().hex  # whoever has just started is another
HERE = ("0.0.0.0", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")))  # noqa: S104 - SageMaker connects from outside the container


def train() -> None:
    parameters = json.loads((ROOT / "input/config/hyperparameters.json").read_text())
    rows = [line for file in sorted((ROOT / "input/data").rglob("*.csv")) for line in file.read_text().splitlines()]
    about = json.loads((ROOT / "input/config/resourceconfig.json").read_text())
    if about["current_host"] == about["hosts"][0] or BEHAVIOUR == "clash":
        Path(os.environ["MODEL_DIR"], "model.json").write_text(json.dumps({"rows": len(rows), **parameters}))
    if BEHAVIOUR == "share":
        names = sorted(p.name for p in (ROOT / "input/data").rglob("*.csv"))
        (ROOT / f"output/data/{about['current_host']}.json").write_text(json.dumps(names))
    if BEHAVIOUR.endswith(" fails"):
        fail_or_be_stopped(about["current_host"])
    if BEHAVIOUR == "checkpoint":
        checkpoint(Path(os.environ.get("CHECKPOINTS", "/opt/ml/checkpoints")), about["current_host"])
    print("metric auc=0.5\nmetric auc=" + parameters.get("auc", "0.9"), flush=True)
    if "fail" in (BEHAVIOUR, parameters.get("behaviour")):
        (ROOT / "output/failure").write_text("row 3, column 'age': found 'x'")
        (ROOT / "output/data/violations.json").write_text('["age"]')
        sys.exit(7)
    if BEHAVIOUR == "hang":
        print("hanging", flush=True)
        time.sleep(600)


def checkpoint(folder: Path, host: str) -> None:
    """Leave a checkpoint, and wait; where there is one already, say so and go on."""
    file = folder / host
    resumed = file.exists()
    (ROOT / f"output/data/{host}.json").write_text(json.dumps({"resumed": resumed, "found": sorted(p.name for p in folder.iterdir())}))
    if not resumed:
        file.write_text("1")
        print("hanging", flush=True)
        time.sleep(600)


def fail_or_be_stopped(host: str) -> None:
    """The host that BEHAVIOUR names fails; the others wait, and say so when they are stopped."""
    message = ROOT / "output/failure"
    if BEHAVIOUR == f"{host} fails":  # noqa: SIM300
        message.write_text(f"{host}: too few rows")
        sys.exit(3)
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        time.sleep(600)
    message.write_text(f"{host}: stopped")
    sys.exit(143)


def process() -> None:
    rows = [line for file in sorted((ROOT / "processing/input").rglob("*.csv")) for line in file.read_text().splitlines()]
    (ROOT / "processing/report/report.json").write_text(json.dumps({"metrics": {"rows": {"value": len(rows)}}}))
    host = json.loads((ROOT / "config/resourceconfig.json").read_text())["current_host"]
    if BEHAVIOUR == "share":
        (ROOT / f"processing/report/{host}.json").write_text(json.dumps(sorted(p.name for p in (ROOT / "processing/input").rglob("*.csv"))))
    if BEHAVIOUR == "fail" or BEHAVIOUR == f"{host} fails":  # noqa: SIM300
        (ROOT / "output/message").write_text("too few rows")
        sys.exit(3)
    if BEHAVIOUR.endswith(" fails"):
        time.sleep(600)


def monitor() -> None:
    """What a monitoring job does with AWS, as its role: who it is, a metric, a notice, an object."""
    sys.path.append(os.environ["PACKAGES"])
    import boto3

    who = json.loads((ROOT / "config/resourceconfig.json").read_text())
    (ROOT / f"processing/counts/{who['current_host']}.json").write_text(json.dumps(who["hosts"]))
    if who["current_host"] == "algo-1":
        boto3.client("cloudwatch").put_metric_data(Namespace="lab", MetricData=[{"MetricName": "Drift", "Value": 1}])
        boto3.client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Subject="drift", Message=os.environ["REPORT_URI"])
    bucket, _, key = os.environ["REPORT_URI"].removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=f"{key}/from-{who['current_host']}", Body=os.environ["STARTED"].encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait for its headers' acknowledgement

    requests = 0

    def do_GET(self) -> None:
        if self.path == "/execution-parameters":
            own = os.environ.get("PARAMETERS", "")
            self.answer(200 if own else 404, own.encode())
            return
        self.answer(503 if BEHAVIOUR == "sick" or (BEHAVIOUR == "tired" and Handler.requests > 5) else 200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Handler.requests += 1
        if body == b"die" or (BEHAVIOUR == "mortal" and Handler.requests > 5):
            os._exit(9)
        if BEHAVIOUR == "slow" or body == b"slow":
            time.sleep(0.3)
        if BEHAVIOUR == "mute":
            time.sleep(600)
        while body.startswith(b"hold ") and not Path(body.removeprefix(b"hold ").decode()).exists():
            time.sleep(0.02)
        if body.startswith(b"eat "):
            HELD.append(b"x" * (int(body.removeprefix(b"eat ")) << 20))
        if BEHAVIOUR.startswith("p50="):
            print(json.dumps({"event": "scores", "rows": 1, "model_version": BEHAVIOUR, "p50": float(BEHAVIOUR[4:])}), flush=True)
        if BEHAVIOUR == "broken":
            body = b"boom"
        if BEHAVIOUR == "lines":
            self.answer_lines(body)
            return
        if body in (b"bad", b"boom"):
            self.answer(422 if body == b"bad" else 500, b'{"error": "row 1"}')
            return
        model = json.loads((ROOT / "model/model.json").read_text())
        about = {
            "model": model,
            "pid": os.getpid(),
            "instance": INSTANCE,
            "said": body.decode("latin-1"),
            "type": self.headers["Content-Type"],
        }
        self.answer(200, json.dumps(about).encode())

    def answer_lines(self, body: bytes) -> None:
        """A line for each, which is how long it is, or what it asks for; one that is wrong makes the whole request fail."""
        print(f"asked {len(body)} {self.headers['Content-Type']} {self.headers['Accept']}", flush=True)
        lines = body.removesuffix(b"\n").split(b"\n")
        if b"meet" in body:  # as many requests as may be open at once
            AT_ONCE.wait(30)
        if b"leave" in body:
            os._exit(9)
        if b"hang" in body:
            print("hanging", flush=True)
            time.sleep(600)
        if status := next((status for word, status in ((b"bad", 422), (b"boom", 500)) if word in body), None):
            self.answer(status, b'{"error": "row 1"}')
        elif b"settings" in body:
            self.answer(200, json.dumps({name: value for name, value in os.environ.items() if name.startswith("SAGEMAKER_")}).encode())
        else:
            self.answer(200, b"".join(b"%d\n" % len(line) for line in lines if line != b"lose"))

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if custom := self.headers.get("X-Amzn-SageMaker-Custom-Attributes"):
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", custom)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Quiet."""


def last_words(*_: object) -> None:
    print("stopped before it was well", flush=True)
    os._exit(0)


def serve() -> None:
    if BEHAVIOUR == "crash":
        sys.exit("cannot read the model")
    if BEHAVIOUR == "hungry":
        resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))
        hoard = [bytearray(2**24) for _ in range(2**10)]
        print(len(hoard))
    print("serving", flush=True)
    if BEHAVIOUR == "sick":
        signal.signal(signal.SIGTERM, last_words)
    if BEHAVIOUR == "deaf":
        with socket.create_server(HERE):
            time.sleep(600)
    ThreadingHTTPServer(HERE, Handler).serve_forever()


for command in sys.argv[1:]:
    {"train": train, "process": process, "monitor": monitor, "serve": serve}[command]()
