"""Tuning jobs run their trials, tell the best of them, and end in every way."""

from __future__ import annotations

import itertools
import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_rules import document
from sagemaker_jobs import until_hanging

from localcloud.sagemaker import search_spaces
from localcloud.testing import ACCOUNT, LAB, REGION, named
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

Json = dict[str, Any]
TUNING = pytest.mark.aws("Search: tuning jobs and their trials")
RANDOM = pytest.mark.laptop("its search is random, and its own")
AUC = {"ContinuousParameterRanges": [{"Name": "auc", "MinValue": "0.1", "MaxValue": "0.9"}]}


def tuning(aws: Accounts, image: str, name: str, *, jobs: int = 3, ranges: Json = AUC, config: Json | None = None, **changes: Any) -> None:
    """Start a tuning job of `localcloud.testing`'s image; `config` and `changes` replace members of its configuration and definition."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{LAB}/data/v1/", "S3DataDistributionType": "FullyReplicated"}
    aws.client("sagemaker").create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "auc"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": ranges,
            "RandomSeed": 7,
            **(config or {}),
        },
        TrainingJobDefinition={
            "StaticHyperParameters": {"depth": "3"},
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "auc", "Regex": "metric auc=([0-9.]+)"}],
            },
            "RoleArn": aws.worker(),
            "InputDataConfig": [{"ChannelName": "data", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{LAB}/trials"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **changes,
        },
        Tags=[{"Key": "team", "Value": "one"}],
    )


def over(aws: Accounts, name: str) -> Json:
    """The tuning job, once it has ended."""
    describe = aws.client("sagemaker").describe_hyper_parameter_tuning_job

    def description() -> Json | None:
        job: Json = describe(HyperParameterTuningJobName=name)
        return job if job["HyperParameterTuningJobStatus"] in ("Completed", "Failed", "Stopped") else None

    job: Json = until(description)
    return job


def trials(aws: Accounts, name: str, **more: Any) -> list[Json]:
    pages = aws.client("sagemaker").get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    every = pages.paginate(HyperParameterTuningJobName=name, **more)
    return [trial for page in every for trial in page["TrainingJobSummaries"]]


@TUNING
def test_every_trial_is_a_training_job_and_the_best_one_wins(aws: Accounts, image: str, name: Name) -> None:
    tuning(aws, image, name("s"))
    job, every = over(aws, name("s")), trials(aws, name("s"), MaxResults=2)

    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == job["ObjectiveStatusCounters"]["Succeeded"] == len(every) == 3
    values = [trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for trial in every]
    assert values == pytest.approx([float(trial["TunedHyperParameters"]["auc"]) for trial in every])
    assert job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == pytest.approx(max(values))
    best = aws.client("sagemaker").describe_training_job(TrainingJobName=job["BestTrainingJob"]["TrainingJobName"])
    tuned = job["BestTrainingJob"]["TunedHyperParameters"]
    assert best["HyperParameters"] == {"depth": "3", **tuned, "_tuning_objective_metric": "auc"}
    assert best["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert aws.client("sagemaker").list_tags(ResourceArn=best["TrainingJobArn"])["Tags"] == [{"Key": "team", "Value": "one"}]
    ranked = trials(aws, name("s"), SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert ranked[0]["TrainingJobName"] == job["BestTrainingJob"]["TrainingJobName"]


@RANDOM
def test_its_description_says_that_the_search_is_random(aws: Accounts, image: str, name: Name) -> None:
    for each in ("one", "two"):
        tuning(aws, image, name(each), jobs=2)
    jobs = [over(aws, name(each)) for each in ("one", "two")]

    assert {job["HyperParameterTuningJobConfig"]["Strategy"] for job in jobs} == {"Random"}
    values = [[trial["TunedHyperParameters"] for trial in trials(aws, name(each))] for each in ("one", "two")]
    assert values[0] == values[1]  # of the same seed
    assert values[0][0] != values[0][1]


@TUNING
def test_a_failed_trial_is_listed_and_does_not_win(aws: Accounts, image: str, name: Name) -> None:
    both = {"CategoricalParameterRanges": [{"Name": "behaviour", "Values": ["fail", "well"]}]}
    tuning(aws, image, name("s"), jobs=4, ranges=both)
    job, every = over(aws, name("s")), trials(aws, name("s"))

    failed = [trial for trial in every if trial["TunedHyperParameters"]["behaviour"] == "fail"]
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert 0 < len(failed) < 4
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == job["ObjectiveStatusCounters"]["Failed"] == len(failed)
    assert {(t["TrainingJobStatus"], t["ObjectiveStatus"]) for t in failed} == {("Failed", "Failed")}
    assert all("row 3" in trial["FailureReason"] for trial in failed)
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"behaviour": "well"}


@TUNING
def test_a_tuning_job_without_a_trial_that_succeeds_fails(aws: Accounts, image: str, name: Name) -> None:
    tuning(aws, image, name("s"), jobs=2, Environment={"BEHAVIOUR": "fail"})
    job = over(aws, name("s"))

    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("All training jobs failed")
    assert "BestTrainingJob" not in job


@TUNING
def test_a_stopped_tuning_job_begins_no_more_trials(aws: Accounts, image: str, name: Name) -> None:
    heard = Heard(aws)
    tuning(aws, image, name("s"), jobs=6, Environment={"BEHAVIOUR": "hang"})
    running = until(lambda: every if len(every := trials(aws, name("s"))) == 2 else None)
    for trial in running:
        until_hanging(aws, trial["TrainingJobName"])
    assert len(trials(aws, name("s"))) == 2  # as many as may run at a time
    aws.client("sagemaker").stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name("s"))
    job = over(aws, name("s"))

    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert [trial["TrainingJobStatus"] for trial in trials(aws, name("s"))] == ["Stopped", "Stopped"]
    assert heard.statuses(name("s"), 3) == {"InProgress", "Stopping", "Stopped"}
    with pytest.raises(ClientError, match="is in status Stopped"):
        aws.client("sagemaker").stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name("s"))


@TUNING
@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"config": {"ResourceLimits": {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 11}}}, "MaxParallelTrainingJobs is 11"),
        ({"jobs": 751}, "MaxNumberOfTrainingJobs is 751"),
        ({"config": {"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "f1"}}}, "metric f1 is not among"),
        ({"StaticHyperParameters": {"auc": "0.1"}}, "auc is given more than once"),
        ({"ranges": {"IntegerParameterRanges": [{"Name": "depth2", "MinValue": "9", "MaxValue": "2"}]}}, "is larger than MaxValue"),
        (
            {"ranges": {"ContinuousParameterRanges": [{"Name": "a", "MinValue": "0", "MaxValue": "2", "ScalingType": "Logarithmic"}]}},
            "values greater than 0",
        ),
    ],
)
def test_what_sagemaker_does_not_take_is_refused(aws: Accounts, image: str, name: Name, changes: Json, refusal: str) -> None:
    with pytest.raises(ClientError, match=refusal):
        tuning(aws, image, name("s"), **changes)


@RANDOM
@pytest.mark.parametrize("config", [{"Strategy": "Hyperband"}, {"TrainingJobEarlyStoppingType": "Auto"}])
def test_what_a_random_search_cannot_stand_for_is_refused(aws: Accounts, image: str, name: Name, config: Json) -> None:
    with pytest.raises(ClientError, match="localcloud searches at random in place of Bayesian and Random"):
        tuning(aws, image, name("s"), config=config)


@RANDOM
def test_drawn_values_lie_in_their_ranges_by_their_scales() -> None:
    low_high = {"MinValue": "1", "MaxValue": "1000"}
    kinds = {
        "IntegerParameterRanges": [
            {"Name": "plain", **low_high},
            {"Name": "log", **low_high, "ScalingType": "Logarithmic"},
            {"Name": "fixed", "MinValue": "4", "MaxValue": "4"},
        ],
        "ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Logarithmic"}],
        "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b"]}],
    }
    drawn = search_spaces.drawn(kinds, 400, "seed")

    plain, log = ([int(values[name]) for values in drawn] for name in ("plain", "log"))
    assert all(1 <= value <= 1000 for value in itertools.chain(plain, log))
    assert sum(value < 32 for value in plain) < 40 < 150 < sum(value < 32 for value in log)
    rates = [float(values["rate"]) for values in drawn]
    assert all(0.001 <= rate <= 1 for rate in rates)
    assert 100 < sum(rate < 0.0316 for rate in rates) < 300
    assert {values["fixed"] for values in drawn} == {"4"}
    assert {values["kind"] for values in drawn} == {"a", "b"}
    assert drawn == search_spaces.drawn(kinds, 400, "seed") != search_spaces.drawn(kinds, 400, "other")


class Heard:
    """What a rule on all events of tuning jobs has brought to its target, a queue."""

    def __init__(self, aws: Accounts) -> None:
        name = named(f"heard-{uuid.uuid4()}")
        self.sqs = aws.client("sqs")
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        policy = document({"Service": "events.amazonaws.com"}, "sqs:SendMessage", arn)
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})
        pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker HyperParameter Tuning Job State Change"]}
        aws.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
        aws.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        self.details: list[Json] = []

    def statuses(self, job: str, count: int) -> set[str]:
        """Those of a job's first `count` events."""

        def about() -> list[Json] | None:
            for message in self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", []):
                self.details.append(json.loads(message["Body"])["detail"])
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            known = [detail for detail in self.details if detail["HyperParameterTuningJobName"] == job]
            return known if len(known) >= count else None

        known: list[Json] = until(about)
        return {detail["HyperParameterTuningJobStatus"] for detail in known}


