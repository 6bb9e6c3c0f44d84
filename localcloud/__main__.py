"""`python -m localcloud`: one AWS on one port, until a signal or, with --leash, until standard input closes."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

os.environ.update(
    {
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "MOTO_ACCOUNT_ID": "",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DISABLE_GLOBAL_CORS": "true",
    }
)
del os.environ["MOTO_ACCOUNT_ID"]


def arguments() -> argparse.Namespace:
    """What the road command says when it starts a cloud."""
    parser = argparse.ArgumentParser(prog="localcloud", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder for logs, jobs and builds; emptied first")
    parser.add_argument("--port", type=int, default=0, help="0 asks the system for a free one")
    parser.add_argument("--speed", type=float, default=60, help="seconds of a template's durations that pass in one second")
    parser.add_argument("--accounts", required=True, help="comma-separated account numbers")
    parser.add_argument("--region", required=True)
    parser.add_argument("--leash", action="store_true", help="end when standard input closes")
    return parser.parse_args()


def _end_with_input(ending: threading.Event) -> None:
    sys.stdin.read()
    ending.set()


def main() -> int:
    given = arguments()
    from localcloud.server import Server  # moto reads its environment when it is imported

    given.root.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=given.root / "localcloud.log", filemode="w", level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    ending = threading.Event()
    for received in (signal.SIGTERM, signal.SIGINT):
        signal.signal(received, lambda *_: ending.set())
    try:
        server = Server(
            root=given.root.resolve(), port=given.port, speed=given.speed, accounts=given.accounts.split(","), region=given.region
        )
    except OSError as problem:
        print(f"localcloud: cannot listen on port {given.port}: {problem.strerror}: choose another or leave --port out", file=sys.stderr)
        return 1
    if given.leash:
        threading.Thread(target=_end_with_input, args=(ending,), daemon=True).start()
    server.start()
    print(f"ready {server.url}", flush=True)
    ending.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
