"""The statement in config.py: whatever is asked for is judged in words, and what is accepted is written and read as the same thing."""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from cli import configuration
from cli.problem import Problem
from config import AcceptedVulnerability, Account, Budget, Builds, Config, Environment, Images, ManagedNetwork, Repository
from stacks import layout
from tests.reference import CONFIG, ROOT
from tests.support.networks import EXISTING, MANAGED, PRIVATE

HOME = CONFIG.toolchain
FIRST, LAST = CONFIG.environments
TEMPLATE = Config(
    project="first-road",
    toolchain=Account(id="999999999999", region="eu-west-1"),
    environments=(Environment(name="test", account=Account(id="222222222222", region="eu-west-1"), approved_only=False),),
    repository=Repository(id="example/models", branch="main"),
    owners=("a@example.com", "b@mail.example.org", "c@firm.example", "d@firm.com"),
)

NAMED = ManagedNetwork(cidr="10.9.0.0/22", endpoint_services=("com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d4e5f60001",))
ANYTHING = st.text(st.characters(), max_size=12) | st.sampled_from(["eu-west-1", "100000000001", "owner/name", "main", "a@b.c", "٣" * 12])
PRINTED = st.characters(exclude_categories=("C", "Z"))
OWNERS = st.from_regex(r"[^@]{1,70}@[^@.]{1,70}\.[a-z]+", fullmatch=True, alphabet=PRINTED)
BRANCHES = st.from_regex(r"[^~^:?*\[\\]{1,30}", fullmatch=True, alphabet=PRINTED)
NAMES = st.from_regex(r"[A-Za-z0-9]{1,6}(-[A-Za-z0-9]{1,4})?", fullmatch=True)
REGIONS = st.sampled_from(["eu-west-1", "us-east-1", "ap-southeast-2"])
PROVIDERS = st.sampled_from(list(layout.SOURCES))
LISTED = "Bitbucket, GitHub, GitHubEnterpriseServer, GitLab, GitLabSelfManaged"
HOST = "arn:aws:codeconnections:eu-west-1:100000000001:host/server/0123abcd"
NUMBERS = st.from_regex(r"[0-9]{12}", fullmatch=True)


@st.composite
def repositories(draw: st.DrawFn) -> Repository:
    """Somewhere, or on a server of one's own."""
    provider = draw(PROVIDERS)
    own = {"host": HOST, "url": draw(st.sampled_from(["", "https://git.acme.test"]))} if provider in layout.SELF_MANAGED else {}
    ids = st.from_regex(r"[A-Za-z0-9._-]{1,60}(/[A-Za-z0-9._-]{1,60}){1,2}", fullmatch=True)
    return Repository(id=draw(ids), branch=draw(BRANCHES), provider=provider, **own)


BUDGETS = st.none() | st.builds(Budget, monthly_dollars=st.floats(0.01, 1e9))
TAGS = st.from_regex(r"[a-z]{1,9}( [A-Zé_.:/=+@-]{1,9})?", fullmatch=True).filter(lambda text: not text.startswith("aws"))
POLICIES = st.from_regex(r"([a-z]{1,5}/)?[A-Za-z0-9_+=,.@-]{1,20}", fullmatch=True)


@st.composite
def plausible(draw: st.DrawFn) -> Config:
    """Most of these are accepted."""
    region = draw(REGIONS)
    accounts = st.builds(
        Account, id=NUMBERS, region=st.just(region), network=st.sampled_from([None, EXISTING, MANAGED, NAMED]), budget=BUDGETS
    )
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique_by=str.lower))
    approved = [False, *(draw(st.booleans()) for _ in names[1:])]
    toolchain = draw(accounts)
    closed = isinstance(toolchain.network, ManagedNetwork)  # which reaches neither public indexes nor the repository's host
    return Config(
        project=draw(st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,5})?", fullmatch=True)),
        toolchain=toolchain,
        environments=tuple(Environment(name=n, account=draw(accounts), approved_only=a) for n, a in zip(names, approved, strict=True)),
        repository=draw(repositories()),
        owners=tuple(draw(st.lists(OWNERS, min_size=1, max_size=3))),
        qualifier=draw(st.from_regex(r"[a-z0-9]{1,10}", fullmatch=True)),
        pull_requests=not closed and draw(st.booleans()),
        access_logs=draw(st.none() | st.just("bank-logs-{account}-{region}")),
        builds=draw(
            st.sampled_from([*([] if closed else [Builds()]), PRIVATE, replace(PRIVATE, proxy="http://proxy.acme.test:3128", no_proxy=())])
        ),
        job_log_days=draw(st.none() | st.sampled_from([30, 400])),
        ledger_years=draw(st.integers(1, 9)),
        ledger_lock=draw(st.sampled_from(["GOVERNANCE", "COMPLIANCE"])),
        permissions_boundary=draw(st.none() | POLICIES),
        tags=draw(st.dictionaries(TAGS, TAGS, max_size=3)),
        execution_policies=tuple(draw(st.lists(POLICIES, max_size=3))),
    )


