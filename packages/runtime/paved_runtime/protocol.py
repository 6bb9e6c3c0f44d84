"""What a container and the road around it must agree on: names of files, of log events and of requests, and how a version is called.

Standard library only: neither side has the other's packages.
"""

from __future__ import annotations

import hashlib

OWN = "road:"  # so begin the inference ids of the road's own requests, which monitoring leaves out

ENTRYPOINT = ("python", "-m", "paved_runtime")  # of every model's image: a job that says what is to be run says this, too

# In model.tar.gz
ONNX, SCHEMA, METADATA = "model.onnx", "schema.json", "metadata.json"
EVALUATION, GOLDEN = "evaluation.json", "golden.json"
# In output.tar.gz, beside it
REPORT, PARITY = "report.json", "parity.json"

# The score log: events in a container's log, and the metrics that CloudWatch makes of them, each by version.
SCORES, REFUSED = "scores", "refused"
SCORED_ROWS, VERSION_DIMENSION = "ScoredRows", "ModelVersion"


def score_percentile(percent: int) -> str:
    """The metric of a percentile of the scores."""
    return f"ScoreP{percent}"


def model_sha256(onnx: bytes, metadata: bytes) -> str:
    """The digest of a whole model: of these two files, of which the second has the digests of all others. `onnx` may be empty."""
    return hashlib.sha256(onnx + metadata).hexdigest()


def model_version(sha256: str) -> str:
    """How a container names the model that it serves: the first 12 hex digits of its digest."""
    return sha256[:12]
