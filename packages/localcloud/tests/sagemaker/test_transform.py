"""Transform jobs run: files become requests, answers become files, and every way in which one ends."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sagemaker_jobs import ended
from sagemaker_transforms import Json, logged, modelled, outputs, request, stored, transformed

from localcloud.sagemaker import jobs, quotas
from localcloud.sagemaker.transform import Transform
from localcloud.testing import ACCOUNT, LAB, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.in_process import PLENTY, Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

JOBS = pytest.mark.aws("batch transform jobs")
WORDS = pytest.mark.laptop("what localcloud does not do, and its words")
ON_TWO = {"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}
JSON_LINES = {"ContentType": "application/jsonlines", "SplitType": "Line"}


@JOBS
def test_every_object_under_a_prefix_has_an_output_in_its_order(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__csv="1\n22\n333\n", b__csv="4444")
    aws.client("s3").put_object(Bucket=LAB, Key=f"batches/{job}/in/more/c.csv", Body=b"55555\n")
    outcome = transformed(aws, job, model, target={"Accept": "text/csv"}, Tags=[{"Key": "team", "Value": "one"}])

    assert outcome["TransformJobStatus"] == "Completed", logged(aws, job)
    assert outputs(aws, job) == {"a.csv.out": "1\n2\n3\n", "b.csv.out": "4\n", "more/c.csv.out": "5\n"}
    assert outcome["TransformStartTime"] <= outcome["TransformEndTime"]
    assert "FailureReason" not in outcome
    assert "asked 9 text/csv text/csv" in logged(aws, job)
    assert "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD" in logged(aws, job)
    listed = aws.client("sagemaker").list_transform_jobs(NameContains=job)["TransformJobSummaries"]
    assert [(each["TransformJobName"], each["TransformJobStatus"]) for each in listed] == [(job, "Completed")]
    assert aws.client("sagemaker").list_tags(ResourceArn=outcome["TransformJobArn"])["Tags"] == [{"Key": "team", "Value": "one"}]


@JOBS
@pytest.mark.parametrize(
    ("changes", "bodies"),
    [
        ({"BatchStrategy": "SingleRecord"}, [3, 3, 3]),
        ({"BatchStrategy": "MultiRecord"}, [12]),
        ({"source": {"SplitType": "None"}, "target": {"AssembleWith": "None"}}, [12]),
    ],
)
def test_records_go_together_as_the_strategy_says(
    aws: Accounts, image: str, name: Name, changes: dict[str, Any], bodies: list[int]
) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__csv="123\n456\n789\n")
    transformed(aws, job, model, **changes)

    assert outputs(aws, job) == {"a.csv.out": "3\n3\n3\n"}
    asked = [line for line in logged(aws, job).splitlines() if line.startswith("asked ")]
    assert [int(line.split()[1]) for line in asked] == bodies


@JOBS
def test_a_request_has_no_more_than_the_payload_and_a_larger_record_fails_its_file(aws: Accounts, image: str, name: Name) -> None:
    model, job, large = modelled(aws, image, name("m")), name("t"), b"x" * (2**20 - 1)
    stored(aws, job, a__csv=large + b"\n22\n", b__csv=large + b"x\n")
    outcome = transformed(aws, job, model, MaxPayloadInMB=1)

    assert (outcome["TransformJobStatus"], outcome["MaxPayloadInMB"]) == ("Failed", 1)
    assert outcome["FailureReason"] == "ClientError: See job logs for more information"
    assert outputs(aws, job) == {"a.csv.out": f"{len(large)}\n2\n"}
    assert f"{LAB}/batches/{job}/in/b.csv: Too much data for max payload size" in logged(aws, job)


@JOBS
@pytest.mark.parametrize(("record", "whose", "said"), [("bad", "ClientError", "422"), ("boom", "AlgorithmError", "500")])
def test_a_file_that_fails_leaves_the_others_their_output_and_fails_the_job(
    aws: Accounts, image: str, name: Name, record: str, whose: str, said: str
) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__csv="1\n", b__csv=f"1\n{record}\n", c__csv="55555\n")
    outcome = transformed(aws, job, model, BatchStrategy="SingleRecord", ModelClientConfig={"InvocationsMaxRetries": 1})

    assert outcome["TransformJobStatus"] == "Failed"
    assert outcome["FailureReason"] == f"{whose}: See job logs for more information"
    assert outputs(aws, job) == {"a.csv.out": "1\n", "c.csv.out": "5\n"}
    assert f"{LAB}/batches/{job}/in/b.csv: {whose}: {said}" in logged(aws, job)
    assert f'{LAB}/batches/{job}/in/b.csv: {{"error": "row 1"}}' in logged(aws, job)
    assert logged(aws, job).count(f"asked {len(record)} ") == (1 if whose == "ClientError" else 2)


@JOBS
def test_a_model_that_does_not_answer_in_time_or_ends_fails_its_file(aws: Accounts, image: str, name: Name) -> None:
    model = modelled(aws, image, name("m"))
    config = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    for record in ("hang", "leave"):
        stored(aws, name(record), a__csv=record)
        outcome = transformed(aws, name(record), model, ModelClientConfig=config)
        assert outcome["FailureReason"] == "AlgorithmError: See job logs for more information"
        assert "a.csv: Unable to get response from algorithm" in logged(aws, name(record))
        assert outputs(aws, name(record)) == {}


@JOBS
def test_a_container_that_does_not_start_fails_the_job(aws: Accounts, image: str, name: Name) -> None:
    job = name("t")
    stored(aws, job, a__csv="1\n")
    outcome = transformed(aws, job, modelled(aws, image, name("m"), BEHAVIOUR="crash"))

    assert outcome["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert "cannot read the model" in logged(aws, job)


@JOBS
def test_an_input_that_is_not_there_fails_the_job(aws: Accounts, image: str, name: Name) -> None:
    outcome = transformed(aws, name("t"), modelled(aws, image, name("m")))
    assert f"No S3 objects found under S3 URL s3://{LAB}/batches/{name('t')}/in/" in outcome["FailureReason"]


@JOBS
def test_the_container_knows_that_it_is_asked_by_a_batch_and_how(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m"), SAGEMAKER_OWN="model's", SAGEMAKER_OTHER="model's"), name("t")
    stored(aws, job, a__csv="settings")
    transformed(aws, job, model, MaxConcurrentTransforms=2, BatchStrategy="SingleRecord", Environment={"SAGEMAKER_OTHER": "job's"})
    stored(aws, name("plain"), a__csv="settings")
    transformed(aws, name("plain"), model)

    told, plain = (json.loads(outputs(aws, each)["a.csv.out"]) for each in (job, name("plain")))
    assert (told["SAGEMAKER_BATCH"], told["SAGEMAKER_BATCH_STRATEGY"], told["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"]) == (
        *("true", "SINGLE_RECORD", "2"),
    )
    assert (told["SAGEMAKER_OWN"], told["SAGEMAKER_OTHER"]) == ("model's", "job's")
    assert plain["SAGEMAKER_BATCH"] == "true"
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB" not in {*told, *plain}
    assert "SAGEMAKER_BATCH_STRATEGY" not in plain


@JOBS
def test_what_the_request_leaves_open_the_container_says(aws: Accounts, image: str, name: Name) -> None:
    own = json.dumps({"MaxConcurrentTransforms": 2, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 9})
    model, job = modelled(aws, image, name("m"), PARAMETERS=own), name("t")
    stored(aws, job, a__csv="1\n22\n")
    transformed(aws, job, model, MaxPayloadInMB=3)

    assert "MaxConcurrentTransforms=2, MaxPayloadInMB=3, BatchStrategy=SINGLE_RECORD" in logged(aws, job)
    assert outputs(aws, job) == {"a.csv.out": "1\n2\n"}


@JOBS
@pytest.mark.parametrize("files", [{"a__csv": "1\n22\nmeet\nmeet\nmeet\n333\n"}, {"a__csv": "meet", "b__csv": "meet", "c__csv": "meet"}])
def test_as_many_requests_are_open_as_may_be_of_one_file_or_of_several(
    aws: Accounts, image: str, name: Name, files: dict[str, str]
) -> None:
    """Three of them meet in the container, which otherwise says 500."""
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, **files)
    outcome = transformed(aws, job, model, MaxConcurrentTransforms=3, BatchStrategy="SingleRecord")

    assert outcome["TransformJobStatus"] == "Completed", logged(aws, job)
    assert "".join(outputs(aws, job).values()) == "".join(f"{len(line)}\n" for text in files.values() for line in text.splitlines())


@JOBS
def test_instances_share_the_files(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__csv="1\n", b__csv="22\n", c__csv="333\n")
    transformed(aws, job, model, **ON_TWO)

    assert outputs(aws, job) == {"a.csv.out": "1\n", "b.csv.out": "2\n", "c.csv.out": "3\n"}


@pytest.mark.laptop("which of the instances has which file is localcloud's")
def test_each_instance_has_every_second_file(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__csv="1\n", b__csv="22\n", c__csv="333\n")
    transformed(aws, job, model, **ON_TWO)

    streams = {host: aws.lines("/aws/sagemaker/TransformJobs", f"{job}/{host}-") for host in ("algo-1", "algo-2")}
    asked = {host: [line.split()[1] for line in lines if line.startswith("asked ")] for host, lines in streams.items()}
    assert asked == {"algo-1": ["2", "4"], "algo-2": ["3"]}


@JOBS
def test_a_manifest_names_the_objects(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    prefix = stored(aws, job, a__csv="1\n", b__csv="22\n", c__csv="333\n")
    manifest = json.dumps([{"prefix": prefix}, "c.csv", "a.csv"])
    stored(aws, name("list"), list=manifest)
    where = {"S3DataType": "ManifestFile", "S3Uri": f"s3://{LAB}/batches/{name('list')}/in/list"}
    transformed(aws, job, model, source={"DataSource": {"S3DataSource": where}})

    assert outputs(aws, job) == {"a.csv.out": "1\n", "c.csv.out": "3\n"}


@pytest.mark.laptop("the wording is localcloud's")
def test_what_is_no_manifest_fails_the_job(aws: Accounts, image: str, name: Name) -> None:
    stored(aws, name("t"), list="{}")
    where = {"S3DataType": "ManifestFile", "S3Uri": f"s3://{LAB}/batches/{name('t')}/in/list"}
    outcome = transformed(aws, name("t"), modelled(aws, image, name("m")), source={"DataSource": {"S3DataSource": where}})

    assert "in/list is no manifest: accepted is" in outcome["FailureReason"]


@JOBS
def test_a_compressed_file_is_decompressed(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__csv__gz=gzip.compress(b"1\n22\n"), b__csv__gz=b"1\n22\n")
    outcome = transformed(aws, job, model, source={"CompressionType": "Gzip"})

    assert outcome["FailureReason"] == "ClientError: See job logs for more information"
    assert outputs(aws, job) == {"a.csv.gz.out": "1\n2\n"}


@JOBS
def test_a_row_keeps_what_the_model_does_not_get(aws: Accounts, image: str, name: Name) -> None:
    """JSON Lines: a part is sent, the answer is joined, and what is asked for is stored."""
    model, job = modelled(aws, image, name("m")), name("t")
    rows = [{"number": n, "keep": {"id": f"c-{n}"}, "row": {"name": "é" * n}} for n in range(3)]
    stored(aws, job, part__jsonl="".join(json.dumps(row) + "\n" for row in rows))
    filters = {"InputFilter": "$.row", "JoinSource": "Input", "OutputFilter": "$['number','keep','SageMakerOutput']"}
    transformed(aws, job, model, source=JSON_LINES, target={"Accept": "application/jsonlines"}, DataProcessing=filters)

    kept = [json.loads(line) for line in outputs(aws, job)["part.jsonl.out"].splitlines()]
    lengths = [len(json.dumps(row["row"], separators=(",", ":"), ensure_ascii=False).encode()) for row in rows]
    assert kept == [{"number": n, "keep": {"id": f"c-{n}"}, "SageMakerOutput": length} for n, length in enumerate(lengths)]


@JOBS
def test_the_columns_of_an_answer_follow_those_of_its_row(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__csv='c-1,"a, b",1\nc-2,x,22\n')
    filters = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    transformed(aws, job, model, target={"Accept": "text/csv"}, DataProcessing=filters)

    assert outputs(aws, job) == {"a.csv.out": "c-1,8\nc-2,4\n"}


@JOBS
@pytest.mark.parametrize(
    ("text", "filters", "said"),
    [
        ("{", {"InputFilter": "$.row"}, "Failed to parse as JSON"),
        ('{"x": NaN}', {"InputFilter": "$.x"}, "Failed to parse as JSON"),
        ('{"x": 1}', {"InputFilter": "$.row"}, r"$.row selects what is not there: 'row'"),
        ("lose\n1", {"JoinSource": "Input"}, "2 records were sent, and the answer has 1"),
        ('{"x": "settings"}', {"JoinSource": "Input", "OutputFilter": "$.y"}, r"$.y selects what is not there: 'y'"),
    ],
)
def test_a_record_that_cannot_be_processed_fails_its_file(
    aws: Accounts, image: str, name: Name, text: str, filters: Json, said: str
) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__jsonl=text)
    outcome = transformed(aws, job, model, source=JSON_LINES, DataProcessing=filters)

    assert outcome["FailureReason"] == "ClientError: See job logs for more information"
    assert said in logged(aws, job)
    assert outputs(aws, job) == {}


@JOBS
def test_a_job_that_is_stopped_stores_nothing(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__csv="1\n", b__csv="hang")
    aws.client("sagemaker").create_transform_job(**request(job, model))
    until(lambda: "hanging" in logged(aws, job) if _begun(aws, job) else False)
    aws.client("sagemaker").stop_transform_job(TransformJobName=job)

    assert ended(aws, "transform", job)["TransformJobStatus"] == "Stopped"
    assert outputs(aws, job) == {}
    with pytest.raises(ClientError, match="transform job is in status Stopped"):
        aws.client("sagemaker").stop_transform_job(TransformJobName=job)


def _begun(aws: Accounts, job: str) -> bool:
    """Whether its log is there."""
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/sagemaker/TransformJobs")["logGroups"]
    return bool(groups)


@pytest.mark.laptop("AWS takes no machine away when a test wants it to")
def test_a_host_that_is_gone_is_an_internal_error(aws: Aws, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    stored(aws, job, a__csv="1\n", b__csv="hang")
    aws.client("sagemaker").create_transform_job(**request(job, model, **ON_TWO))
    running = jobs.find(ACCOUNT, REGION, "transform", job)
    assert isinstance(running, Transform)
    until(lambda: _begun(aws, job) and "hanging" in logged(aws, job))
    assert running.take("algo-2")
    outcome = ended(aws, "transform", job)

    assert outcome["FailureReason"] == "InternalServerError: We encountered an internal error. Please try again."
    assert outputs(aws, job) == {}
    assert not running.take("algo-1")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"MaxPayloadInMB": 101}, "MaxPayloadInMB cannot be greater than 100 MB, and is 101"),
    ({"MaxPayloadInMB": 0}, r"localcloud cannot honour MaxPayloadInMB 0 \(chunked encoding\)"),
    ({"MaxPayloadInMB": 51, "MaxConcurrentTransforms": 2}, r"MaxConcurrentTransforms \* MaxPayloadInMB cannot exceed 100 MB, and 2 \* 51"),
    ({"MaxConcurrentTransforms": 17}, r"cannot exceed 100 MB, and 17 \* 6"),
    ({"BatchStrategy": "MultiRecord", "source": {"SplitType": "None"}}, "BatchStrategy MultiRecord needs a SplitType"),
    ({"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 101}}, "InstanceCount cannot be greater than 100"),
    ({"source": {"SplitType": "RecordIO"}}, "cannot honour SplitType RecordIO of CreateTransformJob: accepted is None or Line"),
    (
        {"source": {"DataSource": {"S3DataSource": {"S3DataType": "AugmentedManifestFile", "S3Uri": "s3://b/k"}}}},
        "cannot honour S3DataType AugmentedManifestFile",
    ),
    ({"target": {"S3OutputPath": "https://b/k"}}, "https://b/k is not an S3 URI"),
    ({"DataCaptureConfig": {"DestinationS3Uri": "s3://b/k"}}, "cannot honour DataCaptureConfig of CreateTransformJob"),
    ({"DataProcessing": {"InputFilter": "$..x"}}, r"cannot honour InputFilter \$\.\.x: accepted is"),
    ({"DataProcessing": {"OutputFilter": "$[?(@.x)]"}}, "cannot honour OutputFilter"),
    ({"DataProcessing": {"JoinSource": "Input"}, "source": {"ContentType": "image/png"}}, "the ContentType is image/png"),
    ({"DataProcessing": {"JoinSource": "Input"}, "target": {"Accept": "application/json"}}, "are both CSV or both JSON"),
    ({"DataProcessing": {"JoinSource": "Input"}, "target": {"AssembleWith": "None"}}, "also assembled with Line"),
    ({"ModelName": "nobody"}, 'Could not find model "arn:aws:sagemaker:.*:model/nobody"'),
]


@WORDS
@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_made(
    aws: Accounts, image: str, name: Name, changes: dict[str, Any], said: str
) -> None:
    model = modelled(aws, image, name("m"))
    with pytest.raises(ClientError, match=f"ValidationException.*{said}"):
        aws.client("sagemaker").create_transform_job(**request(name("t"), model, **changes))
    assert aws.client("sagemaker").list_transform_jobs(NameContains=name("t"))["TransformJobSummaries"] == []


@JOBS
def test_outputs_are_encrypted_with_the_key_that_is_named(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    stored(aws, job, a__csv="1\n")
    transformed(aws, job, model, target={"KmsKeyId": key})

    head = aws.client("s3").head_object(Bucket=LAB, Key=f"batches/{job}/out/a.csv.out")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


@pytest.mark.aws("IAM: each stage, job and endpoint calls with its deployed role's credentials")
def test_the_role_of_the_model_lists_reads_and_writes(cloud: Accounts, name: Name) -> None:
    """And nobody else's: it may do no more than a job needs, and what it may not do fails the job."""
    cloud.prepare()
    cloud.client("ecr").create_repository(repositoryName=name("r"))
    image = cloud.image(name("r"))
    folder, batches = f"arn:aws:s3:::{LAB}", f"arn:aws:s3:::{LAB}/batches/*"
    needed = {"none": "", "list": "s3:ListBucket", "get": "s3:GetObject", "put": "s3:PutObject"}
    ends = {}
    for key, lacking in needed.items():
        pull = {"Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetAuthorizationToken"], "Resource": "*"}
        load = {"Action": "s3:GetObject", "Resource": f"{folder}/models/*"}
        files = [{"Action": a, "Resource": folder if a == "s3:ListBucket" else batches} for a in needed.values() if a and a != lacking]
        role = cloud.role(name(f"role-{key}"), trusts={"Service": "sagemaker.amazonaws.com"}, allows=[pull, load, *files])
        stored(cloud, name(key), a__csv="1\n")
        ends[key] = transformed(cloud, name(key), modelled(cloud, image, name(f"m-{key}"), role=role))

    assert {key: end["TransformJobStatus"] for key, end in ends.items()} == {**dict.fromkeys(needed, "Failed"), "none": "Completed"}
    assert {end["FailureReason"].partition(":")[0] for key, end in ends.items() if key != "none"} == {"ClientError"}
    assert [outputs(cloud, name(key)) for key in needed] == [{"a.csv.out": "1\n"}, {}, {}, {}]


@JOBS
def test_a_name_is_used_once(aws: Accounts, image: str, name: Name) -> None:
    model, job = modelled(aws, image, name("m")), name("t")
    transformed(aws, job, model)
    with pytest.raises(ClientError, match="ResourceInUse"):
        aws.client("sagemaker").create_transform_job(**request(job, model))


@pytest.mark.laptop("an account's quotas cannot be lowered for a test")
def test_transform_jobs_have_a_quota_of_their_own(aws: Aws, image: str, name: Name) -> None:
    model = modelled(aws, image, name("m"))
    aws.cloud.quotas["ml.m5.large for transform job usage"] = 1 + jobs.machines(ACCOUNT, REGION, quotas.TRANSFORM)["ml.m5.large"]
    with pytest.raises(ClientError, match=r"ResourceLimitExceeded.*ml\.m5\.large for transform job usage.*request delta of 2"):
        aws.client("sagemaker").create_transform_job(**request(name("t"), model, **ON_TWO))
    aws.cloud.quotas = dict(PLENTY)
