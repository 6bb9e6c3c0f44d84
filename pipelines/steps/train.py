"""Trains for one delivery: runs the model's training pipeline, waits for the version it registers, and pins what that is made of; or says
which gates refused it. Where a push has changed nothing that training depends on, it goes on with what is there.

A run that outlasts this step goes on. Where the stage has another action after this one, that one waits on, with the same command.
"""

from __future__ import annotations

from pathlib import Path

import naming
from pipelines.deployment import reuse, training_run
from pipelines.deployment.pin import pin
from pipelines.evidence.publish import inputs_sha256
from pipelines.run import Run
from pipelines.steps.step import add_pace, open_registry, pace, parser, print_exports, progress, run
from pipelines.waiting import UNFINISHED


def main() -> None:
    """Print MODEL_PACKAGE_ARN, which is `unfinished` where the run goes on, and PIPELINE_EXECUTION_ARN as shell variables."""
    arguments = parser(__doc__)
    arguments.add_argument("--definition", required=True, type=Path, help="what pipelines.training printed")
    arguments.add_argument("--run", required=True, type=Path, help="what describe_run printed")
    arguments.add_argument("--execution", required=True, help="the delivery's, after which the run is named")
    arguments.add_argument("--waits-after", type=int, default=0, metavar="COUNT", help="how many actions of the stage come after this one")
    add_pace(arguments)
    options = arguments.parse_args()
    registry = open_registry(options.model)
    sagemaker, pipeline = registry.sagemaker, naming.training_pipeline(registry.config, options.model)
    definition, described = options.definition.read_text(), Run.read(options.run)
    same = reuse.reusable(registry, described, inputs_sha256(definition))
    if same and not training_run.under_way(sagemaker, pipeline=pipeline, execution=options.execution):
        version = reuse.register(registry, described, same, execution=options.execution)
        progress(f"nothing was trained: {version.arn} is {same.version.arn}, trained at commit {same.evidence.evaluation.commit}")
        print_exports({"MODEL_PACKAGE_ARN": version.arn, "PIPELINE_EXECUTION_ARN": same.evidence.training.execution_arn})
        return
    written = training_run.write(sagemaker, pipeline=pipeline, definition=definition, role=registry.facts.training_role)
    arn = training_run.start(sagemaker, pipeline=pipeline, execution=options.execution, version=written)
    package = training_run.outcome(sagemaker, registry.s3, arn, pace(options), waits_after=options.waits_after)
    if package is None:
        print_exports({"MODEL_PACKAGE_ARN": UNFINISHED, "PIPELINE_EXECUTION_ARN": arn})
        return
    trained = pin(registry, package)
    progress(f"{trained.arn} is pinned: {trained.data}")
    print_exports({"MODEL_PACKAGE_ARN": trained.arn, "PIPELINE_EXECUTION_ARN": arn})


if __name__ == "__main__":
    run(main, "train")
