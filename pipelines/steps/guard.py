"""What happens to a version that does not hold: why is written down and drawn, the good one comes back, and the registry is told.

SageMaker has taken the version back already where an alarm rang during its deployment. Where one rings later, it is done here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pipelines.evidence import document, setback
from pipelines.evidence.setback import Alarm, Setback
from pipelines.steps import alarms, ledger, rollback
from pipelines.steps import stack as stacks
from pipelines.steps.live_check import Ringing
from pipelines.steps.package import Package
from pipelines.steps.readback import Served, TakenBack
from pipelines.steps.rollback import Place
from pipelines.steps.stack import Stack
from pipelines.steps.step import StepError, progress

LIVE_CHECK: Literal["the live check"] = "the live check"


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Looks after one version in one place. Without a place nothing is written down and nothing comes back: it only says why.

    `by` is the ARN of whoever acts here.
    """

    version: Package
    place: Place | None
    cloudwatch: Any
    by: str
    poll_seconds: float
    minute_seconds: float

    def taken_back(self, found: TakenBack, outputs: Mapping[str, str]) -> StepError:
        """SageMaker went back: keep why, tell the registry; the line with which the step fails."""
        about = {"endpoint": found.endpoint, "endpoint_config": found.expected, "taken_back_by": "SageMaker"}
        facts = self._known(**about) or self._facts(
            alarms.rang(self.cloudwatch, alarms.names(outputs), since=found.began), since=found.began, otherwise=found.why, **about
        )
        self._show(facts)
        what = f"endpoint {found.endpoint} serves {found.found}, not {found.expected}: the deployment was rolled back: {facts.why}"
        if found.same_version:
            return StepError(f"{what}: the version is the one before, so it is something else of this change: correct that and push")
        if self.place is None:
            return StepError(f"{what}: the version before serves on: correct the model and push")
        where = setback.keep(self.place.home.s3, self.place.home.signer, self.place.artifacts, facts)
        rollback.mark(self.place.home.sagemaker, self.version.arn, facts)
        return StepError(f"{what}: the version before serves on: see {where}, correct the model and push")

    def take_back(self, served: Served, found: Ringing) -> StepError:
        """An alarm rings though the deployment has ended: bring the last good version back; the line with which the step fails."""
        about = {"endpoint": served.endpoint, "endpoint_config": served.endpoint_config, "taken_back_by": LIVE_CHECK}
        facts = self._known(**about) or self._facts(found.alarms, since=served.began, otherwise="", **about)
        self._show(facts)
        return self._bring_back(facts)

    def resumed(self, stack: Stack) -> StepError | None:
        """Finish what `take_back` began and was killed in; None when it was not."""
        facts = self._known(taken_back_by=LIVE_CHECK)
        if facts is None:
            return None
        still_there = stack.outputs["EndpointConfigName"] == facts.endpoint_config
        gone = stack.outputs["ModelPackage"] != self.version.arn and stack.parameters.get("Urgent") == "yes"
        return self._bring_back(facts) if still_there or gone else None

    def _bring_back(self, facts: Setback) -> StepError:
        what = f"endpoint {facts.endpoint}: {facts.why}"
        if self.place is None:
            return StepError(f"{what}: it rings after the deployment has ended: look at it, and revert this change if that is why")
        place, home = self.place, self.place.home
        try:
            stack = stacks.settled(place.cloudformation, place.stack, poll_seconds=self.poll_seconds)
            assert stack is not None, "it was there a moment ago"
            entries = ledger.entries(home.s3, home.signer, place.artifacts, place.environment)
            chosen = rollback.plan(stack, entries, marked=rollback.marked(home.sagemaker), left=self.version.arn)
            rollback.check(place, chosen.target)
            where = setback.keep(home.s3, home.signer, place.artifacts, facts)
            rollback.carry_out(
                place, stack, chosen, by=self.by, reason=facts.why, setback=facts, poll_seconds=self.poll_seconds, tell=_told
            )
        except StepError as error:
            return StepError(f"{what}: it was not taken back: {error}")
        back = rollback.number(chosen.target)
        return StepError(f"{what}: it was rolled back and version {back} serves again: see {where}, correct the model and push")

    def _known(self, **about: str) -> Setback | None:
        """What an earlier run of this step wrote down about the same deployment."""
        if self.place is None:
            return None
        home, about = self.place.home, {"environment": self.place.environment, **about}
        found = setback.read(home.s3, home.signer, self.place.artifacts, self.version.arn)
        return found if found and all(getattr(found, name) == value for name, value in about.items()) else None

    def _facts(self, rang: list[Alarm], *, since: datetime, otherwise: str, **about: Any) -> Setback:
        others = f"; so did {', '.join(alarm.name for alarm in rang[1:])}" if rang[1:] else ""
        return Setback(
            model_package_arn=self.version.arn,
            environment=self.place.environment if self.place else "",
            time=document.utc(datetime.now(UTC)),
            why=f"alarm {rang[0].name} rang at {rang[0].time}: {rang[0].reason}{others}" if rang else otherwise,
            alarms=rang,
            metric=alarms.metric(self.cloudwatch, rang[0].name, since=since, minute_seconds=self.minute_seconds) if rang else None,
            **about,
        )

    def _show(self, facts: Setback) -> None:
        progress(f"{facts.endpoint}: {facts.why}")
        if facts.metric:
            progress(setback.graph(facts.metric))


@contextmanager
def _told(part: str) -> Iterator[None]:
    progress(part)
    yield
