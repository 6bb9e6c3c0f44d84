"""`road init`: what is asked for is what config.py says, everything that follows from it follows, and a wrong answer changes nothing."""

from __future__ import annotations

import ast
import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.configuration import TEAM
from config import Account, Config, Environment, Repository
from paved_runtime import spec
from tests.reference import CONFIG, MODEL
from tests.support.road import Road, each, environment, road_in
from tests.support.tree import reference_tree

HOME, REGION = CONFIG.toolchain, "eu-north-1"
OWN = Config(
    project="own-project",
    toolchain=Account(id="400000000001", region=REGION),
    environments=(
        Environment(name="dev", account=Account(id="400000000002", region=REGION), approved_only=False),
        Environment(name="test", account=Account(id="400000000002", region=REGION), approved_only=False),
        Environment(name="live", account=Account(id="400000000003", region=REGION), approved_only=True),
    ),
    repository=Repository(id="own-group/team/models", branch="trunk", provider="GitLab"),
    owners=("first@own.test", "second@own.test"),
    qualifier="own1",
)
TYPED = [f"{e.name}={e.account.id}{':approved' if e.approved_only else ''}" for e in OWN.environments]
FLAGS = {
    "project": OWN.project,
    "region": REGION,
    "toolchain": OWN.toolchain.id,
    "repository": OWN.repository.id,
    "branch": OWN.repository.branch,
    "provider": OWN.repository.provider,
    "qualifier": OWN.qualifier,
}
FILE = "\n".join([*(f'{key} = "{value}"' for key, value in FLAGS.items()), f"environments = {TYPED}", f"owners = {list(OWN.owners)}"])
FOLLOWING = ("config.py", "CODEOWNERS", f"model_code/{MODEL}/model.toml")
REFUSALS: list[tuple[list[str], str]] = [
    (["--project", "Own"], "project: found 'Own'; accepted are lower-case letters and digits in words joined by hyphens"),
    (["--project", "o" * 40], "characters; accepted are 32"),
    (["--toolchain", "123"], "toolchain: found account '123'; accepted are 12 digits"),
    (["--region", "eu-nord-1"], "found region 'eu-nord-1'; accepted is one that has SageMaker, such as eu-west-1"),
    (["--environment", "dev"], "environment 'dev': accepted is NAME=ACCOUNT, with /REGION and :approved where wanted: write it so"),
    (["--environment", "dev=400000000002:aproved"], "accepted is NAME=ACCOUNT, with /REGION and :approved where wanted"),
    (
        ["--environment", f"dev=400000000002/{REGION}"],
        f"found region {REGION!r}; accepted is that of the images: {CONFIG.toolchain.region!r}",
    ),
    (["--environment", "dev=400000000002:approved"], "found approved_only=True in the first environment"),
    (["--environment", "train=400000000002"], "environment 'train': the name is taken"),
    (["--environment", "dev=400000000002", "--environment", "DEV=400000000003"], "environment 'DEV': the name is taken"),
    ([word for number in range(4) for word in ("--environment", f"e{number}=400000000002")], "environments: found 4; accepted are 1 to 3"),
    (["--repository", "models"], "repository: found 'models'; accepted is owner/name"),
    (["--branch", "my branch"], "branch: found 'my branch'; accepted is a branch's name"),
    (["--provider", "Gitea"], "provider: found 'Gitea'; accepted are Bitbucket, GitHub"),
    (["--provider", "GitHubEnterpriseServer"], "host: found ''; accepted is the ARN of the GitHubEnterpriseServer's host"),
    (["--url", "https://git.own.test"], "url: found 'https://git.own.test' with GitHub; accepted is one with GitHubEnterpriseServer, "),
    (["--owner", "jo"], "owners: found 'jo'; accepted is a mail address"),
    (["--owner", "jo\udcff@own.test"], r"owners: found 'jo\udcff@own.test'; accepted is a mail address"),
    (["--qualifier", "own-1"], "qualifier: found 'own-1'; accepted are up to 10 lower-case letters and digits"),
    (["--file", "none.toml"], "none.toml: there is no such file: name a TOML file"),
]
FILES = {
    "project = own": "not valid TOML: ",
    'projet = "own"': "found the key 'projet'; accepted are project, region, toolchain, environments,",
    "project = 1": "project: expected a text, found 1: correct it",
    'owners = "jo@own.test"': "owners: expected texts in a list, found 'jo@own.test': correct it",
    "environments = []": "environments: found 0; accepted are 1 to 3",
    "owners = []": "owners: found none; accepted is at least one mail address",
}


