"""What a contributor's pull request meets: checks that type what people type, actions pinned to commits, hooks and owners that exist.

A fork may leave out the host that it does not use.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import reference
from tests.reference import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
GITLAB = ROOT / ".gitlab-ci.yml"
ENVIRONMENTS = (".road/env", ".road/models")
PULL_REQUEST = ("./road check", "./road test")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
GITLABS_OWN = {"workflow", "default", "variables", "stages", "include"}
COMMANDS = {name.partition(" ")[0] for name, _ in reference.commands()} | {"exec"}
ON_A_RUNNER = ("echo", "gh", "git")  # what hosts bring beside a shell

on_github = pytest.mark.skipif(not WORKFLOWS, reason="this fork has no checks on GitHub")
on_gitlab = pytest.mark.skipif(not GITLAB.exists(), reason="this fork has no checks on GitLab")
WORKFLOW = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def read(path: Path) -> dict[Any, Any]:
    """A YAML file."""
    content = yaml.safe_load(path.read_text())
    assert isinstance(content, dict)
    return content


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    """The jobs of a workflow."""
    return dict(read(path)["jobs"])


def steps(path: Path) -> list[dict[str, Any]]:
    """Every step of a workflow or of an action, in order."""
    content = read(path)
    holders = [content["runs"]] if "runs" in content else content["jobs"].values()
    return [step for holder in holders for step in holder["steps"]]


def gitlab_jobs() -> dict[str, dict[str, Any]]:
    """The jobs of GitLab's pipeline."""
    return {name: job for name, job in read(GITLAB).items() if name not in GITLABS_OWN}


def plain(line: str) -> str:
    """A line of shell without what it sets for the command, and without its comment."""
    return re.sub(r"^(\w+=\S+ )+", "", line.partition(" #")[0]).strip()


def runs(path: Path) -> list[str]:
    """What a workflow runs, a step a text."""
    return [step["run"] for step in steps(path) if "run" in step]


def lines(texts: Iterable[str]) -> list[str]:
    """The lines of shell; one that ends in a backslash goes on."""
    return [plain(line) for text in texts for line in text.replace("\\\n", " ").splitlines() if plain(line)]


def unknown(line: str) -> str:
    """Why a line cannot be run; nothing when it can."""
    program, _, rest = line.partition(" ")
    if program == "./road":
        word, _, more = rest.partition(" ")
        program_of_ours = more.partition(" ")[0]
        known = word in COMMANDS and (word != "exec" or shutil.which(program_of_ours))
        return "" if known else f"no such command: {line}"
    if program.startswith((".", "/")):
        return "" if (ROOT / program).is_file() else f"no such file: {program}"
    return "" if program in (*ON_A_RUNNER, "if", "fi") else f"not on every runner: {program}"