ACCOUNTS = st.builds(Account, id=ANYTHING, region=ANYTHING)
WILD = st.builds(
    Config,
    project=ANYTHING,
    toolchain=ACCOUNTS,
    environments=st.lists(st.builds(Environment, name=ANYTHING, account=ACCOUNTS, approved_only=st.booleans()), max_size=5).map(tuple),
    repository=st.builds(Repository, id=ANYTHING, branch=ANYTHING, provider=ANYTHING | PROVIDERS, host=ANYTHING, url=ANYTHING),
    owners=st.lists(ANYTHING, max_size=3).map(tuple),
    qualifier=ANYTHING,
    pull_requests=st.booleans(),
    permissions_boundary=st.none() | ANYTHING,
    tags=st.dictionaries(ANYTHING, ANYTHING, max_size=3),
    execution_policies=st.lists(ANYTHING, max_size=12).map(tuple),
)

SPLIT = replace(CONFIG, toolchain=Account(id="", region="\x1e"))  # what begins a line to some


@given(config=WILD)
@example(config=SPLIT)
@settings(deadline=None)
def test_whatever_is_asked_for_is_judged_one_line_a_problem(config: Config) -> None:
    for problem in configuration.problems(config):
        assert problem
        assert "\n" not in problem


@given(config=plausible())
@settings(deadline=None, max_examples=50)
def test_what_is_accepted_is_written_and_read_as_the_same(tmp_path_factory: pytest.TempPathFactory, config: Config) -> None:
    assume(not list(configuration.problems(config)))
    file = tmp_path_factory.mktemp("written") / "config.py"
    before = (ROOT / "config.py").read_text()
    file.write_text(before)

    configuration.write(file, config)

    assert asdict(runpy.run_path(str(file))["CONFIG"]) == asdict(config)
    start, _, _ = before.partition("CONFIG = Config(\n")
    assert file.read_text().startswith(start)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"project": "Acme"}, "project: found 'Acme'; accepted are lower-case letters and digits in words joined by hyphens"),
        ({"toolchain": replace(HOME, id="12345")}, "toolchain: found account '12345'; accepted are 12 digits"),
        ({"toolchain": replace(HOME, id="٣" * 12)}, f"toolchain: found account '{'٣' * 12}'; accepted are 12 digits"),
        (
            {"environments": (replace(FIRST, account=replace(HOME, id="")),)},
            f"environment {FIRST.name!r}: found account ''; accepted are 12 digits",
        ),
        ({"environments": ()}, "environments: found 0; accepted are 1 to 3"),
        ({"environments": (FIRST,) * 4}, "environments: found 4; accepted are 1 to 3"),
        (
            {"environments": (replace(FIRST, name="my_place"),)},
            "environment 'my_place': accepted are letters and digits in words joined by hyphens",
        ),
        (
            {"environments": (LAST,)},
            f"environment '{LAST.name}': found approved_only=True in the first environment;"
            " accepted is False: the evidence that an approval needs is made there",
        ),
        ({"repository": replace(CONFIG.repository, id="models")}, "repository: found 'models'; accepted is owner/name"),
        ({"repository": replace(CONFIG.repository, branch="a b")}, "branch: found 'a b'; accepted is a branch's name"),
        ({"repository": replace(CONFIG.repository, branch="a\x00")}, r"branch: found 'a\x00'; accepted is a branch's name"),
        (
            {"repository": replace(CONFIG.repository, provider="Gitea")},
            f"provider: found 'Gitea'; accepted are {', '.join(layout.SOURCES)}",
        ),
        ({"owners": ()}, "owners: found none; accepted is at least one mail address"),
        ({"owners": ("jo",)}, "owners: found 'jo'; accepted is a mail address"),
        ({"owners": ("jo\udcff@firm.com",)}, r"owners: found 'jo\udcff@firm.com'; accepted is a mail address"),
        (
            {"permissions_boundary": "arn:aws:iam::1:policy/x"},
            "permissions_boundary: found 'arn:aws:iam::1:policy/x';"
            " accepted is a managed policy's name, such as 'Boundary' or 'bank/Boundary'",
        ),
        (
            {"tags": {"aws:cost": "x"}},
            "tags: found 'aws:cost': 'x'; accepted are letters, digits, spaces and _ . : / = + - @, up to 128 and 256 of them;"
            " keys that begin with aws: are AWS's",
        ),
        (
            {"toolchain": replace(CONFIG.toolchain, budget=Budget(monthly_dollars=0))},
            f"account {CONFIG.toolchain.id}: budget: found 0 dollars; accepted is more than 0",
        ),
        ({"job_log_days": 100}, f"job_log_days: found 100; accepted are CloudWatch's: {', '.join(map(str, layout.RETENTION))}"),
        ({"execution_policies": ("p",) * 11}, "execution_policies: found 11; accepted are 10, as many as a role takes"),
        ({"qualifier": "Acme"}, "qualifier: found 'Acme'; accepted are up to 10 lower-case letters and digits, as `cdk bootstrap` has it"),
    ],
)
def test_each_setting_is_judged_by_itself(changes: Mapping[str, Any], problem: str) -> None:
    assert list(configuration.problems(replace(CONFIG, **changes))) == [problem]


