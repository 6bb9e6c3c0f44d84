"""A model of several classes, and one of numbers: trained, evaluated and served as any other; answers and reasons are their task's."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import task_rows
from container import environment, job, put_rows
from documents import departures
from server import Server

from paved_runtime import artifact, background, explain, frameworks, golden, plugin, protocol, scoring, serving, spec, tasks
from paved_runtime.artifact import ArtifactError
from paved_runtime.evaluate import evaluate
from paved_runtime.invocations import Invocations
from paved_runtime.job import Job
from paved_runtime.media_types import CSV, JSON, LINES
from paved_runtime.prepare import prepare
from paved_runtime.protocol import PARITY
from paved_runtime.reasons import Reasons, judge
from paved_runtime.spec import Behaviour, ModelSpec
from paved_runtime.table import Matrix
from paved_runtime.train import train

ROW = {"income": 32_000.5, "debt": 4_100, "years": 7, "region": "south"}
OTHER = {"income": 61_000, "debt": None, "years": 30, "region": "north"}
MANY = 60  # rows, for which a line of the score log is due at once
Json = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """A model, and the ML_ROOT in which it was trained and evaluated."""

    spec: ModelSpec
    root: Path

    @property
    def model(self) -> Path:
        return self.root / "model"

    def load(self) -> Invocations:
        return serving.load(Job.of(environment(self.root, MODEL=self.spec.name)))

    def matrix(self, rows: int) -> Matrix:
        """Made-up rows as the model's features have them."""
        return plugin.features(self.spec.name).features(
            background.draw(artifact.read_json(self.model / artifact.DATA), self.spec.data, rows, "rows")
        )


@pytest.fixture(scope="module", params=list(task_rows.MODELS))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Each of the two."""
    known = spec.load(task_rows.MODELS[request.param])
    untold = known.model_copy(update={"gates": known.gates.model_copy(update={"behaviour": Behaviour()})})  # what is served is not asked
    root = tmp_path_factory.mktemp(known.name)
    put_rows(root, task_rows.made(request.param, 3000))
    whole = job(root, untold)
    for step in (prepare, train, evaluate):
        step(whole)
    return Trained(known, root)


@pytest.fixture(scope="module")
def server(trained: Trained) -> Iterator[Server]:
    with Server(trained.root, MODEL=trained.spec.name) as serving:
        assert serving.first.startswith("serving"), serving.process.communicate()
        yield serving


def post(server: Server, content: Any, kind: str = JSON, accept: str = JSON) -> Any:
    body = content if isinstance(content, str) else json.dumps(content)
    return server.client.post("/invocations", content=body, headers={"content-type": kind, "accept": accept})


def test_every_format_has_the_same_scores(server: Server, trained: Trained) -> None:
    asked = {"instances": [ROW, OTHER]}
    scores = protocol.scores(post(server, asked).json())
    lines = [json.loads(line) for line in post(server, asked, accept=LINES).text.splitlines()]
    cells = [[float(cell) for cell in line.split(",")] for line in post(server, asked, accept=CSV).text.splitlines()]
    table = "\n".join(",".join(str(cell if cell is not None else "") for cell in row.values()) for row in (ROW, OTHER))

    assert protocol.scores({"predictions": lines}) == scores
    assert cells == np.reshape(scores, (2, -1)).tolist()
    assert post(server, table, CSV, CSV).text == post(server, asked, accept=CSV).text
    assert np.shape(scores) == ((2, 4) if trained.spec.data.classes else (2,))


def test_reasons_add_up_to_the_answer(server: Server, trained: Trained) -> None:
    answer = post(server, {"instances": [ROW, OTHER], "explain": True}).json()

    assert answer["method"] == ("sampled" if trained.spec.data.classes else "exact")
    for row, prediction in zip((ROW, OTHER), answer["predictions"], strict=True):
        added = sum(reason["contribution"] for reason in prediction["reasons"])
        assert {reason["column"]: reason["value"] for reason in prediction["reasons"]} == row
        if trained.spec.data.classes:
            likely = prediction["scores"][prediction["class"]]
            assert answer["base"][prediction["class"]] + added == pytest.approx(np.log(likely / (1 - likely)), abs=1e-4)
        else:
            assert answer["base"] + added == pytest.approx(prediction["score"], abs=0.01)
            assert abs(added) > 100  # in the target's unit


def test_held_out_rows_get_evaluations_scores(server: Server, trained: Trained) -> None:
    parity = artifact.read_json(trained.root / "output/data" / PARITY)
    answer = post(server, {"instances": parity["instances"]}).json()

    assert len(parity["scores"]) == 500
    assert max(protocol.apart(protocol.scores(answer), parity["scores"])) <= 1e-6 * trained.spec.data.span


def test_requests_that_are_wrong_are_refused_as_evaluation_recorded(server: Server, trained: Trained) -> None:
    bad = artifact.read_json(trained.model / artifact.GOLDEN)["bad_requests"]
    statuses = [post(server, each["body"], each["content_type"]).status_code for each in bad]

    assert statuses == [each["expect"] for each in bad]
    assert {400, 415, 422} <= set(statuses)
    assert post(server, {"instances": [ROW | {"years": 61}]}).json() == {
        "error": "row 1, column 'years': expected an integer between 0 and 60, found 61"
    }


@pytest.mark.parametrize("body", [ROW, {"instances": [ROW, OTHER], "explain": True}])
def test_answers_are_as_documented(server: Server, trained: Trained, body: Json) -> None:
    operation = server.client.get("/openapi.json").json()["paths"]["/invocations"]["post"]
    documented = operation["responses"]["200"]["content"][JSON]["schema"]["oneOf"]
    answer = post(server, body).json()
    (fitting,) = [schema for schema in documented if not list(departures(answer, schema))]
    prediction = fitting["properties"]["predictions"]["items"]["properties"]

    if trained.spec.data.classes:
        assert prediction["class"]["enum"] == list(prediction["scores"]["properties"]) == list(trained.spec.data.classes)
    else:
        assert prediction["score"] == {
            "type": "number",
            "description": "What amount is expected to be, in its own unit: those that it learnt lie from 0 to 50000.",
        }


def test_the_score_log_has_one_number_a_row(trained: Trained) -> None:
    asked = {"instances": [ROW, OTHER] * (MANY // 2)}
    with Server(trained.root, MODEL=trained.spec.name) as serving:
        scores = protocol.scores(post(serving, asked).json())
        line = json.loads(serving.line())

    numbers = tasks.of(trained.spec.data).scalar(np.array(scores))
    assert (line["event"], line["rows"]) == ("scores", MANY)
    assert line["mean"] == pytest.approx(numbers.mean(), rel=1e-6)
    assert line["p90"] == pytest.approx(np.quantile(numbers, 0.9), rel=1e-6)


def test_its_golden_requests_are_answered_again(trained: Trained) -> None:
    recorded, span = artifact.read_json(trained.model / artifact.GOLDEN), trained.spec.data.span
    exact = not trained.spec.data.classes

    assert recorded["tolerance"] == pytest.approx(1e-6 * span)
    assert recorded["explained"]["tolerance"] == pytest.approx((1e-4 if exact else 1e-3) * span)
    assert recorded["explained"]["unit"] == ("the target's unit" if exact else "log-odds")
    golden.replay(recorded, trained.load())


def move(scores: list[Any], by: float) -> None:
    """Make the first score another; of several classes, the last one's."""
    if isinstance(scores[0], list):
        scores[0][-1] += by
    else:
        scores[0] += by


