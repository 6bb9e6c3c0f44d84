"""The stand-in for docker builds what a Dockerfile says, deterministically, and refuses what it does not understand."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from localcloud.ecr import images
from localcloud.testing import ACCOUNT, REGION, REPOSITORY
from localcloud.testing.in_process import Aws

pytestmark = pytest.mark.laptop("localcloud's own stand-in for docker")

HEAD = "FROM python:3.11-slim\nWORKDIR /opt/app\n"
TAIL = 'ENTRYPOINT ["python", "-m", "program"]\n'


def context(folder: Path, dockerfile: str, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"Dockerfile": dockerfile, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def built(aws: Aws, folder: Path, *options: str) -> str:
    """The image's id."""
    done = aws.docker("build", "-t", "t:1", *options, str(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def rootfs(aws: Aws, identity: str) -> Path:
    return aws.cloud.folder("images") / "images" / identity.removeprefix("sha256:") / "rootfs"


def wheel(folder: Path, name: str) -> None:
    """A package with one module of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "ANSWER = 42\n")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")


def test_the_same_context_gives_the_same_id_and_another_file_another(aws: Aws, tmp_path: Path) -> None:
    text = HEAD + "COPY . .\n" + TAIL
    first = built(aws, context(tmp_path / "one", text, **{"a.py": "1"}))
    same = built(aws, context(tmp_path / "two", text, **{"a.py": "1"}))
    other = built(aws, context(tmp_path / "two", text, **{"a.py": "2"}))

    assert re.fullmatch(r"sha256:[0-9a-f]{64}", first)
    assert first == same != other


def test_files_are_copied_as_docker_does_and_ignored_ones_are_not(aws: Aws, tmp_path: Path) -> None:
    text = HEAD + "COPY src lib\nCOPY a.txt b.txt many/\nCOPY a.txt renamed.txt\nCOPY --link *.txt .\n" + TAIL
    ignore = "**\n!src/**\n!*.txt\n**/tests\nc.txt\n"
    files = {"src/m.py": "", "src/deep/n.py": "", "src/tests/t.py": "", "a.txt": "", "b.txt": "", "c.txt": "", ".dockerignore": ignore}
    app = rootfs(aws, built(aws, context(tmp_path, text, **files))) / "opt/app"

    assert {str(f.relative_to(app)) for f in app.rglob("*") if f.is_file()} == {
        *("lib/m.py", "lib/deep/n.py", "many/a.txt", "many/b.txt", "renamed.txt", "a.txt", "b.txt"),
    }


def test_run_installs_into_an_environment_of_the_images_own(aws: Aws, tmp_path: Path) -> None:
    wheel(tmp_path, "answering")
    run = "RUN pip install --no-cache-dir --no-index answering-1.0-py3-none-any.whl \\\n && python -c 'import answering'\n"
    text = HEAD + "COPY *.whl .\n" + run + "COPY late.txt .\n" + TAIL
    first = aws.docker("build", "-t", "t:1", str(context(tmp_path, text, **{"late.txt": "1"})))
    second = aws.docker("build", "-t", "t:1", str(context(tmp_path, text, **{"late.txt": "2"})))

    assert first.returncode == second.returncode == 0, first.stderr
    assert ("CACHED" in first.stderr, "CACHED" in second.stderr) == (False, True)
    missing = aws.docker("build", "-t", "t:1", str(context(tmp_path / "b", HEAD + "RUN python -c 'import answering'\n" + TAIL)))
    assert missing.returncode == 1
    assert "No module named 'answering'" in missing.stderr
    assert missing.stderr.splitlines()[-1].startswith("docker: Dockerfile line 3: RUN python -c 'import answering': exit code 1")


def test_wheels_are_found_where_pip_looks_beside_its_index(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels, "answering")
    text = HEAD + "RUN pip install --no-cache-dir --no-index answering==1.0 && python -c 'import answering'\n" + TAIL
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} {wheels}")
    done = aws.docker("build", "-t", "t:1", str(context(tmp_path / "context", text)))

    assert done.returncode == 0, done.stderr


def test_compiling_what_was_copied_makes_no_environment_anew(aws: Aws, tmp_path: Path) -> None:
    text = HEAD + "RUN pip --help > help.txt\nCOPY program.py .\nRUN python -m compileall -q .\n" + TAIL
    made = [aws.docker("build", "-t", "t:1", str(context(tmp_path, text, **{"program.py": program}))) for program in ("1", "2")]
    one, other = (rootfs(aws, done.stdout.strip()) for done in made)

    assert one != other
    assert ["CACHED" in done.stderr for done in made] == [False, True]
    assert [len(list((files / "opt/app/__pycache__").iterdir())) for files in (one, other)] == [1, 1]


@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [
        (HEAD + "VOLUME /data\n", "Dockerfile line 3: unknown instruction VOLUME"),
        ("FROM ubuntu:24.04\n", "FROM ubuntu:24.04: the stand-in makes images from one python image only"),
        (HEAD + "ENTRYPOINT python -m program\n", "the exec form is needed"),
        (HEAD + "COPY nothing.txt .\n", "COPY nothing.txt: not found in the context"),
        (HEAD + "COPY --from=builder /x /y\n", "COPY --from=builder is not understood"),
        (HEAD + "RUN rm -rf /var/lib\n", "RUN touches /var/lib, which is outside the image's WORKDIR /opt/app"),
        ("ARG BASE\nFROM ${BASE}\n", "FROM ${BASE}: it has no value: --build-arg"),
        (HEAD + "RUN apt-get update\n", "no operating system to change: apt-get"),
        ("WORKDIR /opt\n", "has no FROM"),
    ],
)
def test_what_it_does_not_understand_is_named(aws: Aws, tmp_path: Path, dockerfile: str, said: str) -> None:
    done = aws.docker("build", "-t", "t:1", str(context(tmp_path, dockerfile)))

    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run", "t:1"], "invalid choice: 'run'"),
        (["build", "--squash", "-t", "t", "."], "--squash"),
        (["build", "--platform", "linux/arm64", "-t", "t", "."], "linux/arm64"),
        (["build", "--build-arg", "NOPE=1", "-t", "t", "CONTEXT"], "--build-arg NOPE is not an ARG"),
        (["build", "--secret", "id=A,env=NOT_SET", "-t", "t", "CONTEXT"], "id=A,env=NOT_SET: expected id=NAME,env=VARIABLE"),
        (["build", "--label", "nope", "-t", "t", "CONTEXT"], "--label nope: expected NAME=value"),
        (["pull", "ubuntu:24.04"], "stands in for images of Python only"),
        (["image", "inspect", "--format", "{{.Size}}", "python:3.11"], "{{.Size}}"),
        (["push", "library/x:1"], "does not name an ECR image"),
        (["push", f"{REPOSITORY}:never"], "no image is tagged"),
    ],
)
def test_commands_it_does_not_know_are_named(aws: Aws, tmp_path: Path, argv: list[str], said: str) -> None:
    folder = str(context(tmp_path, HEAD + TAIL))
    failed = aws.docker(*(folder if a == "CONTEXT" else a for a in argv))

    assert failed.returncode == 1
    assert failed.stderr.startswith("docker: ")
    assert said in failed.stderr


def test_a_base_is_known_by_the_interpreter_that_stands_in_for_it(aws: Aws, tmp_path: Path) -> None:
    base = "mirror.acme.test/docker/library/python:3.11-slim"
    assert aws.docker("pull", "--quiet", "--platform", "linux/amd64", base).returncode == 0
    known = aws.docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", base).stdout.strip()
    text = "ARG BASE\nFROM ${BASE}\n" + TAIL
    own, other = (
        aws.docker("build", "-t", "t:1", "--build-arg", f"BASE={base}@{digest}", str(context(tmp_path, text)))
        for digest in (known.partition("@")[2], f"sha256:{'a' * 64}")
    )

    assert re.fullmatch(rf"{base.rpartition(':')[0]}@sha256:[0-9a-f]{{64}}", known)
    assert (own.returncode, other.returncode) == (0, 0)
    assert "stands in" not in own.stderr
    assert re.search(rf"FROM {base}@sha256:a+: \S+python\S* stands in for it", other.stderr)


def test_an_image_that_was_pushed_says_its_labels_to_whom_ecr_lets_have_it(aws: Aws, tmp_path: Path) -> None:
    aws.client("ecr").create_repository(repositoryName="team/labelled")
    repository = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/labelled"
    labels = ["--label", "revision=c0ffee", "--label", "when=a=b"]
    assert aws.docker("build", "-t", f"{repository}:1", *labels, str(context(tmp_path, HEAD + "LABEL who=me\n" + TAIL))).returncode == 0
    digest = aws.docker("push", f"{repository}:1").stdout.split("digest: ")[1].split()[0]
    assert aws.docker("pull", f"{repository}@{digest}").returncode == 0
    said = aws.docker("image", "inspect", "--format", "{{json .Config.Labels}}", f"{repository}@{digest}")

    assert json.loads(said.stdout) == {"who": "me", "revision": "c0ffee", "when": "a=b"}
    missing = aws.docker("pull", f"{repository}@sha256:{'0' * 64}")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)


def test_login_and_version(aws: Aws) -> None:
    host = REPOSITORY.partition("/")[0]
    assert aws.docker("login", "--username", "AWS", "--password-stdin", host, stdin="secret").returncode == 0
    assert aws.docker("login", "--username", "AWS", "--password-stdin", host).returncode == 1
    assert "stand-in" in aws.docker("--version").stdout


def test_push_registers_the_digest_and_a_tag_cannot_move(aws: Aws, tmp_path: Path) -> None:
    aws.client("ecr").create_repository(repositoryName="team/fixed", imageTagMutability="IMMUTABLE")
    tag = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/fixed:v1"
    options = ["--platform", "linux/amd64", "--provenance=false", "--output", "type=docker", "--build-arg", "WHO=me"]
    text = "ARG WHO=you\n" + HEAD + "ENV WHO=${WHO}\nCOPY a.py .\n" + TAIL
    assert aws.docker("build", "-t", tag, *options, str(context(tmp_path, text, **{"a.py": "1"}))).returncode == 0
    pushed = aws.docker("push", tag)
    (detail,) = aws.client("ecr").describe_images(repositoryName="team/fixed")["imageDetails"]
    image = images.find(f"{tag.removesuffix(':v1')}@{detail['imageDigest']}", role_arn=aws.worker())

    assert isinstance(image, images.Image)
    assert detail["imageDigest"] in pushed.stdout
    assert image.env == {"WHO": "me"}
    assert (image.rootfs / "opt/app/a.py").read_text() == "1"
    assert aws.docker("build", "-t", tag, str(context(tmp_path, text, **{"a.py": "2"}))).returncode == 0
    moved = aws.docker("push", tag)
    assert moved.returncode == 1
    assert "ImageAlreadyExistsException" in moved.stderr
