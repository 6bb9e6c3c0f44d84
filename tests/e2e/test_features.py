"""A model whose rows say little and whose customers' histories say all takes the road: features are put, joined, looked up and compared.

The outcome depends on what the feature group has of a customer, and of that on what was known on the day of the decision: without the
join, or with one that sees the future, no version would come through its gates.
"""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import naming
from cli import configuration
from config import Account
from localcloud.testing.waiting import until
from pipelines.deployment.feature_store import FRESHNESS, PARITY
from pipelines.evidence import document, pack
from tests.reference import CONFIG, MODEL
from tests.support.data_sets import Row, write
from tests.support.feature_groups import GROUP, GROUPS
from tests.support.fork import Fork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1200)]
NAME, KEY, TIME, TARGET = "churn", "customer_id", "decided", "left"
LOOKED_UP = ("balance_mean_30d", "visits_7d")
PIPELINE = naming.delivery_pipeline(CONFIG, NAME)
PRODUCTION = CONFIG.environments[-1]
CUSTOMERS = 300
BEFORE = (45, 25, 1)  # days ago that the source knows something of every customer
TABLE = f"""
[features.{GROUP}]
key = "{KEY}"
columns = {json.dumps(LOOKED_UP)}
"""


@dataclass(frozen=True)
class World:
    """What customers did, and who left. `source` is what the group is made of, `rows` are the decisions with what was known then."""

    source: list[Row]
    rows: list[Row]

    @classmethod
    def made(cls, today: date) -> World:
        """A customer who comes seldom leaves; how often changes with every figure that is known."""
        random.seed(7)
        source, rows = list[Row](), list[Row]()
        for number in range(CUSTOMERS):
            customer = f"c{number:03}"
            known = {days: (random.randrange(0, 3000), random.randrange(1, 40)) for days in BEFORE}  # noqa: S311
            for days, (balance, visits) in known.items():
                day = {"customer_id": customer, "day": (today - timedelta(days=days)).isoformat()}
                source.append({**day, "balance": balance, "visits": visits, "segment": "gold"})
            rows += [cls._decision(today, customer, known, days) for days in random.sample(range(2, 44), 4)]
        return cls(source, rows)

    @staticmethod
    def _decision(today: date, customer: str, known: dict[int, tuple[int, int]], days: int) -> Row:
        latest = min(past for past in known if past > days)
        there = [balance for past, (balance, _) in known.items() if latest <= past <= latest + 29]
        visits = known[latest][1]
        left = random.random() < (0.85 if visits < 16 else 0.15)  # noqa: S311
        decided = (today - timedelta(days=days)).isoformat()
        features = dict(zip(LOOKED_UP, (sum(there) / len(there), visits), strict=True))
        return {KEY: customer, TIME: decided, "age": random.randrange(18, 90), **features, TARGET: "yes" if left else "no"}  # noqa: S311


def today() -> date:
    return datetime.now(UTC).date()


WORLD = World.made(today())
ROW = {"age": 40, TIME: today().isoformat()}  # but for what is known of a customer
LATE = f"{today() - timedelta(days=44)}T00:00:00Z"  # before every row


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """A clone with a feature group and a model that looks up in it; its accounts have records, and some that came late."""
    made = Fork(tmp_path_factory.mktemp("fork"))
    configuration.write(made.home / "config.py", CONFIG)
    shutil.rmtree(made.home / "model_code" / MODEL)
    shutil.copytree(GROUPS / GROUP, made.home / "feature_groups" / GROUP)
    looking_up(made, tmp_path_factory.mktemp("known"))
    made.aws.begin(made, CONFIG)
    try:
        made.road("data", "put", NAME, str(decisions(made.home / ".road")))
        made.road("features", "put", GROUP, "--source", str(write(made.home / ".road/visits.csv", WORLD.source)))
        for number in range(0, CUSTOMERS, 3):
            put(made, CONFIG.toolchain, f"c{number:03}", LATE, visits_7d=10_000)
        until(lambda: len(history(made, "c297")) == len(BEFORE) + 1)  # the last that was put
        yield made
    finally:
        made.aws.end(made)


