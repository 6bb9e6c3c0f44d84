"""Evidence as a road would write it, with figures of the right shape and size: what the page and the commands are tried on."""

from __future__ import annotations

import math
from typing import Any

import naming
from pipelines.evidence import document
from pipelines.evidence.document import Evidence, Features, Ingestion, LookedUpRows
from tests.reference import CONFIG, MODEL

HOME = CONFIG.toolchain
ARN = f"arn:aws:sagemaker:{HOME.region}:{HOME.id}:model-package/{naming.model_package_group(CONFIG, MODEL)}"
ARTIFACTS = f"s3://{naming.artifacts_bucket(CONFIG, MODEL)}"
REPOSITORY = f"{HOME.id}.dkr.ecr.{HOME.region}.amazonaws.com/{naming.image_repository(CONFIG, MODEL)}"
STAGING, PRODUCTION = CONFIG.environments
COMMIT, DATA, IMAGE = "9f2c41d07b" * 4, "3e" * 32, "5d" * 32
PAST = f"{ARTIFACTS}/training/pipelines-abc-Train/output"
ADVICE = "train a better challenger, or hold out more rows (data.holdout)"
GROUPS = {
    "age": ("below 30", "30 to below 45", "45 to below 60", "60 and above"),
    "job": ("admin.", "blue-collar", "management", "retired", "self-employed", "student", "technician", "unknown"),
    "marital": ("divorced", "married", "single"),
}
COLUMNS = ("poutcome", "month", "contact", "housing", "day", "age", "pdays", "balance", "campaign", "job", "education", "loan")


def verdict(gate: str, subject: str, found: Any, comparison: str = ">=", threshold: Any = None, **more: Any) -> dict[str, Any]:
    """A verdict that passed, unless `more` says something else."""
    said = {
        "gate": gate,
        "subject": subject,
        "passed": True,
        "found": found,
        "comparison": comparison,
        "threshold": threshold,
        "advice": "",
    }
    return said | more


def reported(gate: str, subject: str, found: Any, why: str) -> dict[str, Any]:
    """A verdict that judges nothing."""
    return verdict(gate, subject, found, "", passed=None, advice=why)


def slices() -> list[dict[str, Any]]:
    """Slices by age, job and marital status; the smallest is not judged, and one has a single outcome."""
    found = []
    for number, (column, group) in enumerate((column, group) for column, names in GROUPS.items() for group in names):
        middle, width = 0.004 * math.sin(number), 0.006 + 0.003 * (number % 4)
        rows, one_class = 2600 - 160 * number, group == "unknown"
        found.append(
            {
                "column": column,
                "group": group,
                "rows": rows,
                "fewest": 0 if one_class else rows // 8,
                "metric": "roc_auc",
                "figure": None if one_class else 0.79 + 0.03 * math.cos(number),
                "champion_figure": None if one_class else 0.79 + 0.03 * math.cos(number) - middle,
                "difference": None if one_class else middle,
                "low": None if one_class else middle - width,
                "high": None if one_class else middle + width,
                "judged": not one_class and rows > 700,
            }
        )
    return found


def fairness() -> dict[str, Any]:
    """Two columns of groups, one group too small to be judged."""
    groups = []
    for column, group, rows, selected in (
        ("marital", "divorced", 1032, 94),
        ("marital", "married", 5411, 487),
        ("marital", "single", 2600, 254),
        ("age", "below 30", 1018, 101),
        ("age", "30 to below 60", 7841, 701),
        ("age", "60 and above", 184, 33),
    ):
        positives, judged = rows // 8, rows > 200
        groups.append(
            {
                "column": column,
                "group": group,
                "rows": rows,
                "positives": positives,
                "selected": selected,
                "selection_rate": selected / rows,
                "selection_rate_ratio": selected / rows / 0.1 if judged else None,
                "true_positive_rate": 0.31 + rows / 1e5 if positives > 50 else None,
                "opportunity_difference": 0.05 - rows / 1e5 * 0.5 if judged else None,
                "judged": judged,
            }
        )
    return {"threshold": 0.3, "selected": [], "groups": groups}


def curve(area: float) -> dict[str, list[float]]:
    """A ROC curve of about this area, 200 points."""
    bend = area / (1 - area)
    x = [(i / 199) ** 2 for i in range(200)]
    return {"x": x, "y": [value ** (1 / bend) for value in x]}


