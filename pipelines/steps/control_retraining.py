"""Decides whether a model is trained again though nobody pushed, and starts its road with the cause, or records why not."""

from __future__ import annotations

from datetime import UTC, datetime

import naming
from config import CONFIG
from paved_runtime import spec
from pipelines.deployment.retraining.causes import causes
from pipelines.deployment.retraining.controller import Controller
from pipelines.deployment.retraining.policy import Policy
from pipelines.deployment.retraining.records import Records
from pipelines.deployment.retraining.roads import Roads
from pipelines.steps.step import add_pace, open_place, parser, print_report, progress, run


def main() -> None:
    """Print what was decided, as JSON."""
    arguments = parser(__doc__)
    arguments.add_argument("--execution", required=True, help="this controller's")
    add_pace(arguments)
    options = arguments.parse_args()
    monitoring = spec.load(options.model).monitoring
    limits = monitoring.retraining if monitoring else None
    if limits is None:
        print_report({"outcome": "nothing", "reason": f"model_code/{options.model}/model.toml asks for no retraining"})
        return
    place = open_place(options.model, CONFIG.environments[-1].name)
    config, model, registry = place.config, options.model, place.registry
    pipelines = {"delivery": naming.delivery_pipeline(config, model), "retraining": naming.retraining_pipeline(config, model)}
    roads, records = Roads(registry.codepipeline, **pipelines), Records(registry.s3, registry.facts.artifacts_bucket)
    policy = Policy(limits=limits, minute_seconds=options.minute_seconds)
    controller = Controller(execution=options.execution, records=records, roads=roads, policy=policy)
    report = controller.decided()
    if report is None:
        report = controller.decide(causes(place, limits.on, roads, records.started(), datetime.now(UTC)))
    progress(": ".join(str(report[part]) for part in ("outcome", "cause", "execution", "reason") if part in report))
    print_report(report)


if __name__ == "__main__":
    run(main, "control_retraining")
