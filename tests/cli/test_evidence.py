"""The pack of a version: found, brought here, compared with what it binds; and every way in which there is none, or a wrong one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from rich.console import Console

from cli import evidence
from cli.evidence import Pack
from cli.problem import Problem
from config import CONFIG
from pipelines.evidence import document, pack, page
from tests.cli.conftest import Road
from tests.pipelines.evidence import sample
from tests.pipelines.evidence.world import World


@dataclass
class Aws:
    """The account of a candidate, as a command sees it."""

    world: World

    def client(self, service: str) -> Any:
        make: Any = boto3.client
        return make(service, endpoint_url=self.world.s3.meta.endpoint_url)

    @property
    def model(self) -> str:
        """The model whose names lead to this candidate."""
        return pack.group_and_version(self.world.arn)[0].removeprefix(f"{CONFIG.project}-")

    def announce(self) -> None:
        """Write the workshop's facts."""
        for key, value in (("artifacts-bucket", self.world.artifacts.removeprefix("s3://")), ("evidence-key", self.world.signer.key)):
            self.client("ssm").put_parameter(Name=CONFIG.parameter(self.model, key), Value=value, Type="String", Overwrite=True)

    def read(self, version: int | None = None) -> Pack:
        return evidence.read(self, self.model, version)  # type: ignore[arg-type]

    def wrong(self) -> set[str]:
        """What the pack binds and does not match."""
        return {one.what for one in evidence.check(self, self.model, self.read()) if not one.matches}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def aws(approved: World) -> Aws:
    """An approved candidate. Shared: put back what you change."""
    made = Aws(approved)
    made.announce()
    return made


def drawn(found: Pack) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(evidence.table(evidence.summary(found.evidence)))
    return captured.get()


def test_the_newest_pack_is_brought_here_whole(aws: Aws, tmp_path: Path) -> None:
    (tmp_path / "evidence.html").write_text("of another version")
    (tmp_path / "note.txt").write_text("mine")

    found, folder = evidence.bring(aws, aws.model, out=tmp_path)  # type: ignore[arg-type]

    assert {file.name for file in folder.iterdir()} == {*pack.FILES, "note.txt"}
    assert (folder / pack.EVIDENCE).read_bytes() == document.canonical(found.evidence)
    assert "Approved for production" in (folder / pack.PAGE).read_text()
    assert found.version == "1"
    assert found == aws.read(1)


def test_a_person_reads_who_what_and_how_good(aws: Aws) -> None:
    text = drawn(aws.read())

    for fact in (aws.world.arn, sample.COMMIT, "dana@example.com", "38 passed, 0 failed, 5 reported", "0.8093", "better on every slice"):
        assert fact in text
    assert "version 6; ROC AUC +0.0081, from -0.0021 to +0.0181" in text


def test_a_failed_verdict_is_told_with_its_number() -> None:
    evaluation = sample.content()["evaluation"]
    evaluation["gates"][1] |= {"passed": False, "found": 0.61, "advice": "train a better one"}
    changed = Pack(folder="", files={}, evidence=sample.evidence(evaluation=evaluation))

    assert "floor: ROC AUC: found 0.61, accepted is >= 0.75: train a better one" in drawn(changed)


def test_characters_that_deceive_a_terminal_are_spelt_out() -> None:
    commit = {**sample.content()["commit"], "author": "eve\x1b[2K\u202e"}
    assert "eve⟨U+001B⟩[2K⟨U+202E⟩" in drawn(Pack(folder="", files={}, evidence=sample.evidence(commit=commit)))


def test_everything_matches_when_nobody_has_touched_it(aws: Aws) -> None:
    compared = {one.what for one in evidence.check(aws, aws.model, aws.read())}  # type: ignore[arg-type]

    assert aws.wrong() == set()
    assert compared >= {
        "signature",
        "commit",
        "data",
        "image",
        "pipeline definition",
        "bill of materials",
        "model artifact",
        "report",
        "approval",
    }


def test_before_the_decision_there_is_no_approval_to_compare(staged: World) -> None:
    staged.prove()
    aws = Aws(staged)
    aws.announce()

    assert aws.wrong() == set()
    assert "approval" not in {one.what for one in evidence.check(aws, aws.model, aws.read())}  # type: ignore[arg-type]


def test_what_was_changed_is_named(aws: Aws) -> None:
    world = aws.world
    better = document.canonical(world.evidence.model_copy(update={"purpose": "something else"}))
    report = pack.beside(world.uri, pack.REPORT)

    with world.holding(world.uri, better):
        assert aws.wrong() >= {"signature"}
    with world.holding(report, b'{"version": 1}'):
        assert aws.wrong() == {"report"}
    with world.holding(report, None):
        assert aws.wrong() == {"report"}
    with world.holding(world.evidence.artifact.uri, b"another model"):
        assert "model artifact" in aws.wrong()
    assert aws.wrong() == set()