def looking_up(fork: Fork, folder: Path) -> None:
    """Write the model, from rows that have all columns, and then say that two of them are looked up."""
    known = write(folder / "known.csv", WORLD.rows)
    fork.road("new-model", NAME, "--data", str(known), "--target", TARGET, "--exclude", KEY, "--batch")
    home = f"model_code/{NAME}"
    toml = fork.home / home / "model.toml"
    content = re.sub(r"exclude = \[.*?\]", f'time = "{TIME}"', toml.read_text(), count=1, flags=re.DOTALL)
    toml.write_text(content.replace("\n[gates]", f"{TABLE}\n[gates]").replace('on = ["drift"]', 'on = ["data"]'))
    fork.edit(f"{home}/requirements.in", "paved-runtime[xgboost]", "paved-runtime[features,xgboost]")
    fork.road("lock", "--model", NAME)


def decisions(folder: Path) -> Path:
    """What is stored: rows without the columns that are looked up."""
    rows = [{name: value for name, value in row.items() if name not in LOOKED_UP} for row in WORLD.rows]
    return write(folder / "decisions.csv", rows)


def put(fork: Fork, account: Account, customer: str, at: str, **features: float) -> None:
    """As an application does: a record, without an ingestion."""
    values = {"customer_id": customer, "as_of": at, **features}
    record = [{"FeatureName": name, "ValueAsString": str(value)} for name, value in values.items()]
    fork.client("sagemaker-featurestore-runtime", account).put_record(FeatureGroupName=naming.feature_group(CONFIG, GROUP), Record=record)


def history(fork: Fork, customer: str) -> list[dict[str, Any]]:
    """What the offline store has of a customer from which models are trained, newest event first."""
    done = fork.road("features", "show", GROUP, "--record", customer, "--json")
    return list(json.loads(done.stdout))


@pytest.fixture(scope="module")
def package(fork: Fork) -> str:
    """The version that a push has brought to production."""
    _, execution = fork.push("a model that looks up", PIPELINE)
    fork.stop_others(PIPELINE)
    fork.wait(execution, "Approval", "InProgress", pipeline=PIPELINE)
    fork.road("approve", NAME, "--execution", execution, "--reason", "the figures are fine", "--yes")
    fork.wait(execution, "Production", "Succeeded", pipeline=PIPELINE)
    return str(fork.actions(execution, PIPELINE)["Train"]["output"]["outputVariables"]["MODEL_PACKAGE_ARN"])


@pytest.fixture(scope="module")
def evidence(fork: Fork, package: str) -> document.Evidence:
    content = pack.read(fork.client("s3"), pack.evidence_uri(f"s3://{naming.artifacts_bucket(CONFIG, NAME)}", package))
    assert content
    return document.load_evidence(content)


