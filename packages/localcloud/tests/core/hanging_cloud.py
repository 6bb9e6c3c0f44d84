"""A cloud in a process of its own with an endpoint that serves and a job that hangs: the first argument is its folder.

With `--containers` behind it, Docker runs the image. Says the process id of the endpoint's program in its one line, and goes on until it
is killed.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from sagemaker_jobs import training, until_hanging

from localcloud.ecr import engine
from localcloud.testing import MODELS
from localcloud.testing.endpoints import ask, configured, serving
from localcloud.testing.in_process import in_process

if __name__ == "__main__":
    root = Path(sys.argv[1])
    root.mkdir(parents=True, exist_ok=True)
    with in_process(root, engine=engine.start(root) if "--containers" in sys.argv else None) as aws:
        image = aws.image(MODELS)
        pid = ask(aws, serving(aws, configured(aws, image, "config"), "endpoint"))["pid"]
        training(aws, image, "job", Environment={"BEHAVIOUR": "hang"})
        until_hanging(aws, "job")
        print(pid, flush=True)
        threading.Event().wait()