def test_a_region_without_sagemaker_is_named_wherever_it_is() -> None:
    nowhere = replace(HOME, region="eu-west-9")
    config = replace(CONFIG, toolchain=nowhere, environments=(replace(FIRST, account=nowhere),))
    expected = "found region 'eu-west-9'; accepted is one that has SageMaker, such as eu-west-1"
    assert list(configuration.problems(config)) == [f"toolchain: {expected}", f"environment {FIRST.name!r}: {expected}"]


def test_placeholders_are_told_from_what_is_somebodys() -> None:
    assert configuration.placeholders(CONFIG) == []
    assert configuration.placeholders(TEMPLATE) == [
        "account 999999999999",
        "account 222222222222",
        "repository example/models",
        "owner a@example.com",
        "owner b@mail.example.org",
        "owner c@firm.example",
    ]


def test_placeholders_do_not_go_to_aws() -> None:
    configuration.must_be_real(CONFIG)
    with pytest.raises(Problem, match=r"placeholders: account 999999999999, .*: \./road init, or edit it; localcloud takes them"):
        configuration.must_be_real(TEMPLATE)


@pytest.mark.parametrize(
    "images",
    [
        Images(base="mirror.acme.test/python:3.11-slim"),
        Images(refused_from=None),
        Images(accepted=(AcceptedVulnerability(id="CVE-2026-1", reason='not "reachable"', until="2027-01-31"),)),
    ],
)
def test_what_is_said_of_images_stays(tmp_path: Path, images: Images) -> None:
    file, config = tmp_path / "config.py", replace(CONFIG, images=images)
    file.write_text((ROOT / "config.py").read_text())
    configuration.write(file, config)

    assert asdict(runpy.run_path(str(file))["CONFIG"]) == asdict(config)


def test_a_file_without_the_statement_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "config.py"
    file.write_text("CONFIG = load()\n")
    with pytest.raises(Problem, match="it has no statement `CONFIG = Config"):
        configuration.write(file, CONFIG)
    assert file.read_text() == "CONFIG = load()\n"


def test_teams_follow_the_repositorys_owner(tmp_path: Path) -> None:
    file, moved = tmp_path / "CODEOWNERS", replace(CONFIG, repository=replace(CONFIG.repository, id="elsewhere/models"))
    assert configuration.own_teams(file, CONFIG, before=TEMPLATE) == []

    file.write_text("* @example/platform\n/model_code/ @example/data-science @jo\n")
    owner = CONFIG.repository.id.split("/")[0]
    assert configuration.own_teams(file, CONFIG, before=TEMPLATE) == [f"@{owner}/data-science", f"@{owner}/platform"]
    assert file.read_text() == f"* @{owner}/platform\n/model_code/ @{owner}/data-science @jo\n"
    assert configuration.own_teams(file, CONFIG, before=CONFIG) == []
    assert configuration.own_teams(file, moved, before=CONFIG) == ["@elsewhere/data-science", "@elsewhere/platform"]
    assert file.read_text() == "* @elsewhere/platform\n/model_code/ @elsewhere/data-science @jo\n"
