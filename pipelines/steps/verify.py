"""Asks the live endpoint whether it is what was deployed, whether it was asked enough, and whether it answers as evaluation said it would.

SageMaker rolls a bad deployment back and CloudFormation then reports success: so what is served is read back and compared. Then alarms are
watched until enough was asked; where one rings, the last good version comes back and the step fails. This step's own requests come after
that, and so are not counted: except with `--load`, when they are all that there are. With it the endpoint must also stand what `model.toml`
declares: this is what staging is for. All gates speak before the step fails.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from tarfile import TarError
from typing import Any

import boto3
from botocore.config import Config

from model_code import spec
from model_code.spec import Load as Limits
from pipelines.evidence import pack
from pipelines.evidence.document import Verdict
from pipelines.evidence.signature import Signer
from pipelines.steps import environment, live_gates, package
from pipelines.steps import stack as stacks
from pipelines.steps.check_evidence import Clients
from pipelines.steps.endpoint import Endpoint
from pipelines.steps.guard import Guard
from pipelines.steps.live_check import Demand, Ringing, watch
from pipelines.steps.load import IN_FLIGHT, drive
from pipelines.steps.package import Package
from pipelines.steps.readback import Served, TakenBack, served
from pipelines.steps.rollback import Place
from pipelines.steps.stack import Stack
from pipelines.steps.step import StepError, add_minute_seconds, add_poll_seconds, parser, print_report, progress, run

PARITY = "parity.json"
PATIENT = Config(read_timeout=65, retries={"mode": "standard", "max_attempts": 3})  # a container has 60 s to answer
HURRIED = Config(read_timeout=65, retries={"total_max_attempts": 1}, max_pool_connections=IN_FLIGHT)  # a retry would hide an error
Json = dict[str, Any]
Runtimes = Callable[[Config], Any]  # makes clients of sagemaker-runtime


def ask(endpoint: Endpoint, golden: Json) -> tuple[Json, list[Verdict]]:
    """Send the golden and the bad requests that evaluation recorded; what is reported of them, and the verdicts."""
    scores, refused = live_gates.golden(endpoint, golden), live_gates.refusals(endpoint, golden["bad_requests"])
    reasons = [live_gates.reasons(endpoint, golden)] if "explained" in golden else []  # older packages know none
    asked = {"golden_requests": len(golden["requests"]), "largest_difference": scores.found, "bad_requests_refused": refused.found}
    progress(f"{asked['golden_requests']} golden requests asked, {refused.found} of {refused.threshold} bad requests refused")
    return asked, [scores, *reasons, refused]


def stand(runtimes: Runtimes, name: str, held_out: Json, schema: Json, limits: Limits) -> tuple[Json, list[Verdict]]:
    """Ask for held-out rows, put the declared load on the endpoint, then let it describe itself; what is reported, and the verdicts."""
    endpoint = Endpoint(runtimes(PATIENT), name)
    parity = live_gates.parity(endpoint, held_out, limits.parity)
    rows = len(held_out["instances"])
    progress(f"{rows} held-out rows asked; load: {limits.requests_per_second:g} requests a second for {limits.seconds} seconds")
    hurried = Endpoint(runtimes(HURRIED), name)
    load = drive(live_gates.sender(hurried, held_out, limits.parity), rate=limits.requests_per_second, seconds=limits.seconds)
    progress(f"load: p50 {load.percentile(50):.1f} ms, p99 {load.percentile(99):.1f} ms, {len(load.failures)} of {len(load.calls)} failed")
    memory, live_schema = live_gates.described(endpoint, schema, limits.memory_mb)
    found = {"parity": {"rows": rows, "largest_difference": parity.found}, "load": load.as_json(), "memory_mb": memory.found}
    return found, [parity, *live_gates.stood(load, limits), memory, live_schema]


def held_out_rows(s3: Any, version: Package) -> Json:
    """The rows that evaluation held out for this, with its scores: parity.json of the output.tar.gz beside the model.

    Raises:
        StepError: they are not there.
    """
    uri = pack.report_of(version.data)
    archive = pack.read(s3, uri)
    try:
        rows: Json = json.loads(pack.members(archive or b"", PARITY)[PARITY])
    except (TarError, KeyError, ValueError):
        rows = {"instances": []}
    if not rows["instances"]:
        raise StepError(f"{uri} holds no {PARITY} with rows: there is nothing to compare the endpoint with: train the model again")
    return rows


def main() -> None:
    """Print what was verified, as JSON."""
    given = _given()
    if given.if_deployed and not environment.deployed(given, given.stack):
        progress(f"{given.stack} is not deployed yet: nothing to verify")
        _tell({"endpoint": None}, given.report)
        return
    there = environment.verifier(given)
    stack = stacks.settled(there.client("cloudformation"), given.stack, poll_seconds=given.poll_seconds)
    if stack is None:
        raise StepError(f"{given.stack} is not deployed: there is nothing to verify: deploy it")
    version = package.read(boto3.client("sagemaker"), given.model_package_arn or stack.outputs["ModelPackage"])
    guard = _guard(given, there, version)
    live = _in_service(guard, there, stack)
    progress(f"{live.endpoint} is in service with {version.arn}")
    report, verdicts = {**live.as_json(), "model_package_arn": version.arn}, []
    demand = Demand.of(given.model, given.environment) if given.environment else None
    if demand and not given.load:
        verdicts = [_watched(guard, live, stack, demand)]
        if verdicts[0].passed is False:
            conclude(report, verdicts, given.report)
    asked, answered = _asked(given, there, live, version)
    verdicts += answered
    if demand and given.load:
        verdicts.append(_watched(guard, live, stack, demand))
    conclude(report | asked, verdicts, given.report)


def _given() -> Namespace:
    arguments = parser(__doc__)
    arguments.add_argument("--stack", required=True, help="the serving stack")
    environment.add_arguments(arguments)
    arguments.add_argument("--model-package-arn", help="the version expected; without it, the one the stack was deployed with")
    arguments.add_argument("--if-deployed", action="store_true", help="a stack that is not there is no failure")
    arguments.add_argument("--load", action="store_true", help="judge parity, latency, errors, memory and schema as well")
    arguments.add_argument("--model", help="whose model.toml has the limits of --load and says how much must have been asked")
    arguments.add_argument("--environment", help="which environment that is: makes the live check; needs --model")
    arguments.add_argument("--artifacts", help="s3://bucket: where to write down why a version was taken back, and what else served")
    arguments.add_argument("--watch", default="", help="the stack that watches the endpoint, which goes back with it")
    arguments.add_argument("--evidence-key", help="the KMS key that signs; with --artifacts")
    arguments.add_argument("--report", type=Path, help="write what is printed to this file, too, and also if a gate fails")
    add_poll_seconds(arguments)
    add_minute_seconds(arguments)
    given = arguments.parse_args()
    for flag in ("load", "environment"):
        if getattr(given, flag) and not given.model:
            arguments.error(f"--{flag} needs --model: its model.toml has the limits")
    if given.artifacts and not (given.evidence_key and given.environment):
        arguments.error("--artifacts needs --evidence-key, which signs what is written, and --environment")
    return given


def _guard(given: Namespace, there: boto3.Session, version: Package) -> Guard:
    """Only where there is a place for evidence is anything written, and a version brought back."""
    place = None
    if given.artifacts:
        signer = Signer(kms=boto3.client("kms"), key=given.evidence_key)
        place = Place(
            environment=given.environment,
            stack=given.stack,
            watch=given.watch,
            artifacts=given.artifacts,
            cloudformation=environment.deployer(given).client("cloudformation"),
            sagemaker=there.client("sagemaker"),
            home=Clients(s3=boto3.client("s3"), sagemaker=boto3.client("sagemaker"), ecr=boto3.client("ecr"), signer=signer),
        )
    return Guard(
        version=version,
        place=place,
        cloudwatch=there.client("cloudwatch"),
        by=str(boto3.client("sts").get_caller_identity()["Arn"]),
        poll_seconds=given.poll_seconds,
        minute_seconds=given.minute_seconds,
    )


def _in_service(guard: Guard, there: boto3.Session, stack: Stack) -> Served:
    if failure := guard.resumed(stack):
        raise failure
    try:
        return served(there.client("sagemaker"), stack.outputs, guard.version, poll_seconds=guard.poll_seconds)
    except TakenBack as found:
        raise guard.taken_back(found, stack.outputs) from found


def _watched(guard: Guard, live: Served, stack: Stack, demand: Demand) -> Verdict:
    pace = {"poll_seconds": guard.poll_seconds, "minute_seconds": guard.minute_seconds}
    try:
        return watch(guard.cloudwatch, live, stack.outputs, demand, **pace)
    except Ringing as found:
        raise guard.take_back(live, found) from found


def _asked(given: Namespace, there: boto3.Session, live: Served, version: Package) -> tuple[Json, list[Verdict]]:
    """What the endpoint answers to this step's own requests."""

    def runtimes(config: Config) -> Any:
        return there.client("sagemaker-runtime", config=config)

    s3 = boto3.client("s3")
    asked, verdicts = ask(Endpoint(runtimes(PATIENT), live.endpoint), package.member(s3, version, "golden.json"))
    if given.load:
        schema, held_out = package.member(s3, version, "schema.json"), held_out_rows(s3, version)
        stood, more = stand(runtimes, live.endpoint, held_out, schema, limits_of(given.model))
        asked, verdicts = asked | stood, verdicts + more
    return asked, verdicts


def conclude(report: Json, verdicts: list[Verdict], file: Path | None) -> None:
    """Tell what was found, whatever it was. Raises StepError with a line for every gate that failed."""
    _tell({**report, "gates": [verdict.model_dump() for verdict in verdicts]}, file)
    if failed := [verdict.line() for verdict in verdicts if verdict.passed is False]:
        raise StepError("; ".join(failed))


def limits_of(model: str) -> Limits:
    """What a model's `model.toml` accepts under load. Raises StepError when it cannot be read."""
    try:
        return spec.load(model).gates.load
    except spec.SpecError as error:
        raise StepError(str(error)) from error


def _tell(report: Json, file: Path | None) -> None:
    print_report(report)
    if file:
        file.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, "verify")