def test_a_page_is_opened_only_when_it_follows_from_signed_evidence(aws: Aws) -> None:
    found = aws.read()

    def genuine(name: str, content: bytes, **changes: Any) -> bool:
        changed = Pack(folder="", files={**found.files, name: content}, evidence=found.evidence.model_copy(update=changes))
        return evidence.page_is_genuine(aws, aws.model, changed)  # type: ignore[arg-type]

    assert genuine(pack.PAGE, found.files[pack.PAGE])
    assert not genuine(pack.PAGE, found.files[pack.PAGE].replace(b"0.8093", b"0.9999"))
    assert not genuine(pack.EVIDENCE, found.files[pack.EVIDENCE].replace(b"0.809346", b"0.999999"))
    assert not genuine(pack.SIGNATURE, b"")
    assert not genuine(pack.PAGE, found.files[pack.PAGE], report=found.evidence.artifact)


def test_evidence_that_is_no_evidence_is_refused_by_the_fields_name(aws: Aws) -> None:
    with aws.world.holding(aws.world.uri, b'{"version": 1, "surprise": true}'), pytest.raises(Problem, match="surprise"):
        aws.read()


def test_another_versions_evidence_in_its_place_is_refused(aws: Aws, approved: World) -> None:
    stranger = document.canonical(approved.evidence.model_copy(update={"model_package_arn": f"{sample.ARN}/1"}))
    with aws.world.holding(aws.world.uri, stranger), pytest.raises(Problem, match=f"it holds the evidence of {sample.ARN}/1"):
        aws.read()


def test_versions_are_counted_not_spelt(aws: Aws) -> None:
    home = aws.world.uri.rpartition("/")[0].rpartition("/")[0]
    for version in (9, 10):
        pack.write(aws.world.s3, f"{home}/{version}/{pack.EVIDENCE}", b"{}")

    with pytest.raises(Problem, match=f"{home}/10: evidence.json: "):
        aws.read()
    with pytest.raises(Problem, match="version 3: there is none: there is evidence of version 1, 9, 10: name one: --version N"):
        aws.read(3)
    bucket, _, prefix = home.removeprefix("s3://").partition("/")
    for version in (9, 10):
        aws.world.s3.delete_object(Bucket=bucket, Key=f"{prefix}/{version}/{pack.EVIDENCE}")


def test_no_pack_and_no_workshop_are_told_apart(staged: World) -> None:
    aws = Aws(staged)
    with pytest.raises(Problem, match="/artifacts-bucket: there is none: the model's workshop is not deployed"):
        aws.read()
    aws.announce()
    with pytest.raises(Problem, match=f"evidence of {aws.model}: there is none yet: a version gets it in the first environment"):
        aws.read()


@pytest.fixture(scope="module")
def account(evidence_server: str) -> dict[str, str]:
    """The toolchain's account of config.py, with a pack whose model package nobody has registered; the environment that leads there."""
    make: Any = boto3.client
    role = {"RoleArn": f"arn:aws:iam::{CONFIG.toolchain.id}:role/administrator", "RoleSessionName": "test"}
    given = make("sts", endpoint_url=evidence_server).assume_role(**role)["Credentials"]
    keys = [given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]]
    s3, ssm, kms = (make(service, CONFIG.toolchain.region, None, True, None, evidence_server, *keys) for service in ("s3", "ssm", "kms"))
    bucket = sample.ARTIFACTS.removeprefix("s3://")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": CONFIG.toolchain.region})
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    for key, value in (("artifacts-bucket", bucket), ("evidence-key", signing)):
        ssm.put_parameter(Name=CONFIG.parameter("lead_scoring", key), Value=value, Type="String")
    found, report = sample.approved(), sample.report()
    uri = pack.evidence_uri(sample.ARTIFACTS, found.model_package_arn)
    pack.write(s3, uri, document.canonical(found))
    pack.write(s3, pack.beside(uri, pack.REPORT), json.dumps(report).encode())
    pack.write(s3, pack.beside(uri, pack.PAGE), page.render(found, report).encode())
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return {"AWS_ENDPOINT_URL": evidence_server, **dict(zip(names, keys, strict=True))}


def test_the_command_prints_facts_and_writes_files(road: Road, account: dict[str, str], tmp_path: Path) -> None:
    human = road("evidence", "lead_scoring", "--out", str(tmp_path / "pack"), **account)
    machine = road("evidence", "lead_scoring", "--version", "7", "--json", "--out", str(tmp_path / "pack"), **account)

    assert (human.returncode, machine.returncode) == (0, 0), human.stderr + machine.stderr
    assert "38 passed, 0 failed, 5 reported, not judged" in human.stdout
    assert str(tmp_path / "pack/evidence.html") in human.stdout
    told = json.loads(machine.stdout)
    assert (told["folder"], told["model"], told["checks"]) == (str(tmp_path / "pack"), "lead_scoring", [])
    assert {file.name for file in (tmp_path / "pack").iterdir()} == {"evidence.json", "evidence.html", "report.json"}


def test_the_command_fails_with_one_line(road: Road, account: dict[str, str], tmp_path: Path) -> None:
    for arguments, said in (
        (
            ["--version", "8"],
            "road: evidence of lead_scoring version 8: there is none: there is evidence of version 7: name one: --version N",
        ),
        (["--verify"], "road: DescribeModelPackage was refused: ValidationException: "),
    ):
        done = road("evidence", "lead_scoring", "--out", str(tmp_path), *arguments, **account)
        (line,) = (line for line in done.stderr.splitlines() if not line.startswith("target: "))

        assert done.returncode == 1
        assert line.startswith(said)
