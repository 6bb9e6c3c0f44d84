"""The training pipeline's definition, in both forms that `model.toml` may ask for."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import naming
from paved_runtime import feature_groups, spec
from paved_runtime.protocol import ENTRYPOINT
from paved_runtime.spec import OBJECTIVES, Champion, ModelSpec, Range, Search
from pipelines.definition import validate
from pipelines.run import Run
from pipelines.training import definition
from tests import reference
from tests.reference import CONFIG, MODEL, ROOT
from tests.support.networks import GROUPS, SUBNETS
from tests.support.runs import CHAMPIONED, DATA_SHA256, LOOKING_UP, RUN
from tests.support.tree import python_path

Definition = dict[str, Any]
ETA = {"eta": Range(minimum=0.01, maximum=0.3)}


def model(steps: str, **training: Any) -> ModelSpec:
    lead = reference.model()
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
    algorithm = steps(one_job)["Train"]["Arguments"]["AlgorithmSpecification"]
    assert (algorithm["ContainerEntrypoint"], algorithm["ContainerArguments"]) == (list(ENTRYPOINT), ["prepare", "train", "evaluate"])


def test_separate_steps(separate: Definition) -> None:
    assert [step["Name"] for step in separate["Steps"]] == ["Prepare", "Train", "Evaluate", "Gate"]
    named = steps(separate)
    commands = [named[name]["Arguments"]["AppSpecification"]["ContainerArguments"] for name in ("Prepare", "Evaluate")]
    assert commands == [["prepare"], ["evaluate"]]
    assert named["Train"]["Arguments"]["AlgorithmSpecification"]["ContainerArguments"] == ["train"]


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

    assert {name: [line[1] for line in re.finditer(pattern, log)] for name, pattern in patterns.items()} == {
        "roc_auc": ["0.809123"],
        "gates_failed": ["12"],
    }


LOGS = {
    "risk_grade": (
        "metric roc_auc=0.941022\nmetric accuracy=0.775000\nmetric gates_failed=0\n",
        {"roc_auc": "0.941022", "gates_failed": "0"},
    ),
    "claim_amount": ("metric r2=-0.120045\nmetric rmse=12345.678901\nmetric gates_failed=2\n", {"r2": "-0.120045", "gates_failed": "2"}),
}


@pytest.fixture(scope="module", params=list(LOGS))
def other(request: pytest.FixtureRequest) -> tuple[ModelSpec, Definition]:
    """A model of another task, and its definition with a search."""
    frozen = spec.load(request.param, ROOT / "packages/runtime/tests/model_code")
    objective = "accuracy" if frozen.task == "multiclass" else "rmse"
    training = frozen.training.model_copy(update={"search": SEARCH.model_copy(update={"objective": objective, "ranges": ETA})})
    searched = frozen.model_copy(update={"training": training})
    return searched, json.loads(definition(CONFIG, searched, RUN))


def test_the_metrics_are_those_of_the_task(other: tuple[ModelSpec, Definition]) -> None:
    model, made = other
    log, due = LOGS[model.name]
    measured = {m["Name"]: m["Regex"] for m in steps(made)["Train"]["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"]}
    search = steps(made)["Search"]["Arguments"]
    tried = {m["Name"]: m["Regex"] for m in search["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]}
    objective, lower = search["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"], model.task == "regression"

    assert {name: re.findall(pattern, log) for name, pattern in measured.items()} == {name: [value] for name, value in due.items()}
    assert tried.keys() == {f"validation_{name}" for name in OBJECTIVES[model.task]}
    assert re.findall(tried[objective["MetricName"]], f"metric {objective['MetricName']}=1234.5") == ["1234.5"]
    assert (
        objective == {"Type": "Minimize", "MetricName": "validation_rmse"}
        if lower
        else {"Type": "Maximize", "MetricName": "validation_accuracy"}
    )


def test_the_registry_is_told_the_task(other: tuple[ModelSpec, Definition], one_job: Definition) -> None:
    model, made = other

    assert steps(made)["Register"]["Arguments"]["CustomerMetadataProperties"]["task"] == model.task
    assert steps(one_job)["Register"]["Arguments"]["CustomerMetadataProperties"]["task"] == "binary"
    assert validate(made) == []


@pytest.mark.parametrize("form", ["one_job", "separate"])
def test_a_refusal_says_how_many_gates_failed_and_where_the_verdicts_are(form: str, request: pytest.FixtureRequest) -> None:
    made = steps(request.getfixturevalue(form))
    said = made["Refuse"]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]

    assert said[1] == made["Gate"]["Arguments"]["Conditions"][0]["LeftValue"]
    assert said[3] == made["Register"]["Arguments"]["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert "".join(part for part in said if isinstance(part, str)) == (
        f"{MODEL}: gates failed: ; nothing was registered; evaluation.json in  has the verdicts, and the Train stage's log lists them"
    )


@pytest.mark.parametrize(("form", "others"), [("one-job", []), ("separate", ["Prepare", "Evaluate"])])
def test_several_hosts_on_spot_instances_train_and_nothing_else_does(form: str, others: list[str]) -> None:
    made = steps(json.loads(definition(CONFIG, model(form, instance_count=3, spot=True, max_wait_minutes=90), RUN)))
    train = made["Train"]["Arguments"]

    assert train["ResourceConfig"]["InstanceCount"] == 3
    assert train["EnableManagedSpotTraining"] is True
    assert train["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 5400}
    digest = RUN.image_uri.rpartition(":")[2]
    assert train["CheckpointConfig"]["S3Uri"] == f"{RUN.artifacts}/{naming.CHECKPOINTS}/{RUN.commit}/{DATA_SHA256}/{digest}"
    counts = [made[name]["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] for name in others]
    assert counts == [1] * len(others)


def test_nothing_of_spot_is_asked_for_where_it_is_not_wanted(one_job: Definition) -> None:
    train = steps(one_job)["Train"]["Arguments"]

    assert not train.get("EnableManagedSpotTraining")
    assert "CheckpointConfig" not in train
    assert train["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


@pytest.mark.parametrize("change", [{"commit": "e" * 40}, {"data_sha256": "e" * 64}, {"image_uri": f"image@sha256:{'e' * 64}"}])
def test_checkpoints_of_another_commit_data_set_or_image_lie_elsewhere(change: dict[str, Any]) -> None:
    places = [
        steps(json.loads(definition(CONFIG, model("one-job", spot=True), run)))["Train"]["Arguments"]["CheckpointConfig"]["S3Uri"]
        for run in (RUN, replace(RUN, **change))
    ]

    assert places[0] != places[1]


@pytest.fixture(scope="module", params=["one-job", "separate"])
def championed(request: pytest.FixtureRequest) -> Definition:
    """Either form, with a champion to compare with."""
    made: Definition = json.loads(definition(CONFIG, model(request.param), CHAMPIONED))
    return made


def test_the_champion_scores_the_same_data_in_its_own_image(championed: Definition) -> None:
    first = championed["Steps"][0]
    arguments = first["Arguments"]
    inputs = {i["InputName"]: (i["S3Input"]["S3Uri"], i["S3Input"]["LocalPath"]) for i in arguments["ProcessingInputs"]}
    (output,) = arguments["ProcessingOutputConfig"]["Outputs"]

    assert (first["Name"], first["Type"]) == ("Champion", "Processing")
    assert arguments["AppSpecification"] == {"ImageUri": CHAMPIONED.champion_image_uri, "ContainerArguments": ["score"]}
    assert inputs == {
        "data": (f"s3://data/data/{DATA_SHA256}/", "/opt/ml/processing/input/data"),
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

    assert {**channels, **inputs} == {"data": f"s3://data/data/{DATA_SHA256}/", "champion": scores}


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

    assert registered["ModelPackageGroupName"] == naming.model_package_group(CONFIG, MODEL)
    assert registered["ModelApprovalStatus"] == "PendingManualApproval"
    assert registered["InferenceSpecification"]["Containers"] == [{"Image": RUN.image_uri, "ModelDataUrl": data}]
    facts = registered["CustomerMetadataProperties"]
    assert (facts["commit"], facts["data_sha256"], facts["image_uri"]) == (RUN.commit, RUN.data_sha256, RUN.image_uri)
    evaluation = registered["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]["Std:Join"]
    assert evaluation == {"On": "/", "Values": [RUN.artifacts, naming.MODELS, {"Get": "Execution.PipelineExecutionId"}, "evaluation.json"]}


@pytest.mark.parametrize("form", ["one_job", "separate"])
def test_every_job_is_isolated_encrypted_and_knows_its_origin(form: str, request: pytest.FixtureRequest) -> None:
    jobs = [step for step in steps(request.getfixturevalue(form)).values() if step["Type"] in ("Training", "Processing")]
    for step in jobs:
        arguments = step["Arguments"]
        assert arguments["Environment"] == {"COMMIT": RUN.commit, "DATA_SHA256": RUN.data_sha256, "IMAGE_URI": RUN.image_uri}
        assert arguments.get("NetworkConfig", arguments)["EnableNetworkIsolation"] is True
        assert arguments.get("NetworkConfig", arguments)["EnableInterContainerTrafficEncryption"] is True
        assert "VpcConfig" not in arguments.get("NetworkConfig", arguments)
        tags = {tag["Key"]: tag["Value"] for tag in arguments["Tags"]}
        assert tags == {"project": CONFIG.project, "model": MODEL, "owner": model("one-job").owner}
        text = json.dumps(arguments)
        assert f'"KmsKeyId": "{RUN.key}"' in text
        assert f'"VolumeKmsKeyId": "{RUN.key}"' in text
        retried = {kind for policy in step["RetryPolicies"] for kind in policy["ExceptionType"]}
        assert retried >= {"SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT", "Step.THROTTLING"}


@pytest.mark.parametrize("form", ["one-job", "separate"])
def test_every_job_runs_in_the_accounts_network(form: str) -> None:
    run = replace(CHAMPIONED, subnets=",".join(SUBNETS), security_groups=",".join(GROUPS))
    jobs = [step for step in json.loads(definition(CONFIG, model(form), run))["Steps"] if step["Type"] in ("Training", "Processing")]

    assert len(jobs) == {"one-job": 2, "separate": 4}[form]
    for step in jobs:
        arguments = step["Arguments"]
        network = arguments.get("NetworkConfig", arguments)
        assert network["VpcConfig"] == {"SecurityGroupIds": list(GROUPS), "Subnets": list(SUBNETS)}


def test_half_a_network_is_refused() -> None:
    with pytest.raises(ValueError, match="subnets and security_groups go together: accepted are both or none"):
        replace(RUN, subnets=SUBNETS[0])


def test_a_volume_key_only_where_sagemaker_takes_one() -> None:
    made = json.loads(definition(CONFIG, model("one-job", instance_type="ml.g5.xlarge"), RUN))

    assert "VolumeKmsKeyId" not in json.dumps(made)


def test_the_data_set_is_read_as_a_folder(one_job: Definition) -> None:
    (channel,) = steps(one_job)["Train"]["Arguments"]["InputDataConfig"]

    assert channel["ChannelName"] == "data"
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://data/data/{DATA_SHA256}/"


SEARCH = Search(
    jobs=6,
    parallel=2,
    seed=3,
    ranges={
        "eta": Range(minimum=0.01, maximum=0.3, scale="log"),
        "max_depth": Range(minimum=2, maximum=8),
        "min_child_weight": Range(minimum=1, maximum=9),
        "subsample": Range(values=(0.5, 1.0)),
    },
)


@pytest.fixture(scope="module", params=["one-job", "separate"])
def searched(request: pytest.FixtureRequest) -> Definition:
    """Either form, with a search and a champion to compare with."""
    made: Definition = json.loads(definition(CONFIG, model(request.param, search=SEARCH), CHAMPIONED))
    return made


def test_a_search_comes_before_training_and_after_what_prepares(searched: Definition) -> None:
    names = [step["Name"] for step in searched["Steps"]]

    assert names in (["Champion", "Search", "Train", "Gate"], ["Champion", "Prepare", "Search", "Train", "Evaluate", "Gate"])
    assert validate(searched) == []


def test_a_search_is_what_model_toml_says(searched: Definition) -> None:
    config = steps(searched)["Search"]["Arguments"]["HyperParameterTuningJobConfig"]
    ranges = {each["Name"]: (kind, each) for kind, listed in config["ParameterRanges"].items() for each in listed}

    assert config["Strategy"] == "Bayesian"
    assert config["HyperParameterTuningJobObjective"] == {"Type": "Maximize", "MetricName": "validation_roc_auc"}
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 2}
    assert config["RandomSeed"] == 3
    assert {name: kind for name, (kind, _) in ranges.items()} == {
        "eta": "ContinuousParameterRanges",
        "max_depth": "IntegerParameterRanges",
        "min_child_weight": "ContinuousParameterRanges",  # a number, though its ends are whole
        "subsample": "CategoricalParameterRanges",
    }
    assert ranges["eta"][1] == {"Name": "eta", "MinValue": "0.01", "MaxValue": "0.3", "ScalingType": "Logarithmic"}
    assert ranges["subsample"][1] == {"Name": "subsample", "Values": ["0.5", "1.0"]}


@pytest.mark.parametrize(("objective", "kind"), [("average_precision", "Maximize"), ("log_loss", "Minimize"), ("brier", "Minimize")])
def test_an_objective_is_raised_or_lowered_and_read_off_the_log(objective: str, kind: str) -> None:
    search = SEARCH.model_copy(update={"objective": objective})
    arguments = steps(json.loads(definition(CONFIG, model("one-job", search=search), RUN)))["Search"]["Arguments"]
    metrics = {m["Name"]: m["Regex"] for m in arguments["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]}
    goal = arguments["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]

    assert goal == {"Type": kind, "MetricName": f"validation_{objective}"}
    assert re.findall(metrics[goal["MetricName"]], f"metric validation_{objective}=0.104000\n") == ["0.104000"]


def test_a_trial_sees_training_rows_and_says_what_it_runs_without_arguments(searched: Definition) -> None:
    trial = steps(searched)["Search"]["Arguments"]["TrainingJobDefinition"]
    (channel,) = trial["InputDataConfig"]
    separate = "Prepare" in steps(searched)

    assert channel["ChannelName"] == ("train" if separate else "data")
    assert trial["Environment"]["TRIAL_COMMANDS"] == ("search" if separate else "prepare search")
    assert "ContainerArguments" not in trial["AlgorithmSpecification"]
    assert "holdout" not in json.dumps(trial["InputDataConfig"])


def test_trials_are_as_closed_as_the_training_job(searched: Definition) -> None:
    train, trial = steps(searched)["Train"]["Arguments"], steps(searched)["Search"]["Arguments"]["TrainingJobDefinition"]

    for member in ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "ResourceConfig", "RoleArn", "StoppingCondition"):
        assert trial[member] == train[member], member
    assert trial["OutputDataConfig"]["KmsKeyId"] == RUN.key
    assert trial["AlgorithmSpecification"]["TrainingImage"] == RUN.image_uri
    assert steps(searched)["Search"]["Arguments"]["Tags"] == train["Tags"]


def test_trials_run_in_the_accounts_network() -> None:
    run = replace(RUN, subnets=",".join(SUBNETS), security_groups=",".join(GROUPS))
    trial = steps(json.loads(definition(CONFIG, model("one-job", search=SEARCH), run)))["Search"]["Arguments"]["TrainingJobDefinition"]

    assert trial["VpcConfig"] == {"SecurityGroupIds": list(GROUPS), "Subnets": list(SUBNETS)}


def test_training_takes_what_won_and_keeps_the_rest(searched: Definition) -> None:
    train, trial = steps(searched)["Train"]["Arguments"], steps(searched)["Search"]["Arguments"]["TrainingJobDefinition"]
    won = {name: {"Get": f"Steps.Search.BestTrainingJob.TunedHyperParameters['{name}']"} for name in SEARCH.ranges}

    assert train["HyperParameters"] == {**trial["StaticHyperParameters"], **won}
    assert not trial["StaticHyperParameters"].keys() & SEARCH.ranges.keys()
    assert train["HyperParameters"].keys() == reference.model().training.hyperparameters.keys()


def test_a_search_is_not_retried_for_what_it_tries_again_itself(searched: Definition) -> None:
    retried = {kind for policy in steps(searched)["Search"]["RetryPolicies"] for kind in policy["ExceptionType"]}

    assert retried == {"Step.SERVICE_FAULT", "Step.THROTTLING", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"}


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("HyperParameterTuningJobConfig", "Strategy"), "Genetic", "'Genetic', which is none of its"),
        (("HyperParameterTuningJobConfig", "ResourceLimits", "MaxParallelTrainingJobs"), 11, "found 11; accepted are at most 10"),
        (("HyperParameterTuningJobConfig", "HyperParameterTuningJobObjective", "MetricName"), "roc_auc", "found 'roc_auc'; accepted is a"),
        (("HyperParameterTuningJobConfig", "ParameterRanges"), {}, "found 0 hyperparameters; accepted are 1 to 30"),
        (("TrainingJobDefinition", "StaticHyperParameters"), {"eta": "1"}, "eta is searched, and given"),
        (("TrainingJobDefinition", "ContainerArguments"), ["search"], "ContainerArguments"),
    ],
)
def test_a_search_that_sagemaker_would_refuse(searched: Definition, path: tuple[str, ...], value: object, problem: str) -> None:
    broken = copy.deepcopy(searched)
    table = steps(broken)["Search"]["Arguments"]
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = value

    assert any(problem in line and line.startswith("Search: ") for line in validate(broken)), validate(broken)


def test_what_was_not_searched_cannot_be_won(searched: Definition) -> None:
    broken, rounds = copy.deepcopy(searched), "BestTrainingJob.TunedHyperParameters['rounds']"
    steps(broken)["Train"]["Arguments"]["HyperParameters"]["rounds"] = {"Get": f"Steps.Search.{rounds}"}

    assert validate(broken) == [f"Train: Search has no property {rounds}"]


def training(tree: Path, run: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program, in a tree with the reference's configuration and models."""
    command = [sys.executable, "-m", "pipelines.training", "--model", MODEL, "--run", str(run)]
    environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": python_path(tree), "AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_program_gives_the_same_bytes_without_an_account(one_job: Definition, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(RUN.json())
    answer = training(tree, tmp_path / "run.json", HTTPS_PROXY="http://127.0.0.1:1", PYTHONHASHSEED="7")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == definition(CONFIG, reference.model(), RUN) + "\n"
    assert json.dumps(one_job, indent=1, sort_keys=True) == definition(CONFIG, model("one-job"), RUN)


@pytest.mark.slow
def test_the_program_says_in_one_line_what_sagemaker_would_refuse(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(replace(RUN, commit="c" * 300).json())
    answer = training(tree, tmp_path / "run.json")

    assert (answer.returncode, answer.stdout, len(answer.stderr.splitlines())) == (1, "", 1)
    assert answer.stderr.startswith(
        "training: SageMaker would refuse the definition: Register: CreateModelPackage.CustomerMetadataProperties.commit"
    )


def test_the_program_says_in_one_line_that_a_file_is_no_run(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    answer = training(tree, tmp_path / "run.json")

    assert (answer.returncode, answer.stdout, len(answer.stderr.splitlines())) == (1, "", 1)
    assert "run.json: not a run that describe_run wrote: " in answer.stderr


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
    "form": (lambda d: d["Steps"][0].update(Retry=[]), "step 1 has no member Retry"),
    "function's form": (lambda d: _arguments(d, "Train").update(RoleArn={"Std:Join": {"On": "/"}}), "Train: Std:Join needs Values"),
    "function beside something": (
        lambda d: _arguments(d, "Train").update(RoleArn={"Get": "Execution.PipelineName", "Or": "x"}),
        "Train: a function stands alone",
    ),
    "property file that nobody writes": (
        lambda d: steps(d)["Evaluate"]["PropertyFiles"][0].update(FilePath="/evaluation.json"),
        "Evaluate: property file Evaluation: found '/evaluation.json' as its path",
    ),
    "property file that nobody reads": (
        lambda d: steps(d)["Prepare"].update(PropertyFiles=[{"PropertyFileName": "P", "OutputName": "train", "FilePath": "a.json"}]),
        "Prepare: property file P is never read",
    ),
    "property file as a value": (
        lambda d: _arguments(d, "Train").update(RoleArn={"Get": "Steps.Evaluate.PropertyFiles.Evaluation"}),
        "Train: Evaluate has no property PropertyFiles.Evaluation",
    ),
    "volume key": (
        lambda d: _arguments(d, "Train")["ResourceConfig"].update(InstanceType="ml.g5.xlarge"),
        "Train: VolumeKmsKeyId: ml.g5.xlarge brings its own disk",
    ),
    "volume key of processing": (
        lambda d: _arguments(d, "Prepare")["ProcessingResources"]["ClusterConfig"].update(InstanceType="ml.g5.xlarge"),
        "Prepare: VolumeKmsKeyId: ml.g5.xlarge brings its own disk",
    ),
    "volume": (lambda d: _arguments(d, "Train")["ResourceConfig"].update(VolumeSizeInGB=16_385), "found 16385; accepted are at most 16384"),
    "time": (
        lambda d: _arguments(d, "Train")["StoppingCondition"].update(MaxRuntimeInSeconds=28 * 86_400 + 1),
        "MaxRuntimeInSeconds: found 2419201; accepted are at most 2419200",
    ),
    "time of processing": (
        lambda d: _arguments(d, "Prepare")["StoppingCondition"].update(MaxRuntimeInSeconds=777_601),
        "found 777601; accepted are at most 777600",
    ),
    "members": (
        lambda d: _arguments(d, "Train")["HyperParameters"].update({str(n): "1" for n in range(101)}),
        "CreateTrainingJob.HyperParameters: found ",
    ),
    "character of metadata": (
        lambda d: _arguments(d, "Register")["CustomerMetadataProperties"].update(cause="drift, data"),
        "CreateModelPackage.CustomerMetadataProperties.cause: found 'drift, data'",
    ),
    "warm spot instances": (
        lambda d: (
            _arguments(d, "Train").update(EnableManagedSpotTraining=True),
            _arguments(d, "Train")["ResourceConfig"].update(KeepAlivePeriodInSeconds=600),
        ),
        "Train: KeepAlivePeriodInSeconds: SageMaker keeps no spot instances warm",
    ),
    "arguments without an entry point": (
        lambda d: _arguments(d, "Train")["AlgorithmSpecification"].pop("ContainerEntrypoint"),
        "Train: AlgorithmSpecification: ContainerArguments go with a ContainerEntrypoint",
    ),
    "retry type": (
        lambda d: steps(d)["Train"]["RetryPolicies"][0].update(ExceptionType=["SageMaker.CAPACITY"]),
        "Train: a step of type Training is not retried upon SageMaker.CAPACITY",
    ),
    "retry of no job": (
        lambda d: steps(d)["Register"]["RetryPolicies"][0].update(ExceptionType=["SageMaker.RESOURCE_LIMIT"]),
        "Register: a step of type RegisterModel is not retried upon SageMaker.RESOURCE_LIMIT",
    ),
    "attempts": (
        lambda d: steps(d)["Train"]["RetryPolicies"][0].update(MaxAttempts=0),
        "Train: a retry policy's MaxAttempts: found 0; accepted are 1 to 20",
    ),
    "attempts and time": (lambda d: steps(d)["Train"]["RetryPolicies"][0].update(ExpireAfterMin=5), "found 2 of them"),
    "retried twice": (
        lambda d: steps(d)["Train"]["RetryPolicies"].append(steps(d)["Train"]["RetryPolicies"][0]),
        "Train: Step.SERVICE_FAULT: 2 retry policies are for this name",
    ),
    "name": (lambda d: d["Steps"][1].update(Name="Train now"), "Train now: Name: found 'Train now'"),
    "parameter's type": (
        lambda d: d["Parameters"].append({"Name": "Rows", "Type": "Integer", "DefaultValue": "5"}),
        "parameter Rows: found '5'; accepted is a Integer",
    ),
    "refusal": (lambda d: _arguments(d, "Refuse").update(ErrorMessage="x" * 3073), "Refuse: ErrorMessage: found 3073 characters"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_slip_is_found_and_named(name: str, separate: Definition) -> None:
    slip, said = MUTATIONS[name]
    slipped = copy.deepcopy(separate)
    slip(slipped)

    assert any(said in problem for problem in validate(slipped)), validate(slipped)


WRONG_TYPE = {"wrong": ["type"]}


def seeded(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, tuple[str | int, ...], Any]]:
    """Every slip of a few kinds that can be made in a definition: what it is, where, and what stands there then."""
    free = path[-1:] in (("Environment",), ("HyperParameters",), ("CustomerMetadataProperties",), ("Metadata",))
    if isinstance(value, dict):
        if not free and path:
            yield "unknown member", (*path, "Misspelt"), "x"
        for name, inner in value.items():
            if not free and path:
                yield "misspelt member", (*path, name), MISSPELT
            yield from seeded(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from seeded(inner, (*path, number))
    elif value is not None:
        yield from ((kind, path, wrong) for kind, wrong in wrong_values(value, path))


def wrong_values(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, Any]]:
    yield "wrong type", WRONG_TYPE
    if isinstance(value, int | float) and path[-1] not in ("RightValue", "BackoffRate"):
        yield "too small", -1
        if path[-2:] != ("ResourceConfig", "InstanceCount"):  # only the account's quota ends that
            yield "too large", 10**9
    if path[-1] in ("Get", "InstanceType", "Type", "S3DataType", "S3InputMode", "S3UploadMode", "ModelApprovalStatus"):
        yield "unknown value", f"{value}x"


class Misspelt:
    """What has another name than it should."""


MISSPELT = Misspelt()


def slipped(definition: Definition, path: tuple[str | int, ...], value: Any) -> Definition:
    made: Any = copy.deepcopy(definition)
    *way, last = path
    place = made
    for part in way:
        place = place[part]
    if isinstance(value, Misspelt):
        place[f"{last}x"] = place.pop(last)
    else:
        place[last] = value
    changed: Definition = made
    return changed


def test_every_slip_of_these_kinds_is_caught(separate: Definition) -> None:
    """A misspelt or unknown member anywhere, a value of a wrong type, a number that is much too large or negative, an unknown word."""
    slips = list(seeded(separate))
    missed = [f"{kind} at {'.'.join(map(str, path))}" for kind, path, value in slips if not validate(slipped(separate, path, value))]

    assert len(slips) > 300
    assert missed == []


def test_a_version_says_why_it_was_trained(one_job: Definition) -> None:
    def registered(made: Definition) -> str:
        return str(steps(made)["Register"]["Arguments"]["CustomerMetadataProperties"]["cause"])

    cause = "drift: alarm x-Drift is in ALARM since 2026-11-21T10:00:00Z; data: " + "f" * 300
    text = registered(json.loads(definition(CONFIG, model("one-job"), replace(RUN, cause=cause))))

    assert text.startswith("drift: alarm x-Drift is in ALARM since 2026-11-21T10:00:00Z  data: fff")
    assert len(text) == 256
    assert registered(one_job) == "push"


KNOWN = replace(RUN, sources_sha256="1" * 64, data_version="v1")


def registered(run: Run, **training: Any) -> str:
    made = json.loads(definition(CONFIG, model(**{"steps": "one-job", **training}), run))
    return str(steps(made)["Register"]["Arguments"]["CustomerMetadataProperties"].get("training_sha256", ""))


def test_the_same_training_has_the_same_digest() -> None:
    """Of which commit it is, which image was built of it and who asks makes no difference, nor whom the version must beat."""
    champion = {name: getattr(CHAMPIONED, name) for name in ("champion_arn", "champion_image_uri", "champion_model_uri")}
    later = replace(KNOWN, commit="d" * 40, image_uri=RUN.image_uri.replace("a" * 64, "e" * 64), cause="schedule", **champion)

    assert registered(later) == registered(KNOWN)
    assert re.fullmatch("[0-9a-f]{64}", registered(KNOWN))
    assert registered(KNOWN, keep_alive_minutes=5) == registered(KNOWN)


@pytest.mark.parametrize(
    ("changes", "training"),
    [
        ({"sources_sha256": "2" * 64}, {}),
        ({"data_sha256": "2" * 64, "data_uri": f"s3://data/data/{'2' * 64}/data.csv"}, {}),
        ({"role": "arn:aws:iam::123456789012:role/another"}, {}),
        ({}, {"instance_type": "ml.m5.xlarge"}),
        ({}, {"max_runtime_minutes": 10}),
        ({}, {"hyperparameters": {"eta": 0.3}}),
        ({}, {"steps": "separate"}),
    ],
)
def test_another_training_has_another_digest(changes: dict[str, Any], training: dict[str, Any]) -> None:
    assert registered(replace(KNOWN, **changes), **training) != registered(KNOWN)


def test_where_the_sources_are_not_known_there_is_no_digest() -> None:
    assert registered(RUN) == ""


def test_machines_stay_warm_where_that_is_asked_for(one_job: Definition) -> None:
    warm = json.loads(definition(CONFIG, model("one-job", keep_alive_minutes=30), RUN))

    assert steps(warm)["Train"]["Arguments"]["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 1800
    assert "KeepAlivePeriodInSeconds" not in steps(one_job)["Train"]["Arguments"]["ResourceConfig"]


@pytest.mark.parametrize(("form", "reads"), [("one-job", ["Champion", "Train"]), ("separate", ["Champion", "Prepare"])])
def test_what_prepares_rows_has_the_offline_stores_and_the_moment_until_which_they_count(form: str, reads: list[str]) -> None:
    """SageMaker takes variables of 256 characters in a processing job."""
    jobs = {name: each["Arguments"] for name, each in steps(json.loads(definition(CONFIG, model(form), LOOKING_UP))).items()}
    stores = {f"features_{group}": each["offline_store"] for group, each in LOOKING_UP.features.items()}

    for name, job in jobs.items():
        sources = {
            **{each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in job.get("InputDataConfig", [])},
            **{each["InputName"]: each["S3Input"]["S3Uri"] for each in job.get("ProcessingInputs", [])},
        }
        assert {channel: uri for channel, uri in sources.items() if channel in stores} == (stores if name in reads else {}), name
    for name in reads:
        assert jobs[name]["Environment"]["FEATURES_UNTIL"] == LOOKING_UP.features_until
        assert json.loads(feature_groups.told(jobs[name]["Environment"])) == LOOKING_UP.features
        assert max(map(len, jobs[name]["Environment"].values())) <= 256
