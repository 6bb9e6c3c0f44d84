"""A Docker daemon for tests, and a Python image in it that nothing had to be pulled for.

The daemon is the machine's own where one answers. Elsewhere it is started here, which takes root and Debian's `docker.io`; it makes no
network and no rule of a firewall, and mounts nothing that others see. The image is Debian as `debootstrap` makes it, with the certificates
and the package index of this machine, under whatever name a Dockerfile begins with.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from localcloud.testing.waiting import until

PROGRAMS = ("docker", "dockerd", "docker-registry", "debootstrap")
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/archives", "var/lib/apt/lists")
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
STARTS_WITHIN, ENDS_WITHIN = 60, 60  # seconds


@contextmanager
def daemon(root: Path) -> Iterator[None]:
    """Docker answers within the block, to whoever has this process's environment."""
    if _answers():
        yield
        return
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    assert not missing, f"no Docker answers, and to start one there is no {', '.join(missing)}: .ci/containers installs them"
    with (root / "dockerd.log").open("w") as log:
        folders = ["--data-root", str(root / "data"), "--exec-root", str(root / "exec"), "--pidfile", str(root / "pid")]
        own = ["--host", f"unix://{root}/docker.sock", "--bridge", "none", "--iptables=false", "--ip-masq=false"]
        apart = ["unshare", "--mount", "--propagation", "private"]
        process = subprocess.Popen([*apart, "dockerd", *folders, *own], stdout=log, stderr=log)
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = f"unix://{root}/docker.sock"
        try:
            until(lambda: process.poll() is not None or _answers(), seconds=STARTS_WITHIN)
            assert process.poll() is None, (root / "dockerd.log").read_text()
            yield
        finally:
            process.terminate()
            process.wait(ENDS_WITHIN)
            os.environ.pop("DOCKER_HOST") if before is None else os.environ.update(DOCKER_HOST=before)


def python_image(folder: Path, *names: str) -> None:
    """Let each of `names` be an image with this Debian's own Python, unless Docker has one of that name."""
    wanted = [name for name in names if subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode]
    if not wanted:
        return
    root = folder / "base"
    _run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)])
    for externally_managed in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        externally_managed.unlink()
    (root / "usr/bin/python").symlink_to("python3")
    for unused in UNUSED:
        shutil.rmtree(root / unused, ignore_errors=True)
    shutil.copyfile(Path("/", CERTIFICATES), root / CERTIFICATES)
    (root / "etc/pip.conf").write_text(f"[global]\ncert = /{CERTIFICATES}\n{_index()}")
    archive = folder / "base.tar"
    _run(["tar", "--create", "--file", str(archive), "--directory", str(root), "."])
    first, *others = wanted
    _run(["docker", "import", str(archive), first])
    for other in others:
        _run(["docker", "tag", first, other])
    shutil.rmtree(root)
    archive.unlink()


def _index() -> str:
    """The index of packages that this machine's pip is told to use, if it is."""
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False)
    url = os.environ.get("PIP_INDEX_URL") or asked.stdout.strip()
    return f"index-url = {url}\n" if url else ""


def _answers() -> bool:
    return bool(shutil.which("docker")) and subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
