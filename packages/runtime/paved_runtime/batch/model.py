"""Which model a batch is of: both jobs around the transform job have it beside them, and refuse another than the one that was deployed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from paved_runtime import artifact, plugin
from paved_runtime.artifact import ArtifactError
from paved_runtime.invocations import sha256
from paved_runtime.job import Job

ARCHIVE = "processing/input/model/model.tar.gz"


def digest(job: Job) -> str:
    """The digest of the model that a processing job has as its input.

    Raises:
        ArtifactError: it is not complete, of another contract than this image's, or another than MODEL_SHA256 says.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        artifact.unpack(job.root / ARCHIVE, model, job.spec)
        artifact.check(model, job.spec, plugin.features(job.spec.name).NAMES)
        digest = sha256(model)
    if job.model_sha256 and digest != job.model_sha256:
        raise ArtifactError(f"the model has sha256 {digest}, this batch is of {job.model_sha256}: find out by whom it was swapped")
    return digest
