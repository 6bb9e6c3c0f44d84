"""The training pipeline's definition, in both forms that `model.toml` may ask for."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from config import CONFIG
from model_code.spec import Champion, ModelSpec, load
from pipelines.definition import validate
from pipelines.training import Run, definition

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "a" * 64
RUN = Run(
    image_uri=f"111111111111.dkr.ecr.eu-west-1.amazonaws.com/paved-road/lead-scoring@{DIGEST}",
    data_uri=f"s3://data/data/{'b' * 64}/data.csv",
    data_sha256="b" * 64,
    commit="c" * 40,
    role="arn:aws:iam::111111111111:role/paved-road-lead-scoring-training",
    key="arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555",
    artifacts="s3://artifacts",
    region="eu-west-1",
)
CHAMPIONED = replace(
    RUN,
    champion_arn="arn:aws:sagemaker:eu-west-1:111111111111:model-package/paved-road-lead-scoring/6",
    champion_image_uri=RUN.image_uri.replace("a" * 64, "d" * 64),
    champion_model_uri="s3://artifacts/runs/r1/train/pipelines-r1-Train-x/output/model.tar.gz",
)
Definition = dict[str, Any]


def model(steps: str, **training: Any) -> ModelSpec:
    lead = load("lead_scoring")
    gates = lead.gates.model_copy(update={"roc_auc": 0.79})
    return lead.model_copy(update={"gates": gates, "training": lead.training.model_copy(update={"steps": steps, **training})})


@pytest.fixture(scope="module")
def one_job() -> Definition:
    made: Definition = json.loads(definition(CONFIG, model("one-job"), RUN))
    return made


@pytest.fixture(scope="module")
def separate() -> Definition:
    made: Definition = json.loads(definition(CONFIG, model("separate"), RUN))
    return made


def steps(made: Definition) -> dict[str, Any]:
    gate = made["Steps"][-1]["Arguments"]
    return {step["Name"]: step for step in [*made["Steps"], *gate["IfSteps"], *gate["ElseSteps"]]}


def test_one_job_does_everything_before_the_gate(one_job: Definition) -> None:
    assert [(step["Name"], step["Type"]) for step in one_job["Steps"]] == [("Train", "Training"), ("Gate", "Condition")]
    assert steps(one_job)["Train"]["Arguments"]["AlgorithmSpecification"]["ContainerArguments"] == ["prepare", "train", "evaluate"]


def test_separate_steps(separate: Definition) -> None:
    assert [step["Name"] for step in separate["Steps"]] == ["Prepare", "Train", "Evaluate", "Gate"]
    found = steps(separate)
    commands = [found[name]["Arguments"]["AppSpecification"]["ContainerArguments"] for name in ("Prepare", "Evaluate")]
    assert commands == [["prepare"], ["evaluate"]]
    assert found["Train"]["Arguments"]["AlgorithmSpecification"]["ContainerArguments"] == ["train"]


def test_the_gate_asks_the_one_job_how_many_gates_failed(one_job: Definition) -> None:
    (condition,) = steps(one_job)["Gate"]["Arguments"]["Conditions"]

    assert condition == {
        "Type": "LessThanOrEqualTo",
        "LeftValue": {"Get": "Steps.Train.FinalMetricDataList['gates_failed'].Value"},
        "RightValue": 0,
    }


def test_the_gate_reads_the_report_of_separate_steps(separate: Definition) -> None:
    (condition,) = steps(separate)["Gate"]["Arguments"]["Conditions"]

    assert condition["LeftValue"] == {
        "Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Evaluation"}, "Path": "gates_failed"}
    }


def test_metrics_are_read_off_the_log_as_evaluation_prints_them(one_job: Definition) -> None:
    patterns = {m["Name"]: m["Regex"] for m in steps(one_job)["Train"]["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"]}
    log = "metric roc_auc=0.809123\nmetric champion_roc_auc=0.5\nmetric gates_failed=12\n"

    assert {name: [found[1] for found in re.finditer(pattern, log)] for name, pattern in patterns.items()} == {
        "roc_auc": ["0.809123"],
        "gates_failed": ["12"],
    }


@pytest.mark.parametrize("form", ["one_job", "separate"])
def test_a_refusal_says_how_many_gates_failed_and_where_the_verdicts_are(form: str, request: pytest.FixtureRequest) -> None:
    made = steps(request.getfixturevalue(form))
    said = made["Refuse"]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]

    assert said[1] == made["Gate"]["Arguments"]["Conditions"][0]["LeftValue"]
    assert said[3] == made["Register"]["Arguments"]["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert "".join(part for part in said if isinstance(part, str)) == (
        "lead_scoring: gates failed: ; nothing was registered; evaluation.json in  has the verdicts, and the Train stage's log lists them"
    )


@pytest.fixture(scope="module", params=["one-job", "separate"])
def championed(request: pytest.FixtureRequest) -> Definition:
    """Either form, with a champion to compare with."""
    made: Definition = json.loads(definition(CONFIG, model(request.param), CHAMPIONED))
    return made


def test_the_champion_scores_the_same_data_in_its_own_image(championed: Definition) -> None:
    first = championed["Steps"][0]
    arguments = first["Arguments"]
    given = {i["InputName"]: (i["S3Input"]["S3Uri"], i["S3Input"]["LocalPath"]) for i in arguments["ProcessingInputs"]}
    (output,) = arguments["ProcessingOutputConfig"]["Outputs"]

    assert (first["Name"], first["Type"]) == ("Champion", "Processing")
    assert arguments["AppSpecification"] == {"ImageUri": CHAMPIONED.champion_image_uri, "ContainerArguments": ["score"]}
    assert given == {
        "data": (f"s3://data/data/{'b' * 64}/", "/opt/ml/processing/input/data"),
        "model": (CHAMPIONED.champion_model_uri, "/opt/ml/processing/input/model"),
    }
    assert (output["OutputName"], output["S3Output"]["LocalPath"]) == ("champion", "/opt/ml/processing/champion")
    assert arguments["Environment"]["MODEL_PACKAGE_ARN"] == CHAMPIONED.champion_arn
    assert arguments["Environment"]["IMAGE_URI"] == CHAMPIONED.champion_image_uri


def test_what_prepares_waits_for_the_champions_scores(championed: Definition) -> None:
    scores = {"Get": "Steps.Champion.ProcessingOutputConfig.Outputs['champion'].S3Output.S3Uri"}
    second = championed["Steps"][1]["Arguments"]
    channels = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in second.get("InputDataConfig", [])}
    inputs = {i["InputName"]: i["S3Input"]["S3Uri"] for i in second.get("ProcessingInputs", [])}

    assert {**channels, **inputs} == {"data": f"s3://data/data/{'b' * 64}/", "champion": scores}


def test_the_champions_job_is_as_closed_as_the_others(championed: Definition) -> None:
    arguments = championed["Steps"][0]["Arguments"]

    assert arguments["NetworkConfig"]["EnableNetworkIsolation"] is True
    assert arguments["ProcessingOutputConfig"]["KmsKeyId"] == RUN.key
    assert validate(championed) == []


@pytest.mark.parametrize("form", ["one-job", "separate"])
def test_no_champion_is_asked_where_none_is_to_be_compared_with(form: str) -> None:
    lead = model(form)
    alone = lead.model_copy(update={"gates": lead.gates.model_copy(update={"champion": Champion(compare=False)})})

    assert definition(CONFIG, alone, CHAMPIONED) == definition(CONFIG, lead, RUN)


def test_half_a_champion_is_refused() -> None:
    with pytest.raises(ValueError, match="go together: accepted are all three or none"):
        replace(RUN, champion_arn=CHAMPIONED.champion_arn)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("one_job", {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}),
        (
            "separate",
            {
                "Std:Join": {
                    "On": "/",
                    "Values": [{"Get": "Steps.Evaluate.ProcessingOutputConfig.Outputs['model'].S3Output.S3Uri"}, "model.tar.gz"],
                }
            },
        ),
    ],
)
def test_what_is_registered(form: str, data: object, request: pytest.FixtureRequest) -> None:
    registered = steps(request.getfixturevalue(form))["Register"]["Arguments"]

    assert registered["ModelPackageGroupName"] == "paved-road-lead-scoring"
    assert registered["ModelApprovalStatus"] == "PendingManualApproval"
    assert registered["InferenceSpecification"]["Containers"] == [{"Image": RUN.image_uri, "ModelDataUrl": data}]
    facts = registered["CustomerMetadataProperties"]
    assert (facts["commit"], facts["data_sha256"], facts["image_uri"]) == (RUN.commit, RUN.data_sha256, RUN.image_uri)
    assert "roc_auc" in facts


@pytest.mark.parametrize("form", ["one_job", "separate"])
def test_every_job_is_isolated_encrypted_and_told_its_origin(form: str, request: pytest.FixtureRequest) -> None:
    jobs = [step for step in steps(request.getfixturevalue(form)).values() if step["Type"] in ("Training", "Processing")]
    for step in jobs:
        arguments = step["Arguments"]
        assert arguments["Environment"] == {"COMMIT": RUN.commit, "DATA_SHA256": RUN.data_sha256, "IMAGE_URI": RUN.image_uri}
        assert arguments.get("NetworkConfig", arguments)["EnableNetworkIsolation"] is True
        text = json.dumps(arguments)
        assert f'"KmsKeyId": "{RUN.key}"' in text
        assert f'"VolumeKmsKeyId": "{RUN.key}"' in text
        assert {"SageMaker.CAPACITY_ERROR", "Step.THROTTLING"} <= {kind for one in step["RetryPolicies"] for kind in one["ExceptionType"]}


def test_a_volume_key_only_where_sagemaker_takes_one() -> None:
    made = json.loads(definition(CONFIG, model("one-job", instance_type="ml.g5.xlarge"), RUN))

    assert "VolumeKmsKeyId" not in json.dumps(made)


def test_the_data_set_is_read_as_a_folder(one_job: Definition) -> None:
    (channel,) = steps(one_job)["Train"]["Arguments"]["InputDataConfig"]

    assert channel["ChannelName"] == "data"
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://data/data/{'b' * 64}/"


def test_the_program_gives_the_same_bytes_without_an_account(one_job: Definition) -> None:
    arguments = [word for name, value in asdict(RUN).items() for word in (f"--{name.replace('_', '-')}", value)]
    command = [sys.executable, "-m", "pipelines.training", "--model", "lead_scoring", *arguments]
    keep = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:1", "PYTHONHASHSEED": "7", "AWS_EC2_METADATA_DISABLED": "true"}
    ran = subprocess.run(command, cwd=ROOT, env={**keep, **nowhere, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)

    assert ran.stdout == definition(CONFIG, load("lead_scoring"), RUN) + "\n"
    assert ran.stderr == ""
    assert json.dumps(one_job, indent=1, sort_keys=True) == definition(CONFIG, model("one-job"), RUN)


def test_the_program_says_in_one_line_what_sagemaker_would_refuse() -> None:
    arguments = [word for name, value in asdict(RUN).items() for word in (f"--{name.replace('_', '-')}", value)]
    arguments[arguments.index("--commit") + 1] = "c" * 300
    command = [sys.executable, "-m", "pipelines.training", "--model", "lead_scoring", *arguments]
    ran = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
    assert ran.stderr.startswith(
        "training: SageMaker would refuse the definition: Register: CreateModelPackage.CustomerMetadataProperties.commit"
    )


@pytest.mark.parametrize("form", ["one_job", "separate"])
def test_nothing_is_wrong_with_either_form(form: str, request: pytest.FixtureRequest) -> None:
    assert validate(request.getfixturevalue(form)) == []


def _arguments(made: Definition, name: str) -> Any:
    return steps(made)[name]["Arguments"]


MUTATIONS: dict[str, tuple[Callable[[Definition], object], str]] = {
    "parameter": (lambda d: _arguments(d, "Train").update(RoleArn={"Get": "Parameters.Rolearn"}), "Train: no parameter Rolearn"),
    "unused parameter": (lambda d: d["Parameters"].append({"Name": "Spare", "Type": "String"}), "parameter Spare is never used"),
    "execution variable": (
        lambda d: _arguments(d, "Train")["Environment"].update(RUN={"Get": "Execution.Id"}),
        "Train: no execution variable Id",
    ),
    "reference": (lambda d: _arguments(d, "Train").update(RoleArn={"Get": "Step.Prepare"}), "Train: Step.Prepare is no reference"),
    "step": (lambda d: _arguments(d, "Train").update(RoleArn={"Get": "Steps.Prep.RoleArn"}), "Train: no step Prep"),
    "property": (
        lambda d: _arguments(d, "Evaluate")["ProcessingInputs"][0]["S3Input"].update(S3Uri={"Get": "Steps.Train.ModelArtifacts.S3Uri"}),
        "Evaluate: Train has no property ModelArtifacts.S3Uri",
    ),
    "output": (
        lambda d: _arguments(d, "Evaluate")["ProcessingInputs"][1]["S3Input"].update(
            S3Uri={"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['tst'].S3Output.S3Uri"}
        ),
        "Evaluate: Prepare has no property ProcessingOutputConfig.Outputs['tst']",
    ),
    "metric": (
        lambda d: _arguments(d, "Gate")["Conditions"][0].update(LeftValue={"Get": "Steps.Train.FinalMetricDataList['auc'].Value"}),
        "Gate: Train has no property FinalMetricDataList['auc']",
    ),
    "enumeration": (lambda d: _arguments(d, "Train")["ResourceConfig"].update(InstanceType="ml.m5.huge"), "found 'ml.m5.huge'"),
    "required": (lambda d: _arguments(d, "Train").pop("StoppingCondition"), "Train: CreateTrainingJob needs StoppingCondition"),
    "required by botocore": (lambda d: _arguments(d, "Train").pop("OutputDataConfig"), "Missing required parameter"),
    "member": (lambda d: _arguments(d, "Train").update(Foo=1), "Unknown parameter in input"),
    "type": (lambda d: _arguments(d, "Train")["HyperParameters"].update(max_depth=5), "Invalid type for parameter HyperParameters"),
    "pattern": (lambda d: _arguments(d, "Register").update(ModelPackageGroupName="bad name!"), "found 'bad name!'; accepted is"),
    "length": (lambda d: _arguments(d, "Register").update(ModelPackageDescription="x" * 1025), "found 1025 characters"),
    "property file": (
        lambda d: _arguments(d, "Gate")["Conditions"][0]["LeftValue"]["Std:JsonGet"].update(
            PropertyFile={"Get": "Steps.Evaluate.PropertyFiles.Report"}
        ),
        "Gate: Evaluate has no PropertyFiles.Report",
    ),
    "property file's output": (
        lambda d: steps(d)["Evaluate"]["PropertyFiles"][0].update(OutputName="report"),
        "Evaluate: property file Evaluation: no output report",
    ),
    "names": (lambda d: d["Steps"][1].update(Name="Prepare"), "Prepare: 2 steps have this name"),
    "dependency": (lambda d: d["Steps"][0].update(DependsOn=["Nothing"]), "Prepare: depends on Nothing, which is no step"),
    "cycle": (lambda d: d["Steps"][0].update(DependsOn=["Evaluate"]), "these steps wait for each other: Evaluate, Gate, Prepare"),
    "cycle through the gate": (lambda d: d["Steps"][0].update(DependsOn=["Register"]), "these steps wait for each other"),
    "comparison": (lambda d: _arguments(d, "Gate")["Conditions"][0].update(Type="Above"), "Gate: no comparison Above"),
    "step type": (lambda d: d["Steps"][0].update(Type="Lambda"), "Prepare: no step type Lambda is known here"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_slip_is_found_and_named(name: str, separate: Definition) -> None:
    slip, said = MUTATIONS[name]
    slipped = copy.deepcopy(separate)
    slip(slipped)

    assert any(said in problem for problem in validate(slipped)), validate(slipped)


def test_a_version_says_why_it_was_trained(one_job: Definition) -> None:
    def told(made: Definition) -> str:
        return str(steps(made)["Register"]["Arguments"]["CustomerMetadataProperties"]["cause"])

    cause = "drift: alarm x-Drift rings since 2026-11-21T10:00:00Z; data: " + "f" * 300
    found = told(json.loads(definition(CONFIG, model("one-job"), replace(RUN, cause=cause))))

    assert found.startswith("drift: alarm x-Drift rings since 2026-11-21T10:00:00Z  data: fff")
    assert len(found) == 256
    assert told(one_job) == "push"