def report() -> dict[str, Any]:
    """`report.json` of a run with a champion."""
    recall = [i / 199 for i in range(200)]
    precision = {"x": recall, "y": [0.117 + 0.75 * (1 - value) ** 1.6 for value in recall]}
    score = [0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.09, 0.13, 0.24, 0.52]
    counts = [904.0] * 10
    return {
        "version": 2,
        "task": "binary",
        "classes": [],
        "edges": [i / 20 for i in range(21)],
        "drawn": {
            "challenger": {
                "roc": curve(0.809),
                "precision_recall": precision,
                "reliability": {"score": score, "positive": [s * (0.9 + 0.02 * i) for i, s in enumerate(score)], "count": counts},
                "scores": [int(4200 * 0.6**i) + 20 for i in range(20)],
            },
            "champion": {
                "roc": curve(0.801),
                "precision_recall": {"x": recall, "y": [y * 0.97 for y in precision["y"]]},
                "reliability": {"score": score, "positive": [s * (1.1 - 0.02 * i) for i, s in enumerate(score)], "count": counts},
                "scores": [int(3900 * 0.62**i) + 25 for i in range(20)],
            },
        },
        "slices": slices(),
        "fairness": fairness(),
        "behaviour": [
            {"name": "balance increasing", "kind": "monotone", "rows": 500, "kept": 1.0, "passed": True},
            {"name": "the day of the month hardly matters", "kind": "invariance", "rows": 500, "kept": 0.994, "passed": True},
            {"name": "an earlier success is understood", "kind": "minimum function", "rows": 500, "kept": 0.998, "passed": True},
        ],
        "importance": [{"column": name, "mean_contribution": 0.62 * 0.8**i} for i, name in enumerate(COLUMNS)],
        "data": data(),
    }


def first_report() -> dict[str, Any]:
    """The same as the first release wrote it, which knew two outcomes alone."""
    made = report()
    drawn, edges = made.pop("drawn"), made.pop("edges")
    del made["task"], made["classes"], made["fairness"]["selected"]
    parts = {name: {who: each[name] for who, each in drawn.items()} for name in ("roc", "precision_recall", "reliability", "scores")}
    for row in made["slices"]:
        row |= {"positives": row.pop("fewest"), "roc_auc": row.pop("figure"), "champion_roc_auc": row.pop("champion_figure")}
        del row["metric"]
    split = made["data"]["split"]
    split["positive"] = {side: counts["yes"] for side, counts in split.pop("outcomes").items()}
    curves = {name: parts[name] for name in ("roc", "precision_recall")}
    scores = {"edges": edges, **parts["scores"]}
    return {**made, "version": 1, "curves": curves, "reliability": parts["reliability"], "scores": scores}


def data() -> dict[str, Any]:
    """`data.json` of a data set that keeps its contract."""
    checks = [{"column": "", "rule": "minimum rows", "found": "45211", "allowed": "at least 1000", "passed": True, "count": 0, "rows": []}]
    checks += [
        {
            "column": name,
            "rule": "range",
            "found": "all inside",
            "allowed": "between -100000 and 1000000",
            "passed": True,
            "count": 0,
            "rows": [],
        }
        for name in COLUMNS
    ]
    return {
        "version": 1,
        "rows": 36168,
        "positive_share": 0.117,
        "duplicates": 0.0,
        "split": {
            "by": "random",
            "seed": 0,
            "share": 0.2,
            "rows": {"train": 36168, "holdout": 9043, "left_out": 0},
            "outcomes": {"train": {"yes": 4231, "no": 31937}, "holdout": {"yes": 1058, "no": 7985}},
            "repeated": 3,
            "groups": None,
            "dates": None,
        },
        "columns": {
            "age": {"type": "number", "edges": [29.0, 32.0, 35.0, 39.0, 43.0, 48.0, 53.0], "counts": [4521] * 8, "missing": 0},
            "marital": {"type": "category", "counts": {"divorced": 4166, "married": 21771, "single": 10231}, "missing": 12},
        },
        "checks": checks,
        "change": [{"column": name, "psi": 0.08 * 0.7**i} for i, name in enumerate((*COLUMNS, "y"))],
    }


