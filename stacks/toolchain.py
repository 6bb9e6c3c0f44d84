"""The pipelines' home: what every road shares. The roads themselves are stacks of their own.

Holds nothing that cannot be made again: its artifacts are copies that live as long as an execution may wait for approval.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_codeconnections as codeconnections
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

import naming
from config import Config
from pipelines import tags
from stacks import facts
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.event_rule import ALARM_CHANGES, ALARMS, EventNotice, failure_pattern
from stacks.constructs.key import ALARMS as ALARM_SENDER
from stacks.constructs.key import EVENTS, Key
from stacks.constructs.notices import Notices
from stacks.constructs.store import Store

ARTIFACT_DAYS = 90
FAILED = "<pipeline> failed in execution <execution>; ./road status says at what, ./road logs shows it, ./road retry tries the stage again"


class Toolchain(Stack):
    """Connection to the repository, artifact store, key, mail to the owners, and the bus on which other accounts tell of alarms."""

    def __init__(self, scope: Construct, name: str, *, config: Config) -> None:
        super().__init__(scope, name, env=Environment(account=config.toolchain.id, region=config.toolchain.region), tags=tags.of(config))
        self.config = config
        key = Key(self, "Key", description="Artifacts and approval requests of the delivery pipelines", services=[ALARM_SENDER, EVENTS])
        store = Store(self, "Artifacts", key=key, expire_days=ARTIFACT_DAYS, logs=config.access_logs_of(config.toolchain))
        approvals = Notices(self, "Approvals", key=key, addresses=config.owners, publishers=[ALARM_SENDER, EVENTS])
        self._failures(approvals, key)
        connection = config.repository.connection or self._connection()
        self._event_bus()
        shared = {
            "artifact-bucket": store.bucket_name,
            "key": key.key_arn,
            "approvals": approvals.topic_arn,
            "connection": connection,
        }
        facts.tell(self, shared, lambda fact: naming.toolchain_parameter(config, fact))

    def _connection(self) -> str:
        """The ARN of one that is made; a server of one's own is known by its host, which says of which kind it is."""
        repository = self.config.repository
        connection = codeconnections.CfnConnection(
            self,
            "Connection",
            connection_name=naming.connection(self.config),
            host_arn=repository.host or None,
            provider_type=None if repository.host else repository.provider,
        )
        arn = connection.attr_connection_arn
        CfnOutput(self, "ConnectionArn", value=arn, description="A person authorises it once, in the console")
        return arn

    def _failures(self, topic: Notices, key: Key) -> None:
        queue = naming.dead_letters(self.config, naming.TOOLCHAIN)
        letters = DeadLetters(self, "DeadLetters", queue_name=queue, about="Notices of failed pipelines", key=key, topic=topic)
        pipeline = f"{naming.console(self.region)}/codesuite/codepipeline/pipelines/<pipeline>"
        EventNotice(
            self,
            "Failures",
            description="Tells the owners of every execution that failed",
            topic=topic.topic_arn,
            pattern=failure_pattern(f"{self.config.project}-"),
            values={"pipeline": "$.detail.pipeline", "execution": "$.detail.execution-id"},
            message=f"{FAILED}: {pipeline}/executions/<execution>/timeline?region={self.region}",
            dead_letters=letters,
        )

    def _event_bus(self) -> None:
        bus = events.CfnEventBus(self, "Events", name=naming.event_bus(self.config), description="Alarms of the environments")
        others = {e.account.id: None for e in self.config.environments if e.account.id != self.config.toolchain.id}
        if others:
            statement = iam.PolicyStatement(
                sid="Environments",
                principals=[iam.AccountPrincipal(account) for account in others],
                actions=["events:PutEvents"],
                resources=[bus.attr_arn],
                conditions={"StringEquals": {"events:source": ALARMS, "events:detail-type": ALARM_CHANGES}},
            )
            events.CfnEventBusPolicy(
                self, "EventsPolicy", event_bus_name=bus.ref, statement_id="Environments", statement=statement.to_statement_json()
            )
