"""Where SageMaker puts things for a container, in one place: the `/opt/ml` contract of training, processing and serving.

A processing job is known by its `processing/` folder. In one job the parts hand over in `work/`, which SageMaker ignores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paved_runtime import spec
from paved_runtime.checkpoints import Checkpoints
from paved_runtime.hosts import Hosts
from paved_runtime.plugin import Hyperparameters

SCORE_LOG_SECONDS = 10.0
CHECKPOINTS = "checkpoints"
OF_SAGEMAKER = ("sagemaker_", "_tuning_")  # how names begin that SageMaker adds to the hyperparameters of a job, or of a trial


@dataclass(frozen=True, kw_only=True)
class Job:
    """One container's run: which model, where its files are, and what the pipeline says about its origin."""

    spec: spec.ModelSpec
    root: Path
    port: int
    origin: Mapping[str, str]
    environ: Mapping[str, str] = field(default_factory=dict)  # all of it: the monitor alone reads more than is here
    model_package_arn: str = ""  # of the version that `score` asks
    model_sha256: str = ""  # of the model that a server is to serve, and no other
    workers: int = 0  # processes of a server; 0: as many as it has cores
    batch: bool = False  # whether a server is in a batch transform job
    payload: int = 0  # bytes that such a job's requests may have
    score_log_seconds: float = SCORE_LOG_SECONDS  # after so long at the latest a server logs what it has scored

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Job:
        """The job of an environment: MODEL, ML_ROOT, SAGEMAKER_BIND_TO_PORT, COMMIT, DATA_SHA256, IMAGE_URI, MODEL_PACKAGE_ARN,
        MODEL_SHA256, SCORE_LOG_SECONDS, SAGEMAKER_MODEL_SERVER_WORKERS (the name that SageMaker's inference toolkit has for it),
        SAGEMAKER_BATCH and SAGEMAKER_MAX_PAYLOAD_IN_MB (SageMaker's own, in a batch transform job).

        Raises:
            ValueError: MODEL is not set, the port is no number, SCORE_LOG_SECONDS none above 0, the workers none, the payload none,
                or the model's `model.toml` is wrong.
        """
        if not environ.get("MODEL"):
            known = " or ".join(spec.names()) or f"a model's name; {spec.MODELS} has none (MODEL_CODE says where models are)"
            raise ValueError(f"the environment variable MODEL is not set: it says which model this container is for: set it to {known}")
        port = environ.get("SAGEMAKER_BIND_TO_PORT", "8080")
        if not port.isdecimal():
            raise ValueError(f"SAGEMAKER_BIND_TO_PORT: expected a port number, found {port!r}")
        pause = environ.get("SCORE_LOG_SECONDS", str(SCORE_LOG_SECONDS))
        if not re.fullmatch(r"\d*\.?\d+", pause) or not float(pause):
            raise ValueError(f"SCORE_LOG_SECONDS: expected a number above 0, found {pause!r}")
        workers = environ.get("SAGEMAKER_MODEL_SERVER_WORKERS", "0")
        if not re.fullmatch(r"\d{1,3}", workers, re.ASCII):
            raise ValueError(f"SAGEMAKER_MODEL_SERVER_WORKERS: expected a number of processes, 0 for one a core, found {workers!r}")
        payload = environ.get("SAGEMAKER_MAX_PAYLOAD_IN_MB", "0")
        if not payload.isdecimal():
            raise ValueError(f"SAGEMAKER_MAX_PAYLOAD_IN_MB: expected a number of megabytes, found {payload!r}")
        return cls(
            spec=spec.load(environ["MODEL"]),
            root=root(environ),
            port=int(port),
            environ=environ,
            origin={name.lower(): environ.get(name, "") for name in ("COMMIT", "DATA_SHA256", "IMAGE_URI")},
            model_package_arn=environ.get("MODEL_PACKAGE_ARN", ""),
            model_sha256=environ.get("MODEL_SHA256", ""),
            workers=int(workers),
            batch=environ.get("SAGEMAKER_BATCH") == "true",
            payload=int(payload) * 2**20,
            score_log_seconds=float(pause),
        )

    @property
    def processing(self) -> bool:
        """Whether this is a processing job, with a processing job's folders."""
        return (self.root / "processing").is_dir()

    @property
    def data(self) -> Path:
        """The folder of the data set as it came."""
        return self.root / ("processing/input/data" if self.processing else "input/data/data")

    def prepared(self, part: str) -> Path:
        """The folder that preparation writes `train` or `holdout` to."""
        return self.root / ("processing" if self.processing else "work") / part

    def channel(self, part: str) -> Path:
        """The folder of `train`, `holdout` or `champion`: a channel, or what this very job prepared; it may not be there."""
        channel = self.root / ("processing/input" if self.processing else "input/data") / part
        return channel if channel.is_dir() else self.prepared(part)

    @property
    def report(self) -> Path:
        """The folder of what people read about this run; SageMaker packs a training job's as `output.tar.gz` beside the model."""
        return self.root / ("processing/report" if self.processing else "output/data") if self.hosts.first else self.root / "work/report"

    @property
    def model(self) -> Path:
        """The folder of model files, which SageMaker packs after training and unpacks before serving.

        It packs what all hosts leave as one archive, in which no name may be there twice: so the first alone leaves anything.
        """
        return self.root / ("model" if self.hosts.first else "work/model")

    @property
    def hosts(self) -> Hosts:
        """The machines of a training job; any other job, and a server, is one by itself. Raises ValueError as `Hosts.read` does."""
        return Hosts.read(self.root, job=self.environ.get("TRAINING_JOB_NAME", ""))

    @property
    def checkpoints(self) -> Checkpoints:
        """Where training keeps how far it is: what SageMaker copies to S3, where the job was given such a place."""
        folder = self.root / CHECKPOINTS
        settings = {name: str(value) for name, value in self.hyperparameters.items()}
        return Checkpoints(folder=folder if folder.is_dir() else None, origin=self.origin, settings=settings, writes=self.hosts.first)

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Those of `model.toml`, each replaced by the training job's own where it gives one.

        Raises:
            ValueError: the job names one that `model.toml` does not have, or gives a text where a number is due.
        """
        defaults = self.spec.training.hyperparameters
        file = self.root / "input/config/hyperparameters.json"
        texts = json.loads(file.read_text()) if file.is_file() else {}
        own = {name: text for name, text in texts.items() if not name.startswith(OF_SAGEMAKER)}
        if unknown := sorted(set(own) - set(defaults)):
            raise ValueError(f"hyperparameter {unknown[0]!r} is unknown; model.toml has {', '.join(sorted(defaults))}")
        return {**defaults, **{name: _typed(name, text, like=defaults[name]) for name, text in own.items()}}


def root(environ: Mapping[str, str]) -> Path:
    """Where the file system of the SageMaker contract begins."""
    return Path(environ.get("ML_ROOT", "/opt/ml"))


def _typed(name: str, text: str, *, like: float | str) -> int | float | str:
    """SageMaker hands over every hyperparameter as text, which the SDK may have quoted."""
    bare = text.strip('"')
    try:
        return type(like)(bare)
    except ValueError as error:
        raise ValueError(f"hyperparameter {name!r}: expected {type(like).__name__}, found {bare!r}") from error