def gates() -> list[dict[str, Any]]:
    """The verdicts of evaluation."""
    judged = [row for row in slices() if row["judged"]]
    small = [row for row in slices() if not row["judged"]]
    return [
        verdict("data contract", "violations", 0, "<=", 0),
        verdict("floor", "ROC AUC", 0.809346, ">=", 0.75),
        verdict("calibration", "expected calibration error", 0.00912, "<=", 0.1),
        verdict("champion", "ROC AUC, challenger minus champion, lower bound", -0.00213, ">=", -0.01),
        verdict("plausibility", "ROC AUC", 0.809346, "<=", 0.87),
        verdict("plausibility", "ROC AUC, challenger minus champion", 0.00812, "<=", 0.05),
        *(verdict("slices", f"{row['column']} {row['group']}: ROC AUC", row["figure"], ">=", 0.6) for row in judged),
        *(
            verdict(
                "champion", f"{row['column']} {row['group']}: ROC AUC, challenger minus champion, upper bound", row["high"], ">=", -0.03
            )
            for row in judged
        ),
        *(
            reported("slices", f"{row['column']} {row['group']}: ROC AUC", row["figure"], "12 of 360 rows are positive: judged from 50")
            for row in small
        ),
        verdict("fairness", "marital divorced: selection-rate ratio", 0.93, ">=", 0.8),
        verdict("fairness", "marital divorced: equal-opportunity difference", 0.044, "<=", 0.1),
        reported(
            "fairness", "age 60 and above: selection-rate ratio", None, "33 of 184 rows selected: compared are groups of 200 rows or more"
        ),
        verdict("behaviour", "balance increasing (monotone), share of rows that keep it", 1.0, ">=", 1.0),
        verdict("reason codes", "largest difference between a score and its reasons' sum", 3.1e-8, "<=", 1e-5),
    ]


def staging() -> dict[str, Any]:
    """What staging's endpoint showed."""
    return {
        "endpoint": naming.endpoint(CONFIG, MODEL, STAGING),
        "endpoint_config": "LiveConfig-3f2a9c",
        "model": "Model-91bd",
        "instances": 1,
        "model_package_arn": f"{ARN}/7",
        "golden_requests": 8,
        "largest_difference": 2.1e-8,
        "bad_requests_refused": 6,
        "parity": {"rows": 500, "largest_difference": 5.9e-8},
        "load": {
            "requests": 100,
            "seconds": 10.0,
            "requests_per_second": 10.0,
            "p50_ms": 4.21,
            "p95_ms": 7.4,
            "p99_ms": 12.85,
            "errors": 0,
            "error_rate": 0.0,
        },
        "memory_mb": 164.2,
        "gates": [
            verdict("golden requests", "largest difference of a score", 2.1e-8, "<=", 1e-6),
            verdict("schema", "the live schema", "equal to the contract", "==", "equal to the contract"),
            verdict("parity", "largest difference over 500 rows", 5.9e-8, "<=", 1e-5),
            verdict("latency", "p50, ms", 4.21, "<=", 500.0),
            verdict("latency", "p95, ms", 7.4, "<=", 1000.0),
            verdict("latency", "p99, ms", 12.85, "<=", 2000.0),
            verdict("error rate", "errors of 100 requests", 0.0, "<=", 0.0),
            verdict("memory", "resident memory, MB", 164.2, "<=", 2048.0),
        ],
    }