def another_score(content: Json, span: float) -> None:
    move(content["requests"][1]["scores"], 1e-5 * span)


def another_base(content: Json, span: float) -> None:
    base = content["explained"]["base"]
    if isinstance(base, dict):
        base["severe"] += 0.01
    else:
        content["explained"]["base"] += 0.01 * span


def another_contribution(content: Json, span: float) -> None:
    content["explained"]["contributions"][0]["income"] += 0.01 * span


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (another_score, "golden request 2 is answered differently than in evaluation, by"),
        (another_base, r"reasons differ from evaluation's, by \S+ in (log-odds|the target's unit)$"),
        (another_contribution, r"reasons differ from evaluation's, by \S+ in (log-odds|the target's unit)$"),
    ],
)
def test_a_model_that_answers_otherwise_does_not_serve(trained: Trained, edit: Callable[[Json, float], None], message: str) -> None:
    content = copy.deepcopy(artifact.read_json(trained.model / artifact.GOLDEN))
    edit(content, trained.spec.data.span)

    with pytest.raises(ArtifactError, match=message):
        golden.replay(content, trained.load())


def test_reasons_pass_the_gate_and_wrong_ones_do_not(trained: Trained) -> None:
    methods: list[Any] = ["sampled"] if trained.spec.data.classes else ["exact", "sampled"]
    framework, features, matrix = frameworks.of(trained.spec), plugin.features(trained.spec.name), trained.matrix(50)
    score = scoring.load(framework, trained.model)
    for method in methods:
        wanted = trained.spec.model_copy(update={"reasons": method})
        explainer = explain.load(wanted, trained.model, framework, features, score)
        assert explainer is not None
        assert explainer.method == method
        reasons = explainer.reasons(wanted.column_names, matrix, score(matrix).astype(np.float64))
        sums = next(iter(judge(reasons, 0.05)))
        assert sums.passed is True
        assert sums.subject.endswith("log-odds" if trained.spec.data.classes else "standard deviations of the scores")
        assert off(reasons).passed is False


def off(reasons: Reasons) -> Any:
    """The verdict on reasons of which one is off by two hundredths of what the scores are."""
    contributions = reasons.contributions.copy()
    contributions[3, 1] += 0.02 * reasons.link.scale(reasons.scores)
    worse = Reasons(columns=reasons.columns, scores=reasons.scores, base=reasons.base, contributions=contributions, link=reasons.link)
    return next(iter(judge(worse, 0.05)))
