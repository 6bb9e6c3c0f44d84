"""What happens to a version that does not hold: why is written down and drawn, the good one comes back, and the registry is told.

SageMaker has taken the version back already where an alarm went into ALARM during its deployment. Where one does later, it is done here.

Whether CloudFormation then calls the update of the endpoint a success or a failure, AWS says nowhere. So both are expected: after a success
the endpoint is read back, after a failure the stack's events tell what was tried and the endpoint what serves.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pipelines.deployment import alarms, ledger, live_gates, package, quota, readback, rollback, stack_events, standing
from pipelines.deployment import live as endpoints
from pipelines.deployment import stack as stacks
from pipelines.deployment.acceptance import PATIENT
from pipelines.deployment.cdk import CdkFailed
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.live_check import Demand, InAlarm, watch
from pipelines.deployment.pace import Pace
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from pipelines.deployment.readback import Mixed, Served, TakenBack
from pipelines.deployment.score_metrics import ScoreMetrics
from pipelines.deployment.stack import Stack
from pipelines.deployment.stack_events import Attempt
from pipelines.evidence import document, rollback_record
from pipelines.evidence.document import Verdict
from pipelines.evidence.rollback_record import Alarm, RollbackRecord

ENDPOINT, ENDPOINT_CONFIG, ALARM = "AWS::SageMaker::Endpoint", "AWS::SageMaker::EndpointConfig", "AWS::CloudWatch::Alarm"
COMPONENT, MODEL = "AWS::SageMaker::InferenceComponent", "AWS::SageMaker::Model"
NOT_STABILIZED = "NotStabilized"  # what CloudFormation's page on handler error codes calls a resource that did not become ready
LIVE_CHECK: Literal["the live check"] = "the live check"
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Looks after one version in one place. Without `writes` nothing is written down and nothing comes back: it only says why."""

    place: Place
    version: Package
    writes: bool
    pace: Pace

    @contextmanager
    def deployment(self) -> Iterator[None]:
        """Where the block's deployment of the serving stack fails, find out whether that is because SageMaker took the version back.

        Raises:
            DeploymentError: the block did; of a version that was taken back, the line with the alarms, and why is kept as in `in_service`.
        """
        before = self._attempt()
        try:
            yield
        except CdkFailed as error:
            attempt = self._attempt()
            if attempt is None or (before and attempt.id == before.id):
                raise  # CloudFormation was not asked
            raise self._not_deployed(error, attempt) from error

    def in_service(self, stack: Stack) -> Served:
        """What the serving stack's endpoint serves, once it is in service.

        Raises:
            DeploymentError: it is not the version, or it was taken back, now or in a run of this that was killed.
        """
        if failure := self._resumed(stack):
            raise failure
        try:
            return readback.served(self.place.sagemaker, stack.serving, self.version, self.pace)
        except Mixed as mixed:
            raise self._mixed(mixed) from mixed
        except TakenBack as back:
            raise self._taken_back(back, stack.serving.alarms) from back

    def identify(self, served: Served) -> Verdict:
        """Whether the containers say that they serve the version's model.

        Raises:
            DeploymentError: they serve another one, or do not say, and the version was taken back.
        """
        expected = package.model_sha256(self.place.registry.s3, self.version.data, self.version.artifact_sha256)
        verdict = live_gates.identity(self.place.asked(PATIENT), expected)
        if not verdict.passed:
            raise self._take_back(served, [], otherwise=verdict.line())
        return verdict

    def watch(self, served: Served, stack: Stack, demand: Demand) -> Verdict:
        """Whether enough was asked of the version while its alarms kept still.

        Raises:
            DeploymentError: an alarm is in ALARM, and the version was taken back.
        """
        try:
            return watch(ScoreMetrics.of(self.place), served, stack.serving, demand, self.pace)
        except InAlarm as loud:
            raise self._take_back(served, loud.alarms) from loud

    def _attempt(self) -> Attempt | None:
        cloudformation, name = self.place.cloudformation, self.place.serving_stack
        return stack_events.last_attempt(cloudformation, name) if stacks.read(cloudformation, name) else None

    def _not_deployed(self, error: DeploymentError, attempt: Attempt) -> DeploymentError:
        """The line for a deployment that CloudFormation calls a failure."""
        place = self.place
        served, version = (COMPONENT, MODEL) if place.serving.component else (ENDPOINT, ENDPOINT_CONFIG)
        failure = attempt.failure(served)
        if failure and (raise_it := quota.advice(failure)):
            return DeploymentError(f"{place.serving_stack} was not deployed: {raise_it}, then retry the stage")
        stack = stacks.settled(place.cloudformation, place.serving_stack, self.pace)
        endpoints.settled(place.sagemaker, place.endpoint, self.pace)
        live = endpoints.live(place.sagemaker, place.endpoint)
        if live and live.mixed:
            return self._mixed(Mixed(live))
        configs = attempt.made(version)
        if stack is None or live is None or failure is None or len(configs) != 1:
            return error
        guards = [name for name in attempt.made(ALARM) if name.startswith(configs[0])]
        if NOT_STABILIZED not in failure and not alarms.went_into_alarm(place.cloudwatch, guards, since=attempt.began):
            return error  # SageMaker refused the request: it has tried nothing
        back = TakenBack(
            endpoint=live.endpoint,
            expected=configs[0],
            serves=live.endpoint_config,
            began=attempt.began,
            why=failure,
            same_version=readback.made_of(live.container, self.version),
        )
        line, stuck = self._taken_back(back, guards), stacks.broken(place.cloudformation, stack)
        return DeploymentError(f"{line}; {stuck}") if stuck else line

    def _mixed(self, mixed: Mixed) -> DeploymentError:
        return DeploymentError(f"{mixed.live.mixture}: {standing.one_alone(self.place)}")

    def _taken_back(self, back: TakenBack, guards: Sequence[str]) -> DeploymentError:
        """SageMaker went back: keep why, tell the registry; the line with which the step fails."""
        about = {"endpoint": back.endpoint, "endpoint_config": back.expected, "taken_back_by": "SageMaker"}
        record = self._known(**about)
        if record is None:
            loud = alarms.went_into_alarm(self.place.cloudwatch, guards, since=back.began)
            record = self._record(loud, since=back.began, otherwise=back.why, **about)
        _show(record)
        what = f"endpoint {back.endpoint} serves {back.serves}, not {back.expected}: the deployment was rolled back: {record.why}"
        if back.same_version:
            return DeploymentError(f"{what}: the version is the one before, so it is something else of this change: correct that and push")
        if not self.writes:
            return DeploymentError(f"{what}: the version before serves on: correct the model and push")
        where = self._keep(record)
        rollback.mark(self.place.registry.sagemaker, self.version.arn, record)
        return DeploymentError(f"{what}: the version before serves on: see {where}, correct the model and push")

    def _take_back(self, served: Served, loud: list[Alarm], otherwise: str = "") -> DeploymentError:
        """The deployment has ended, and yet an alarm is in ALARM, or what serves is not the version (`otherwise`): bring the last good one
        back; the line with which the step fails.
        """
        about = {"endpoint": served.endpoint, "endpoint_config": served.endpoint_config, "taken_back_by": LIVE_CHECK}
        record = self._known(**about) or self._record(loud, since=served.began, otherwise=otherwise, **about)
        _show(record)
        return self._bring_back(record)

    def _resumed(self, stack: Stack) -> DeploymentError | None:
        """Finish what `_take_back` began and was killed in; None when it was not."""
        record = self._known(taken_back_by=LIVE_CHECK)
        if record is None:
            return None
        still_there = stack.serving.endpoint_config_name == record.endpoint_config
        gone = stack.serving.model_package != self.version.arn and rollback.urgent(stack)
        return self._bring_back(record) if still_there or gone else None

    def _bring_back(self, record: RollbackRecord) -> DeploymentError:
        what = f"endpoint {record.endpoint}: {record.why}"
        if not self.writes:
            return DeploymentError(f"{what}: the deployment had ended by then: look at it, and revert this change if that is why")
        place, registry = self.place, self.place.registry
        try:
            stack = stacks.settled(place.cloudformation, place.serving_stack, self.pace)
            assert stack is not None, "it was there a moment ago"
            entries = [entry for entry in ledger.entries(registry, place.environment.name) if entry.serves]
            chosen = rollback.plan(stack, entries, marked=rollback.marked(registry.sagemaker), left=self.version.arn)
            rollback.check(registry, chosen.target)
            where = self._keep(record)
            by = registry.caller
            rollback.carry_out(place, stack, chosen, by=by, reason=record.why, record=record, pace=self.pace, progress=_progress)
        except DeploymentError as error:
            return DeploymentError(f"{what}: it was not taken back: {error}")
        back = rollback.number(chosen.target)
        return DeploymentError(f"{what}: it was rolled back and version {back} serves again: see {where}, correct the model and push")

    def _known(self, **about: str) -> RollbackRecord | None:
        """What an earlier run of this step wrote down about the same deployment."""
        if not self.writes:
            return None
        registry, about = self.place.registry, {"environment": self.place.environment.name, **about}
        record = rollback_record.read(registry.s3, self.place.signer, registry.artifacts, self.version.arn)
        return record if record and all(getattr(record, name) == value for name, value in about.items()) else None

    def _keep(self, record: RollbackRecord) -> str:
        registry = self.place.registry
        return rollback_record.keep(registry.s3, self.place.signer, registry.artifacts, record)

    def _record(self, loud: list[Alarm], *, since: datetime, otherwise: str, **about: Any) -> RollbackRecord:
        others = f"; so did {', '.join(alarm.name for alarm in loud[1:])}" if loud[1:] else ""
        metric = alarms.metric(self.place.cloudwatch, loud[0].name, since=since, minute_seconds=self.pace.minute_seconds) if loud else None
        return RollbackRecord(
            model_package_arn=self.version.arn,
            environment=self.place.environment.name,
            time=document.utc(datetime.now(UTC)),
            why=f"alarm {loud[0].name} went into ALARM at {loud[0].time}: {loud[0].reason}{others}" if loud else otherwise,
            alarms=loud,
            metric=metric,
            **about,
        )


def _show(record: RollbackRecord) -> None:
    log.info("%s: %s", record.endpoint, record.why)
    if record.metric:
        log.info("%s", rollback_record.graph(record.metric))


@contextmanager
def _progress(part: str) -> Iterator[None]:
    log.info("%s", part)
    yield
