"""Trains for one delivery: runs the model's training pipeline, waits for the version it registers, and pins what that is made of; or says
which gates refused it.
"""

from __future__ import annotations

from pathlib import Path

import naming
from pipelines.deployment import training_run
from pipelines.deployment.pin import pin
from pipelines.steps.step import add_pace, open_registry, pace, parser, print_exports, progress, run


def main() -> None:
    """Print MODEL_PACKAGE_ARN and PIPELINE_EXECUTION_ARN as shell variables."""
    arguments = parser(__doc__)
    arguments.add_argument("--definition", required=True, type=Path, help="what pipelines.training printed")
    arguments.add_argument("--execution", required=True, help="the delivery's, after which the run is named")
    add_pace(arguments)
    options = arguments.parse_args()
    registry = open_registry(options.model)
    sagemaker, pipeline = registry.sagemaker, naming.training_pipeline(registry.config, options.model)
    version = training_run.write(sagemaker, pipeline=pipeline, definition=options.definition.read_text(), role=registry.facts.training_role)
    arn = training_run.start(sagemaker, pipeline=pipeline, execution=options.execution, version=version)
    trained = pin(registry, training_run.wait(sagemaker, registry.s3, arn, pace(options)))
    progress(f"{trained.arn} is pinned: {trained.data}")
    print_exports({"MODEL_PACKAGE_ARN": trained.arn, "PIPELINE_EXECUTION_ARN": arn})


if __name__ == "__main__":
    run(main, "train")