def ask(fork: Fork, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """What production answers to rows."""
    body = json.dumps({"instances": rows})
    endpoint = naming.endpoint(CONFIG, NAME, PRODUCTION)
    answer = fork.client("sagemaker-runtime", PRODUCTION.account).invoke_endpoint(
        EndpointName=endpoint, Body=body, ContentType="application/json"
    )
    return list(json.loads(answer["Body"].read())["predictions"])


@pytest.mark.aws("feature groups")
def test_every_row_got_what_was_known_on_its_day_and_no_late_record(evidence: document.Evidence) -> None:
    """The late records lie before most rows, and break the contract: a row that had got one would have failed the training."""
    assert evidence.evaluation.gates_failed == 0
    metric = evidence.evaluation.metrics["roc_auc"]
    assert metric.low is not None
    assert metric.low > 0.7  # age alone says nothing


@pytest.mark.aws("feature groups")
def test_evidence_says_who_made_what_was_looked_up(fork: Fork, evidence: document.Evidence) -> None:
    (group,) = json.loads(fork.road("features", "--json").stdout)
    looked_up = (evidence.evaluation.features or {})[GROUP]

    assert (looked_up.key, looked_up.columns) == (KEY, list(LOOKED_UP))
    assert looked_up.records == len(WORLD.source) + CUSTOMERS // 3
    assert looked_up.ingestions == {group["ingestions"][0]["ingestion"]: len(WORLD.source)}
    (source,) = group["ingestions"][0]["source"]
    made = (evidence.ingestions or {})[GROUP][group["ingestions"][0]["ingestion"]]
    assert made.source == [source["sha256"]]
    assert made.sql_sha256 == document.sha256((GROUPS / GROUP / "features.sql").read_bytes())
    assert looked_up.rows == document.LookedUpRows(with_record=len(WORLD.rows), without_record=0)


@pytest.mark.aws("feature groups")
def test_a_version_is_let_in_on_features_that_are_fresh_and_the_same_online(evidence: document.Evidence) -> None:
    fresh, same = (next(gate for gate in evidence.staging.gates if gate.gate == name) for name in (FRESHNESS, PARITY))

    assert (same.passed, same.found) == (True, 0)
    assert "of 200 records" in same.subject
    assert (fresh.passed, fresh.threshold) == (True, 48)
    assert isinstance(fresh.found, float)
    assert 0 < fresh.found < 48


@pytest.mark.aws("feature groups")
def test_a_key_gets_the_score_of_its_columns(fork: Fork, package: str) -> None:
    assert package
    customer, newest = "c000", history(fork, "c000")[0]
    known = {column: newest[column] for column in LOOKED_UP}

    by_key, whole = ask(fork, {**ROW, KEY: customer}, {**ROW, **known})

    assert by_key["features"] == {GROUP: {"event_time": f"{today()}T00:00:00Z", "values": known}}
    assert by_key["score"] == pytest.approx(whole["score"], abs=1e-6)


@pytest.mark.aws("feature groups")
def test_a_newer_record_counts_at_once_and_an_unknown_key_is_refused(fork: Fork, package: str) -> None:
    assert package
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    put(fork, PRODUCTION.account, "c001", moment, balance_mean_30d=10.5, visits_7d=3)

    (answer,) = ask(fork, {**ROW, KEY: "c001"})
    with pytest.raises(ClientError, match=f"expected a record of feature group {GROUP} for .nobody."):
        ask(fork, {**ROW, KEY: "nobody"})

    assert answer["features"] == {GROUP: {"event_time": moment, "values": {"balance_mean_30d": 10.5, "visits_7d": 3}}}


@pytest.mark.aws("feature groups")
def test_an_ingestion_can_be_made_again(fork: Fork) -> None:
    (group,) = json.loads(fork.road("features", "--json").stdout)
    (ingestion,) = group["ingestions"]
    source = str(fork.home / ".road/visits.csv")

    again = json.loads(fork.road("features", "put", GROUP, "--source", source, "--replay", ingestion["ingestion"], "--json").stdout)

    assert (ingestion["rows"], again["missing"], again["unexpected"], again["different"]) == (len(WORLD.source), 0, 0, {})


@pytest.mark.aws("feature groups")
def test_a_batch_of_keys_gets_the_scores_of_the_endpoint(fork: Fork, package: str, tmp_path: Path) -> None:
    customers = [f"c{number:03}" for number in range(10, 160)]
    rows: list[Row] = [{**ROW, KEY: customer} for customer in [*customers, "nobody"]]  # less than a percent is unknown
    file = write(tmp_path / "keys.csv", rows)

    done = json.loads(fork.road("batch", NAME, "--input", str(file), "--output", str(tmp_path / "scored"), "--json").stdout)
    with (tmp_path / "scored" / "keys.csv").open(newline="") as stream:
        *scored, unknown = csv.DictReader(stream)

    assert done["model_package_arn"] == package
    assert done["features_until"] > today().isoformat()
    assert "feature group" in unknown["error"]
    asked = ask(fork, *({**ROW, KEY: customer} for customer in customers))
    assert [float(row["score"]) for row in scored] == pytest.approx([answer["score"] for answer in asked], abs=1e-6)
