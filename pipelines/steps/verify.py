"""Asks the live endpoint whether it is what was deployed, whether it was asked enough, and whether it answers as evaluation said it would.

SageMaker rolls a bad deployment back and CloudFormation then reports success: so what is served is read back and compared. Then alarms are
watched until enough was asked; where one goes into ALARM, the last good version comes back and the step fails. This step's own requests
come after that, and so are not counted: except in the first environment, where they are all that there are. There a new version must also
stand what `model.toml` declares. All gates speak before the step fails.

Where no version is new, nothing is written, and nothing taken back.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.deployment import package, standing
from pipelines.deployment.acceptance import answers
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.guard import Guard
from pipelines.deployment.live_check import Demand
from pipelines.steps.step import add_environment, add_pace, conclude, open_place, pace, parser, print_report, progress, run


def main() -> None:
    """Print what was verified, as JSON."""
    arguments = parser(__doc__)
    add_environment(arguments)
    arguments.add_argument(
        "--model-package-arn",
        help="a version that is new there; without it, what is deployed is looked at, and what is not deployed is no failure",
    )
    arguments.add_argument("--report", type=Path, help="write what is printed to this file, too, and also if a gate fails")
    add_pace(arguments)
    options = arguments.parse_args()
    place, pacing, candidate = open_place(options.model, options.environment), pace(options), options.model_package_arn is not None
    stack = standing.ready(place, pacing)
    if stack is None:
        if candidate:
            raise DeploymentError(f"{place.serving_stack} is not deployed: there is nothing to verify: deploy it")
        progress(f"{place.serving_stack} is not deployed yet: nothing to verify")
        print_report({"endpoint": None}, options.report)
        return
    version = package.read(place.registry.sagemaker, options.model_package_arn if candidate else stack.serving.model_package)
    guard = Guard(place=place, version=version, writes=candidate and place.keeps_evidence, pace=pacing)
    live = guard.in_service(stack)
    progress(f"{live.endpoint} is in service with {version.arn}")
    report, verdicts, demand = {**live.as_json(), "model_package_arn": version.arn}, [], Demand.of(place.serving)
    under_load = candidate and place.first
    if not under_load:
        verdicts = [guard.watch(live, stack, demand)]
        if verdicts[0].passed is False:
            conclude(report, verdicts, options.report)
    answered = answers(place, live.endpoint, version, pacing, under_load=under_load)
    verdicts += answered.verdicts
    if under_load:
        verdicts.append(guard.watch(live, stack, demand))
    conclude(report | answered.report, verdicts, options.report)


if __name__ == "__main__":
    run(main, "verify")
