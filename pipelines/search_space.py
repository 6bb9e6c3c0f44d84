"""A model's search for good hyperparameters, in the words of CreateHyperParameterTuningJob."""

from __future__ import annotations

from typing import Any

from paved_runtime.spec import Search, Training

Json = dict[str, Any]


def config(training: Training, search: Search) -> Json:
    """The HyperParameterTuningJobConfig. Whether SageMaker draws integers is said by the hyperparameter's type in `model.toml`."""
    return {
        "Strategy": search.strategy.title(),
        "HyperParameterTuningJobObjective": {"Type": "Maximize" if search.maximize else "Minimize", "MetricName": search.metric},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": search.jobs, "MaxParallelTrainingJobs": search.parallel},
        "ParameterRanges": _ranges(training, search),
        "TrainingJobEarlyStoppingType": "Off",
        "RandomSeed": search.seed,
    }


def _ranges(training: Training, search: Search) -> dict[str, list[Json]]:
    kinds = dict[str, list[Json]]()
    for name, searched in sorted(search.ranges.items()):
        if searched.values:
            kinds.setdefault("CategoricalParameterRanges", []).append({"Name": name, "Values": [str(value) for value in searched.values]})
            continue
        kind = "IntegerParameterRanges" if isinstance(training.hyperparameters[name], int) else "ContinuousParameterRanges"
        scale = "Logarithmic" if searched.scale == "log" else "Linear"
        ends = {"MinValue": str(searched.minimum), "MaxValue": str(searched.maximum)}
        kinds.setdefault(kind, []).append({"Name": name, **ends, "ScalingType": scale})
    return kinds
