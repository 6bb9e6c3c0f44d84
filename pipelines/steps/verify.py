"""Asks the live endpoint whether it is what was deployed, whether it was asked enough, and whether it answers as evaluation said it would.

SageMaker rolls a bad deployment back and CloudFormation then reports success: so what is served is read back and compared, and the
containers are asked which model they have. Then alarms are watched until enough was asked. Where another model answers, or an alarm goes
into ALARM, the last good version comes back and the step fails. This step's own requests come after that, and so are not counted: except
in the first environment, where they are all that there are. There a new version must also stand what `model.toml` declares, and a batch,
where it has some, must give the same scores, and the features that it looks up must be fresh, and the same online and offline. All gates
speak before the step fails.

Where no version is new, nothing is written, and nothing taken back.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from paved_runtime import feature_groups
from pipelines.deployment import batch_gate, feature_parity, feature_store, package, release, standing
from pipelines.deployment.acceptance import Answers, answers, held_out_rows
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.guard import Guard
from pipelines.deployment.live_check import Demand
from pipelines.deployment.place import Place
from pipelines.deployment.recording import Recording
from pipelines.deployment.stack import Stack
from pipelines.evidence.document import Verdict
from pipelines.steps.step import add_environment, add_execution, add_pace, conclude, open_place, pace, parser, print_report, progress, run


def main() -> None:
    """Print what was verified, as JSON."""
    arguments = parser(__doc__)
    add_environment(arguments)
    arguments.add_argument(
        "--model-package-arn",
        help="a version that is new there; without it, what is deployed is looked at, and what is not deployed is no failure",
    )
    arguments.add_argument("--report", type=Path, help="write what is printed to this file, too, and also if a gate fails")
    add_execution(arguments)
    add_pace(arguments)
    options = arguments.parse_args()
    place, pacing, candidate = open_place(options.model, options.environment), pace(options), options.model_package_arn is not None
    sagemaker, stack = place.registry.sagemaker, standing.ready(place, pacing)
    if stack is None:
        if candidate:
            raise DeploymentError(f"{place.serving_stack} is not deployed: there is nothing to verify: deploy it")
        progress(f"{place.serving_stack} is not deployed yet: nothing to verify")
        print_report({"endpoint": None}, options.report)
        return
    version = release.candidate(place, options.model_package_arn) if candidate else package.read(sagemaker, stack.serving.model_package)
    guard = Guard(place=place, version=version, writes=candidate and place.keeps_evidence, pace=pacing)
    recording = Recording(place=place, version=version, execution=options.execution) if candidate else None
    with recording.outcome() if recording else nullcontext():
        verify(guard, stack, candidate=candidate, report_file=options.report)


def verify(guard: Guard, stack: Stack, *, candidate: bool, report_file: Path | None) -> None:
    """Ask everything of the endpoint, in the order in which it must be asked; print it, and write it to `report_file`.

    Raises:
        DeploymentError: a gate failed; or the version does not serve, or was taken back.
    """
    place, version = guard.place, guard.version
    live = guard.in_service(stack)
    identity = guard.identify(live)
    progress(f"{live.endpoint} is in service with {version.arn}, model {identity.found}")
    report = {**live.as_json(), "model_package_arn": version.arn, "model_sha256": identity.found}
    verdicts, demand, under_load = [identity], Demand.of(place.serving), candidate and place.first
    if not under_load:
        verdicts.append(guard.watch(live, stack, demand))
        if verdicts[-1].passed is False:
            conclude(report, verdicts, report_file)
    answered = answers(place, version, guard.pace, under_load=under_load)
    verdicts += answered.verdicts
    if under_load:
        verdicts.append(guard.watch(live, stack, demand))
        verdicts += looked_up(place)
        if place.serving.batch:
            batch = scored_as_batch(guard, str(identity.found))
            verdicts, answered = verdicts + batch.verdicts, answered + batch
    conclude(report | answered.report, verdicts, report_file)


def looked_up(place: Place) -> list[Verdict]:
    """Whether what the model looks up there is new enough, and the same as what it is trained on."""
    if not place.model.features:
        return []
    groups = [feature_groups.load(name) for name in place.model.features]
    stores, s3 = feature_store.stores(place.sagemaker, place.config, place.model.features), place.verifier("s3")
    runtime = place.verifier("sagemaker-featurestore-runtime")
    fresh = feature_store.freshness(groups, stores, s3, datetime.now(UTC))
    return [*fresh, *feature_parity.parity(runtime, s3, stores, place.model.features)]


def scored_as_batch(guard: Guard, model_sha256: str) -> Answers:
    """Have the held-out rows scored as a batch by the model of that digest."""
    place, data = guard.place, guard.place.model.data
    held_out = held_out_rows(place.registry.s3, guard.version)
    tolerance = place.model.gates.load.parity * data.span
    return batch_gate.scored(
        place.batches, held_out, model_sha256=model_sha256, classes=data.classes or (), tolerance=tolerance, pace=guard.pace
    )


if __name__ == "__main__":
    run(main, "verify")