def documented(page: str) -> list[str]:
    """What a page's shell blocks say to type."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    return [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_people_type_two_commands_before_a_pull_request(page: str) -> None:
    assert {line for line in documented(page) if line in PULL_REQUEST} == set(PULL_REQUEST)


@on_github
def test_github_types_the_same_and_everything_on_the_default_branch() -> None:
    assert runs(GITHUB / "workflows/pull-request.yml") == list(PULL_REQUEST)
    assert runs(GITHUB / "workflows/whole.yml") == [".ci/run"]


@on_gitlab
def test_gitlab_types_the_same_and_everything_on_the_default_branch() -> None:
    assert gitlab_jobs()["check-and-test"]["script"] == list(PULL_REQUEST)
    assert gitlab_jobs()["whole"]["script"] == [".ci/run"]


def test_everything_has_the_two_commands_in_it() -> None:
    check, test = PULL_REQUEST
    everything = [plain(line) for line in (ROOT / ".ci/run").read_text().splitlines()]

    assert [line for line in everything if line.startswith("./road")] == [check, f"{test} -m slow", test]


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_github_calls_only_commands_that_exist(path: Path) -> None:
    assert [why for line in lines(runs(path)) if (why := unknown(line))] == []


@on_gitlab
def test_gitlab_calls_only_commands_that_exist() -> None:
    assert [why for job in gitlab_jobs().values() for line in lines(job["script"]) if (why := unknown(line))] == []


@pytest.mark.parametrize("line", ["./road fly", "./road exec castle", ".ci/castle", "terraform plan"])
def test_commands_that_do_not_exist_would_be_found(line: str) -> None:
    assert unknown(line)


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_action_is_pinned_to_a_commit_with_its_version(path: Path) -> None:
    used = [line.partition("uses:")[2].strip() for line in path.read_text().splitlines() if line.lstrip("- ").startswith("uses:")]

    assert len(used) == sum("uses" in step for step in steps(path))
    for name in used:
        local = name.startswith("./") and (ROOT / name / "action.yml").is_file()
        assert local or PINNED.fullmatch(name), name


def test_an_action_has_one_version_everywhere() -> None:
    used = {
        line.partition("uses: ")[2] for path in [*WORKFLOWS, *ACTIONS] for line in path.read_text().splitlines() if "uses: actions/" in line
    }

    assert len({name.partition("@")[0] for name in used}) == len(used)


@WORKFLOW
def test_every_job_has_a_bound_and_only_the_permissions_that_it_gives_a_reason_for(path: Path) -> None:
    text = path.read_text()
    assert read(path)["permissions"] == {}
    for job in jobs(path).values():
        assert 0 < job["timeout-minutes"] <= 240
        assert job["permissions"]
        for scope, access in job["permissions"].items():
            assert re.search(rf"^ +{scope}: {access} # \w", text, re.MULTILINE), f"{scope} without its reason"


@WORKFLOW
def test_no_job_runs_the_repositorys_code_and_may_write(path: Path) -> None:
    for job in jobs(path).values():
        typed = lines(step.get("run", "") for step in job["steps"])
        runs_code = any(line.startswith(("./", ".ci/")) for line in typed)
        assert not runs_code or job["permissions"] == {"contents": "read"}
        for step in job["steps"]:
            if runs_code and step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


@WORKFLOW
def test_a_workflow_begins_with_what_it_does_and_replaces_its_own_earlier_run(path: Path) -> None:
    content = read(path)
    assert path.read_text().startswith("# PROCESS\n")
    assert "# USAGE\n" in path.read_text()
    assert content["concurrency"]["group"]
    assert "pull_request_target" not in content[True]  # `on`, as YAML 1.1 reads it


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS, *([GITLAB] if GITLAB.exists() else [])], ids=lambda path: path.name)
def test_a_fork_need_not_say_who_it_is(path: Path) -> None:
    assert "secrets." not in path.read_text()
    assert re.search(r"refs/heads/main|branches: \[?main", path.read_text()) is None


@on_github
def test_github_keeps_the_environments_of_the_locks_and_of_python_3_11() -> None:
    python, cache = steps(GITHUB / "actions/environments/action.yml")
    locks = re.findall(r"'([^']+)'", cache["with"]["key"])

    assert python["with"]["python-version"] == "3.11"
    assert cache["with"]["path"].split() == list(ENVIRONMENTS)
    assert {"requirements.lock", "package-lock.json"} < set(locks)
    assert all(any(ROOT.glob(lock)) for lock in locks)


@on_gitlab
def test_gitlab_keeps_the_environments_of_the_locks_and_of_python_3_11() -> None:
    default = read(GITLAB)["default"]

    assert default["image"].startswith("python:3.11-")
    assert default["cache"]["paths"] == list(ENVIRONMENTS)
    assert default["cache"]["key"]["files"] == ["requirements.lock", "package-lock.json"]


@on_gitlab
def test_every_job_of_gitlab_has_a_bound_and_a_rule() -> None:
    for job in gitlab_jobs().values():
        assert job["timeout"]
        assert job["rules"]


def test_every_hook_of_pre_commit_is_ours_and_exists() -> None:
    for repository in read(ROOT / ".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            assert unknown(hook["entry"]) == ""
            if module := re.search(r"python -m (\S+)", hook["entry"]):
                assert find_spec(module[1]), module[1]


@on_github
def test_owners_are_given_paths_that_exist() -> None:
    rules = [line.split() for line in (ROOT / "CODEOWNERS").read_text().splitlines() if line and not line.startswith("#")]

    assert rules
    for path, *owners in rules:
        assert path in ("*", "/model_code/", "/feature_groups/") or any(ROOT.glob(path.strip("/"))), path  # a fork may have none yet
        assert owners
        assert all(re.fullmatch(r"@[\w-]+(/[\w.-]+)?|[^@\s]+@[^@\s]+", owner) for owner in owners), owners


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_asks_for_what_a_maintainer_needs(path: Path) -> None:
    form = read(path)
    fields = [field for field in form["body"] if field["type"] != "markdown"]

    assert form["name"]
    assert form["description"]
    assert len({field["id"] for field in fields}) == len(fields)
    for field in fields:
        required = field.get("validations", {}).get("required") or all(
            o.get("required") for o in field["attributes"].get("options", [{}]) if o
        )
        assert required, field["id"]


@on_github
def test_issues_are_written_in_forms() -> None:
    assert read(GITHUB / "ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": False}
    assert [path.stem for path in FORMS] == ["bug", "feature"]


@on_github
@on_gitlab
def test_both_hosts_ask_the_same_of_a_pull_request() -> None:
    text = (GITHUB / "pull_request_template.md").read_text()

    assert text == (ROOT / ".gitlab/merge_request_templates/Default.md").read_text()
    assert all(f"`{command}`" in text for command in PULL_REQUEST)


@on_github
def test_updates_are_proposed_for_folders_that_hold_something() -> None:
    for update in read(GITHUB / "dependabot.yml")["updates"]:
        for folder in update.get("directories", [update.get("directory")]):
            assert any(ROOT.glob(f"{folder.strip('/') or '.'}/*")), folder