@TUNING
def test_a_step_searches_and_the_next_one_trains_what_won(aws: Accounts, image: str, name: Name) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{LAB}/data/v1/"}
    common = {
        "RoleArn": aws.worker(),
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{LAB}/runs"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "auc", "Regex": "metric auc=([0-9.]+)"}],
        },
    }
    config = {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "auc"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1},
        "ParameterRanges": AUC,
    }
    won = {"Get": "Steps.Search.BestTrainingJob.TunedHyperParameters['auc']"}
    steps = [
        {"Name": "Search", "Type": "Tuning", "Arguments": {"HyperParameterTuningJobConfig": config, "TrainingJobDefinition": common}},
        {"Name": "Train", "Type": "Training", "Arguments": {**common, "HyperParameters": {"auc": won}}},
    ]
    sagemaker = aws.client("sagemaker")
    definition = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": steps})
    token = str(uuid.uuid4())
    sagemaker.create_pipeline(PipelineName=name("p"), PipelineDefinition=definition, ClientRequestToken=token, RoleArn=aws.worker())
    arn = sagemaker.start_pipeline_execution(PipelineName=name("p"))["PipelineExecutionArn"]
    status = until(
        lambda: (
            s if (s := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]) != "Executing" else None
        )
    )

    assert status == "Succeeded"
    listed = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")["PipelineExecutionSteps"]
    search, train = (step["Metadata"] for step in listed)
    searched = over(aws, search["TuningJob"]["Arn"].rpartition("/")[2])
    trained = sagemaker.describe_training_job(TrainingJobName=train["TrainingJob"]["Arn"].rpartition("/")[2])
    assert trained["HyperParameters"] == searched["BestTrainingJob"]["TunedHyperParameters"]
