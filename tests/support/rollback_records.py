"""A record of why a version was taken back."""

from __future__ import annotations

from typing import Any

from pipelines.evidence.rollback_record import Alarm, Metric, RollbackRecord
from tests.reference import CONFIG
from tests.support import sample
from tests.support.fake_production import ENDPOINT

TIMES = [f"2026-11-21T10:0{minute}:00Z" for minute in range(4)]
METRIC = Metric(label="Invocation5XXErrors", threshold=0.01, times=TIMES, values=[0, 0.005, 0.2, 0.31])


def rollback_record(**changes: Any) -> RollbackRecord:
    """The record of a version that SageMaker took back."""
    known: dict[str, Any] = {
        "model_package_arn": f"{sample.ARN}/7",
        "environment": CONFIG.environments[-1].name,
        "endpoint": ENDPOINT,
        "endpoint_config": "config-2",
        "time": "2026-11-21T10:05:00Z",
        "taken_back_by": "SageMaker",
        "why": "alarm config-2-ServerErrors went into ALARM at 2026-11-21T10:03:00Z: 2 out of 3 < & > were above",
        "alarms": [Alarm(name="config-2-ServerErrors", time="2026-11-21T10:03:00Z", reason="2 out of 3")],
        "metric": METRIC,
    }
    return RollbackRecord(**{**known, **changes})