@pytest.fixture
def own_tree(tmp_path: Path) -> Path:
    """A tree that a test may configure, with the template's teams."""
    tree = reference_tree(tmp_path / "own")
    (tree / "CODEOWNERS").write_text(f"* {TEAM}ml-platform\n/model_code/ {TEAM}data-science\n")
    return tree


@pytest.fixture
def own_road(own_tree: Path, tmp_path: Path) -> Road:
    """Commands that are typed in it."""
    return road_in(own_tree, tmp_path / "cloud")


def configured(tree: Path) -> Config:
    """What a tree's config.py says."""
    statement = ast.parse((tree / "config.py").read_text()).body[-1]
    assert isinstance(statement, ast.Assign)
    known = {kind.__name__: kind for kind in (Account, Config, Environment, Repository)}
    config = eval(compile(ast.Expression(statement.value), "config.py", "eval"), known)  # noqa: S307 - it was just written
    assert isinstance(config, Config)
    return config


def contents(tree: Path) -> dict[str, bytes]:
    return {name: (tree / name).read_bytes() for name in FOLLOWING}


def test_what_flags_say_is_written_and_what_follows_follows(own_tree: Path, own_road: Road) -> None:
    flags = [*(f"--{key}={value}" for key, value in FLAGS.items()), *(f"--environment={text}" for text in TYPED)]

    done = own_road("init", *flags, *(f"--owner={owner}" for owner in OWN.owners))
    assert (done.returncode, done.stderr) == (0, "")

    assert configured(own_tree) == OWN
    formatted = subprocess.run(["ruff", "format", "--check", "config.py"], cwd=own_tree, capture_output=True, text=True)
    assert formatted.returncode == 0, formatted.stdout
    serving = spec.load(MODEL, own_tree / "model_code").serving
    assert [(name, table.instances) for name, table in serving.items()] == [("dev", 1), ("test", 1), ("live", 2)]
    assert f"serving tables of {MODEL} follow the environments" in done.stdout
    owners = (own_tree / "CODEOWNERS").read_text()
    assert "@own-group/ml-platform" in owners
    assert TEAM not in owners
    assert "CODEOWNERS asks @own-group/data-science, @own-group/ml-platform: make these teams, or name others" in done.stdout
    before = contents(own_tree)

    again = json.loads(own_road("init", "--json").stdout)

    assert contents(own_tree) == before
    assert (again["project"], again["placeholders"], again["models"], again["teams"]) == (OWN.project, [], [], [])


def test_a_file_says_the_same_from_wherever_it_is_named(own_tree: Path, own_road: Road, tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text(FILE)

    done = own_road("init", "--file", "answers.toml", "--owner", "ops@example.org", ROAD_CWD=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert configured(own_tree) == Config(**{**vars(OWN), "owners": ("ops@example.org",)})
    assert done.stderr == "placeholders are left, which localcloud takes and AWS does not: owner ops@example.org\n"


def test_a_wrong_answer_is_one_line_and_changes_nothing(own_tree: Path, tmp_path: Path) -> None:
    before, wrong = contents(own_tree), list(REFUSALS)
    for number, (text, sentence) in enumerate(FILES.items()):
        (tmp_path / f"{number}.toml").write_text(text)
        wrong.append((["--file", str(tmp_path / f"{number}.toml")], sentence))

    for done, (arguments, sentence) in zip(each(own_tree, tmp_path / "cloud", [["init", *a] for a, _ in wrong]), wrong, strict=True):
        assert (done.code, done.out) == (2, ""), arguments
        assert done.err.startswith("road: "), arguments
        assert done.err.count("\n") == 1, arguments
        assert sentence in done.err, arguments
    assert contents(own_tree) == before


def test_a_person_is_asked_and_asked_again_until_it_is_right(own_tree: Path, tmp_path: Path) -> None:
    """What was right is offered again, so that Enter takes it."""
    answers = [
        OWN.project,
        REGION,
        OWN.toolchain.id,
        ", ".join(TYPED),
        OWN.repository.id,
        "trunk",
        "GitLab",
        *["", ""],
        ", ".join(OWN.owners),
        "own-1",
    ]
    said = at_terminal(own_tree, tmp_path / "cloud", [*answers, *[""] * 10, "own1"])

    assert "qualifier: found 'own-1'; accepted are up to 10 lower-case letters and digits" in said
    assert configured(own_tree) == OWN


def at_terminal(tree: Path, cloud: Path, answers: Sequence[str]) -> str:
    """Run `road init` on a terminal, and type; what is seen there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "init"], cwd=tree, env=environment(tree, cloud), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        seen = b""
        try:
            while part := os.read(ours, 4096):
                seen += part
        except OSError:  # how Linux says that nobody is left at the other end
            pass
        os.close(ours)
        assert process.wait() == 0, seen.decode()
    return " ".join(seen.decode().split())
