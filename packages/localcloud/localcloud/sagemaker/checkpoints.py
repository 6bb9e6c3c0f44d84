"""A training job's checkpoints: what its prefix in S3 holds is there when the job starts, and what hosts write goes to S3 while they run.

All hosts share the one prefix, and their files of one name overwrite each other (SageMaker guide, "Checkpoints in Amazon SageMaker AI"). A
file is copied as it is found, half written or not, and nothing is deleted in S3: who resumes has to know a whole checkpoint from another.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from localcloud.core.cloud import cloud
from localcloud.sagemaker.s3_files import download, upload

EVERY = 10  # seconds of AWS's time between two looks at what was written


class Checkpoints:
    """Within the block what hosts write to their `folders` goes to `uri`; when it ends, the rest. A failed copy is raised then."""

    def __init__(self, s3: Any, uri: str, folders: dict[str, Path]) -> None:
        self._s3, self._uri, self._folders = s3, f"{uri.rstrip('/')}/", dict(folders)
        self._copied: dict[Path, tuple[int, int]] = {}
        self._over = threading.Event()
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Checkpoints:
        for folder in self._folders.values():
            folder.mkdir(parents=True, exist_ok=True)
            download(self._s3, self._uri, folder)
            self._copied |= {file: _state(file) for file in _files(folder)}
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        if self._problem and not problem:
            raise self._problem
        self._copy()

    def lose(self, host: str) -> None:
        """Copy nothing more of a host: it is gone, and what was not in S3 with it."""
        self._folders.pop(host, None)

    def _follow(self) -> None:
        try:
            while not cloud().wait(self._over, EVERY):
                self._copy()
        except Exception as problem:  # raised where the job waits for it
            self._problem = problem

    def _copy(self) -> None:
        for host, folder in list(self._folders.items()):
            for file in _files(folder):
                if host in self._folders:
                    self._copy_changed(file, file.relative_to(folder))

    def _copy_changed(self, file: Path, name: Path) -> None:
        try:
            state = _state(file)
            if self._copied.get(file) != state:
                upload(self._s3, file, f"{self._uri}{name}", None)
                self._copied[file] = state
        except FileNotFoundError:
            return  # its program has renamed or removed it meanwhile


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _state(file: Path) -> tuple[int, int]:
    about = file.stat()
    return about.st_mtime_ns, about.st_size
