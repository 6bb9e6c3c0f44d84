"""A push starts the pipelines whose filters it matches, by the paths that git keeps; what CodePipeline does not take is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.testing.pipelines import Json, Push, action, create, definition, executions, source
from localcloud.testing.running import Running

MAIN = {"includes": ["main"]}
pytestmark = pytest.mark.laptop("a push is needed, and so a connection that somebody has authorised")


def filters(*criteria: Json) -> Json:
    """The triggers of a pipeline whose source action is Source."""
    configuration = {"sourceActionName": "Source", **({"push": list(criteria)} if criteria else {})}
    return {"triggers": [{"providerType": "CodeStarSourceConnection", "gitConfiguration": configuration}]}


def watching(name: str, role: str, *criteria: Json) -> Json:
    """A pipeline that does nothing: it waits for an answer once it has its source."""
    stages = [{"name": a["name"], "actions": [a]} for a in (source(), action("Approval", "Manual", "Approval", {}))]
    return {**definition(name, role, paths="x"), **filters(*criteria), "stages": stages}


def test_any_of_several_filters_starts_a_pipeline_once(cloud: Running, role: str, clone: Path, push: Push) -> None:
    create(
        cloud,
        watching(
            "several",
            role,
            {"branches": MAIN, "filePaths": {"includes": ["several/*.py", "several.toml"], "excludes": ["several/generated.py"]}},
            {"branches": MAIN, "filePaths": {"includes": ["several/deep/**"]}},
            {"branches": {"includes": ["release/*"], "excludes": ["release/old"]}},
        ),
    )

    def starts(said: str) -> int:
        return said.count("started several ")

    assert starts(push("several/a.py", "1")) == 1
    assert starts(push("several/b/c.py", "1")) == 0
    assert starts(push("several/generated.py", "1")) == 0
    (clone / "several.toml").write_text("1")
    assert starts(push("several/deep/b/c", "1")) == 1
    assert len(executions(cloud, "several")) == 2
    for branch, count in (("release/1", 1), ("release/old", 0), ("release/2/fix", 0)):
        pushed = subprocess.run(
            ["git", "-C", str(clone), "push", cloud.state["remote"], f"HEAD:refs/heads/{branch}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert starts(pushed.stderr) == count, branch


def test_paths_are_those_that_git_keeps_and_a_move_has_two(cloud: Running, role: str, clone: Path, push: Push) -> None:
    create(cloud, watching("raw", role, {"branches": MAIN, "filePaths": {"includes": ["raw/**"]}}))

    assert "started raw " in push("raw/résumé 1.md", "é")
    assert "started raw " in push("raw/moved.txt", "long enough to be known again\n" * 9)
    (clone / "other").mkdir()
    (clone / "raw/moved.txt").rename(clone / "other/moved.txt")
    assert "started raw " in push("other/unrelated.txt", "1")
    (clone / "raw/résumé 1.md").unlink()
    assert "started raw " in push("other/unrelated.txt", "2")
    assert "started raw " not in push("other/unrelated.txt", "3")


def test_a_trigger_without_a_filter_watches_the_branch_of_its_source(cloud: Running, role: str, clone: Path, push: Push) -> None:
    create(cloud, watching("unfiltered", role))

    assert "started unfiltered " in push("unfiltered", "1")
    aside = ["git", "-C", str(clone), "push", cloud.state["remote"], "HEAD:refs/heads/aside"]
    assert "started unfiltered " not in subprocess.run(aside, capture_output=True, text=True, check=True).stderr


BRANCHES = {"branches": MAIN}
TRIGGER = filters(BRANCHES)["triggers"][0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (filters(*[BRANCHES] * 4), "between 1 and 3"),
        (filters({"branches": MAIN, "filePaths": {"includes": [f"{n}/**" for n in range(9)]}}), "between 1 and 8"),
        (filters({"branches": {"includes": ["b" * 256]}}), "between 1 and 255"),
        (filters({"filePaths": {"includes": ["a/**"]}}), "a push filter has filePaths: it may have branches, or branches and filePaths"),
        (filters({}), "a push filter has nothing"),
        (filters({"branches": {"includes": ["v[0-9"]}}), r"v\[0-9 is no glob pattern"),
        (filters({"tags": {"includes": ["v*"]}}), "remove tags"),
        ({"triggers": [TRIGGER, TRIGGER]}, "source action Source has 2 triggers"),
        ({"triggers": [{**TRIGGER, "gitConfiguration": {"sourceActionName": "Approval"}}]}, "no source action of that name"),
        (
            {"triggers": [{**TRIGGER, "gitConfiguration": {"sourceActionName": "Source", "pullRequest": [{"events": ["OPEN"]}]}}]},
            "remove pullRequest",
        ),
    ],
)
def test_triggers_that_are_not_taken_are_refused(cloud: Running, role: str, change: dict[str, Any], why: str) -> None:
    with pytest.raises(ClientError, match=why):
        cloud.client("codepipeline").create_pipeline(pipeline={**watching("odd", role), **change})