def content() -> dict[str, Any]:
    """`evidence.json` before anybody has decided, as JSON holds it."""
    rows = {"train": 36168, "holdout": 9043}
    image = f"{REPOSITORY}@sha256:{IMAGE}"
    pipeline, training = naming.delivery_pipeline(CONFIG, MODEL), naming.training_pipeline(CONFIG, MODEL)
    metrics = {
        "roc_auc": (0.809346, 0.793871, 0.824821),
        "average_precision": (0.4613, 0.4341, 0.4892),
        "brier": (0.0793, 0.0768, 0.0817),
        "log_loss": (0.2796, 0.2713, 0.2871),
        "calibration_error": (0.00912, 0.0, 0.01273),
    }
    champion = {
        "model_package_arn": f"{ARN}/6",
        "metrics": {"roc_auc": 0.801204, "average_precision": 0.4502, "calibration_error": 0.0117},
        "compared": True,
        "why": "",
        "trained_rows": 0,
        "difference": {"value": 0.008142, "low": -0.00213, "high": 0.01811, "confidence": 0.95},
        "score_shift": {"p10": 0.0012, "p50": -0.0031, "p90": -0.0205},
    }
    return {
        "version": 1,
        "model": MODEL,
        "purpose": "Ranks a bank's customers by how likely they are to open a term deposit, so that advisors call the likeliest first.",
        "owner": "lead-scoring@example.com",
        "model_package_arn": f"{ARN}/7",
        "created": "2026-11-21T07:31:59Z",
        "commit": {
            "id": COMMIT,
            "author": "dana@example.com",
            "date": "2026-11-21T07:29:12Z",
            "message": "Contacts of the last campaign count less\n\nThey were counted twice: once as `previous`, once as `campaign`.",
        },
        "delivery": {"pipeline": pipeline, "execution": "4f1e7c52-09c3-4b53-9d0b-2f5c0c1d6a11", "cause": "push to main"},
        "training": {
            "execution_arn": f"arn:aws:sagemaker:{HOME.region}:{HOME.id}:pipeline/{training}/execution/8kq2v5l0x1ab",
            "definition_sha256": "7c" * 32,
        },
        "data": {"uri": f"s3://{naming.data_bucket(CONFIG, MODEL)}/data/{DATA}/bank-full.csv", "sha256": DATA, "rows": rows},
        "image": {"uri": image, "digest": f"sha256:{IMAGE}", "sbom_sha256": "a1" * 32, "components": 214},
        "artifact": {"uri": f"{PAST}/model.tar.gz", "sha256": "b2" * 32},
        "report": {"uri": f"{PAST}/output.tar.gz", "sha256": "c3" * 32},
        "evaluation": {
            "version": 1,
            "model": MODEL,
            "commit": COMMIT,
            "task": "binary",
            "data_sha256": DATA,
            "image_uri": image,
            "runtime": "0.1.0",
            "framework": {"name": "xgboost", "version": "3.2.0"},
            "metrics": {name: {"value": value, "low": low, "high": high} for name, (value, low, high) in metrics.items()},
            "rows": rows,
            "champion": champion,
            "gates": gates(),
            "gates_failed": 0,
        },
        "staging": staging(),
        "approval": None,
    }


def evidence(**changes: Any) -> Evidence:
    """The document, with top-level parts replaced."""
    return document.parse(Evidence, {**content(), **changes}, "sample")


def approved(**changes: Any) -> Evidence:
    """The document after somebody said yes."""
    before = evidence(**changes)
    approval = {
        "status": "Approved",
        "by": f"arn:aws:sts::{HOME.id}:assumed-role/risk-officer/ruth",
        "time": "2026-11-21T09:12:40Z",
        "reason": "Better than version 6 beyond doubt for students, no worse elsewhere.",
        "execution": before.delivery.execution,
        "evidence_sha256": document.shown_sha256(before),
    }
    return evidence(**changes, approval=approval)


def looked_up() -> Evidence:
    """Evidence of a version that looks up in two groups, of which applications fill one."""
    accounts = Features(
        feature_group="acme-accounts",
        offline_store="s3://features/offline/accounts",
        key="customer",
        columns=["balance", "visits"],
        until="2026-11-30T10:00:00Z",
        records=1234,
        newest_event="2026-11-29T00:00:00Z",
        ingestions={"20261129T0000Z-abcdef01": 1200},
        rows=LookedUpRows(with_record=900, without_record=7),
    )
    groups = {"accounts": accounts, "<b>visits</b>": accounts.model_copy(update={"ingestions": {}, "newest_event": None})}
    known, made = evidence(), Ingestion(source=["a" * 64, "b" * 64], sql_sha256="c" * 64, group_sha256="d" * 64, commit=f"{COMMIT}+")
    ingestions = {"accounts": dict.fromkeys(accounts.ingestions, made), "<b>visits</b>": {}}
    evaluation = known.evaluation.model_copy(update={"features": groups})
    return known.model_copy(update={"evaluation": evaluation, "ingestions": ingestions})
