"""Preparation: the data contract is checked, then the rows are parted into what training may see and what it may not."""

from __future__ import annotations

from model_code.runtime import contract
from model_code.runtime.job import Job
from model_code.runtime.split import split


def prepare(job: Job) -> None:
    """Write `train/train.csv` and `holdout/holdout.csv` where the next step finds them. Raises ContractError."""
    data = job.spec.data
    examples = contract.read(job.data, data, minimum_rows=data.minimum_rows)
    train, holdout = split(examples, share=data.holdout, seed=data.seed)
    contract.write(job.prepared("train") / "train.csv", train, data)
    contract.write(job.prepared("holdout") / "holdout.csv", holdout, data)
    print(f"prepared {len(train)} rows for training and {len(holdout)} held out", flush=True)
