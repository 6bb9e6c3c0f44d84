"""However a localcloud dies, no endpoint and no job of it lives on."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

CLOUD = """
import sys, threading
from pathlib import Path
from moto.server import ThreadedMotoServer
from localcloud import sagemaker
from localcloud.cloud import Cloud, install
from tests.localcloud.support import ACCOUNT, REGION, Aws
from tests.localcloud.test_sagemaker_endpoints import ask, configured, serving
from tests.localcloud.test_sagemaker_jobs import training, until_hanging
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
install(Cloud(root=Path(sys.argv[1]), url=f"http://localhost:{server.get_host_and_port()[1]}", region=REGION, speed=100))
sagemaker.install()
from localcloud.cloud import cloud
aws = Aws(cloud())
aws.prepare()
image = aws.image()
pid = ask(aws, serving(aws, configured(aws, image, "c"), "e"))["pid"]
training(aws, image, "job", Environment={"BEHAVIOUR": "hang"})
until_hanging("job")
print(pid, flush=True)
threading.Event().wait()
"""


def processes_of(folder: Path) -> set[int]:
    """Processes that run a program of an image kept in `folder`."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except FileNotFoundError:
            continue  # it ended while we looked
    return found


def test_no_process_is_left_after_sigkill(tmp_path: Path) -> None:
    root = tmp_path / "cloud"
    root.mkdir()
    cloud = subprocess.Popen([sys.executable, "-c", CLOUD, str(root)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert cloud.stdout is not None
    serving = int(cloud.stdout.readline())
    watched = {pid: os.pidfd_open(pid) for pid in processes_of(root / "images")}
    assert serving in watched
    assert len(watched) >= 2
    cloud.send_signal(signal.SIGKILL)
    cloud.wait()

    for pid, handle in watched.items():
        with os.fdopen(handle) as ended:
            assert ready(ended.fileno()), f"process {pid} lives on"


def ready(handle: int) -> bool:
    """Whether the process behind a pidfd ends within ten seconds."""
    return bool(select.select([handle], [], [], 10)[0])
