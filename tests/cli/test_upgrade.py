"""A fork is brought to another release: the template's files are merged, a team's are kept, what cannot be decided is a git conflict."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli import releases, upgrade
from cli.problem import Problem
from cli.releases import Version
from cli.repository import AUTHOR, Clone
from cli.upgrade import Outcome
from tests.reference import ROOT
from tests.support import tree as trees

LINES = "".join(f"line {number}\n" for number in range(1, 31))
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-29\n\nThe first.\n"
CONFIG = """from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    id: str


@dataclass(frozen=True)
class Config:
    project: str
    toolchain: Account
    qualifier: str = "hnb659fds"


CONFIG = Config(
    project="first-road",
    toolchain=Account(id="999999999999"),
)
"""
FIRST = {
    "pyproject.toml": '[project]\nname = "first-road"\nversion = "0.1.0"\n',
    "CHANGELOG.md": CHANGELOG,
    "README.md": LINES,
    "config.py": CONFIG,
    "requirements.lock": LINES,
    "CODEOWNERS": "* @PLATFORM-OWNERS\n",
    "packages/runtime/serving.py": LINES,
    "packages/runtime/old.py": LINES,
    "stacks/serving.py": LINES,
    "bench/soak.py": LINES,
    "model_code/lead_scoring/model.toml": LINES,
}
SECOND = {
    "pyproject.toml": FIRST["pyproject.toml"].replace("0.1.0", "0.2.0"),
    "CHANGELOG.md": CHANGELOG.replace("## [0.1.0]", "## [0.2.0] - 2026-12-24\n\nA network.\n\n## [0.1.0]"),
    "README.md": LINES.replace("line 28", "line 28 of the release"),
    "config.py": CONFIG.replace('"hnb659fds"', '"hnb659fds"\n    network: str | None = None').replace("first-road", "first-street"),
    "requirements.lock": LINES.replace("line 15", "line 15 of the release"),
    "CODEOWNERS": "* @SOMEBODY\n",
    "packages/runtime/serving.py": LINES.replace("line 10", "line 10 of the release"),
    "packages/runtime/new.py": "new\n",
    "stacks/serving.py": LINES.replace("line 15", "line 15 of the release"),
    "bench/soak.py": LINES.replace("line 15", "line 15 of the release"),
    "model_code/lead_scoring/model.toml": LINES.replace("line 15", "line 15 of the release"),
}
STATEMENT = 'CONFIG = Config(\n    project="acme-risk",\n    toolchain=Account(id="999999999999"),\n)\n'


@dataclass(frozen=True)
class Tree:
    """A git repository with its working tree."""

    root: Path

    def git(self, *arguments: str) -> str:
        env = {**os.environ, **AUTHOR}
        return subprocess.run(["git", "-C", str(self.root), *arguments], env=env, check=True, capture_output=True, text=True).stdout.strip()

    def text(self, path: str) -> str:
        return (self.root / path).read_text()

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        assert old in self.text(path)
        self.write({path: self.text(path).replace(old, new, 1)})

    def remove(self, path: str) -> None:
        self.git("rm", "-r", "--quiet", path)

    def commit(self, message: str = "a change") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def release(self, number: str) -> str:
        commit = self.commit()
        self.git("tag", "--annotate", f"v{number}", "--message", number)
        return commit

    def stages(self) -> dict[str, str]:
        lines = self.git("ls-files", "--unmerged").splitlines()
        return {
            path: "".join(line[48] for line in lines if line.endswith(f"\t{path}")) for path in {line.partition("\t")[2] for line in lines}
        }


def made(root: Path) -> Tree:
    root.mkdir(parents=True, exist_ok=True)
    tree = Tree(root)
    tree.git("init", "--quiet", "--initial-branch", "main")
    return tree


def forked(template: Tree, root: Path, start: str) -> Tree:
    """A fork that knows the template as its remote `template`, and none of its tags."""
    source = template.root.as_uri()
    subprocess.run(["git", "clone", "--quiet", "--no-tags", "--origin", "template", source, root], check=True)
    fork = Tree(root)
    fork.git("reset", "--quiet", "--hard", start)
    return fork


def customise(fork: Tree) -> None:
    """A team's usual edits."""
    fork.write({"config.py": fork.text("config.py").partition("CONFIG = ")[0] + STATEMENT, "CODEOWNERS": "* @acme/risk\n"})
    fork.remove("model_code/lead_scoring")
    fork.write({"model_code/churn/model.toml": LINES.replace("line 3\n", "line three\n")})
    fork.edit("README.md", "line 2\n", "line 2 of the team\n")
    fork.edit("stacks/serving.py", "line 2\n", "line 2 of the team\n")
    fork.commit()


@pytest.fixture
def template(tmp_path: Path) -> Tree:
    """Two releases, both with their tags."""
    template = made(tmp_path / "template")
    template.write(FIRST)
    template.release("0.1.0")
    template.write(SECOND)
    template.remove("packages/runtime/old.py")
    template.release("0.2.0")
    return template


@pytest.fixture
def fork(template: Tree, tmp_path: Path) -> Tree:
    """A fork of the first release, with a team's usual edits."""
    fork = forked(template, tmp_path / "fork", template.git("rev-parse", "v0.1.0^{commit}"))
    customise(fork)
    return fork


def upgraded(fork: Tree, wanted: str | None = None, source: str = "template") -> Outcome:
    plan = upgrade.plan(Clone(fork.root), source, wanted)
    assert plan, "there is nothing to merge"
    return upgrade.merge(Clone(fork.root), plan)


def refusal(fork: Tree, wanted: str | None = None, source: str = "template") -> str:
    """Why an upgrade is refused; nothing has moved then."""
    before = fork.git("status", "--porcelain")
    with pytest.raises(Problem) as refused:
        upgrade.plan(Clone(fork.root), source, wanted)
    assert fork.git("status", "--porcelain") == before
    return str(refused.value)


def test_the_templates_files_are_merged_and_the_teams_are_kept(fork: Tree) -> None:
    head = fork.git("rev-parse", "HEAD")

    outcome = upgraded(fork)

    assert fork.text("packages/runtime/serving.py") == SECOND["packages/runtime/serving.py"]
    assert fork.text("packages/runtime/new.py") == "new\n"
    assert not (fork.root / "packages/runtime/old.py").exists()
    for path, line in (("README.md", "line 28 of the release"), ("stacks/serving.py", "line 15 of the release")):
        assert "line 2 of the team" in fork.text(path)
        assert line in fork.text(path)
    assert fork.text("config.py") == SECOND["config.py"].partition("CONFIG = ")[0] + STATEMENT
    assert fork.text("CODEOWNERS") == "* @acme/risk\n"
    assert [path.name for path in (fork.root / "model_code").iterdir()] == ["churn"]
    assert fork.git("rev-parse", "HEAD") == head
    assert fork.git("diff") == ""
    assert fork.git("status", "--porcelain").count("\n") + 1 == sum(outcome.rooms.values())
    assert outcome.conflicts == outcome.deleted == ()


def test_it_says_what_has_changed(fork: Tree) -> None:
    outcome = upgraded(fork)

    assert outcome.rooms == {
        "CHANGELOG.md": 1,
        "README.md": 1,
        "bench": 1,
        "config.py": 1,
        "packages/runtime": 3,
        "pyproject.toml": 1,
        "requirements.lock": 1,
        "stacks": 1,
    }
    assert outcome.settings == {"Config.network": "None"}
    assert outcome.left == ("CODEOWNERS",)
    assert outcome.changelog == "## [0.2.0] - 2026-12-24\n\nA network."


def test_a_key_that_is_gone_and_one_that_must_be_set_are_named(template: Tree, fork: Tree) -> None:
    template.edit("config.py", "    project: str\n", "    project: str\n    region: str\n")
    template.edit("config.py", '    qualifier: str = "hnb659fds"\n', "")
    template.commit()

    outcome = upgraded(fork, "main")

    assert outcome.settings == {"Config.network": "None", "Config.region": ""}
    assert outcome.gone == ("Config.qualifier",)


def test_what_a_team_has_removed_stays_removed(fork: Tree) -> None:
    fork.remove("bench")
    fork.commit()

    outcome = upgraded(fork)

    assert outcome.deleted == ("bench/soak.py",)
    assert not (fork.root / "bench").exists()
    assert fork.stages() == {}


def test_a_file_that_the_release_changed_and_moved_stays_removed(template: Tree, fork: Tree) -> None:
    template.git("mv", "bench/soak.py", "bench/load.py")
    template.commit()
    fork.remove("bench")
    fork.write({"model_code/churn/model.toml": "unlike any other\n"})
    fork.commit()

    outcome = upgraded(fork, "main")

    assert outcome.deleted == ("bench/load.py",)
    assert not (fork.root / "bench").exists()


def test_a_models_file_is_not_taken_for_one_that_was_moved(fork: Tree) -> None:
    """It is like one of the template that the team has removed, and the release changes that one."""
    mine = fork.text("bench/soak.py").replace("line 15\n", "line 15 of the team\n")
    fork.remove("bench")
    fork.write({"model_code/churn/load.py": mine})
    fork.commit()

    outcome = upgraded(fork)

    assert fork.text("model_code/churn/load.py") == mine
    assert fork.git("diff", "HEAD", "--", "model_code") == ""
    assert outcome.conflicts == ()
    assert outcome.deleted == ("bench/soak.py",)


def test_a_model_that_is_kept_is_the_teams(template: Tree, tmp_path: Path) -> None:
    fork = forked(template, tmp_path / "kept", template.git("rev-parse", "v0.1.0^{commit}"))

    outcome = upgraded(fork)

    assert fork.text("model_code/lead_scoring/model.toml") == LINES
    assert outcome.left == ("CODEOWNERS", "model_code/lead_scoring/model.toml")


def test_a_fork_names_paths_of_its_own(fork: Tree) -> None:
    fork.write({"pyproject.toml": fork.text("pyproject.toml") + '\n[tool.road]\nown = ["bench", "README.md"]\n'})
    fork.commit()

    outcome = upgraded(fork)

    assert fork.text("bench/soak.py") == LINES
    assert "of the release" not in fork.text("README.md")
    assert "of the release" in fork.text("stacks/serving.py")
    assert outcome.left == ("CODEOWNERS", "README.md", "bench/soak.py")
    assert 'version = "0.2.0"' in fork.text("pyproject.toml")


def test_a_conflict_is_named_and_is_gits_own(fork: Tree) -> None:
    fork.edit("stacks/serving.py", "line 15\n", "line 15 of the team\n")
    fork.commit()
    head = fork.git("ls-tree", "-r", "HEAD")

    outcome = upgraded(fork)

    assert outcome.conflicts == ("stacks/serving.py",)
    assert fork.stages() == {"stacks/serving.py": "123"}
    assert "<<<<<<< HEAD\nline 15 of the team\n=======\nline 15 of the release\n>>>>>>>" in fork.text("stacks/serving.py")
    assert fork.text("packages/runtime/serving.py") == SECOND["packages/runtime/serving.py"]
    fork.git("reset", "--hard")
    assert fork.git("ls-tree", "-r", fork.git("write-tree")) == head
    assert fork.git("status", "--porcelain") == ""


def test_a_file_that_the_release_removed_and_the_team_changed_is_a_conflict(fork: Tree) -> None:
    fork.edit("packages/runtime/old.py", "line 15\n", "line 15 of the team\n")
    fork.commit()

    assert upgraded(fork).conflicts == ("packages/runtime/old.py",)
    assert fork.stages() == {"packages/runtime/old.py": "12"}


def test_a_lock_in_conflict_can_be_read_by_the_road(fork: Tree) -> None:
    fork.edit("requirements.lock", "line 15\n", "line 15 of the team\n")
    fork.commit()

    assert upgraded(fork).conflicts == ("requirements.lock",)
    assert fork.stages() == {"requirements.lock": "123"}
    assert fork.text("requirements.lock") == SECOND["requirements.lock"]


def test_a_template_without_tags_tells_its_releases_in_the_changelog(template: Tree, fork: Tree) -> None:
    for number in ("0.1.0", "0.2.0"):
        template.edit(
            "CHANGELOG.md", f"## [{number}] - ", f"## [{number}] - 2026-12-24\n\nCommit: {template.git('rev-parse', f'v{number}^0')}\n"
        )
        template.git("tag", "--delete", f"v{number}")
    template.commit()

    outcome = upgraded(fork)

    assert (outcome.plan.old, outcome.plan.new) == (Version(0, 1, 0), Version(0, 2, 0))
    assert fork.text("packages/runtime/new.py") == "new\n"


def test_a_fork_without_the_templates_history_is_merged_upon_its_release(template: Tree, tmp_path: Path) -> None:
    fork = made(tmp_path / "button")
    fork.write(FIRST)
    fork.commit("a history of its own")
    customise(fork)

    outcome = upgraded(fork, source=str(template.root))

    assert outcome.plan.base == template.git("rev-parse", "v0.1.0^{commit}")
    assert outcome.conflicts == ()
    assert "line 15 of the release" in fork.text("stacks/serving.py")


def test_a_fork_from_between_two_releases_is_merged_upon_where_it_parted(template: Tree, tmp_path: Path) -> None:
    template.git("reset", "--quiet", "--hard", "v0.1.0")
    template.edit("stacks/serving.py", "line 15\n", "line 15 as it was for a while\n")
    between = template.commit()
    template.write(SECOND)
    template.commit()
    fork = forked(template, tmp_path / "between", between)

    outcome = upgraded(fork, "main")

    assert outcome.plan.base == between
    assert outcome.conflicts == ()


def test_an_upgrade_is_the_base_of_the_next_one(template: Tree, fork: Tree) -> None:
    upgraded(fork)
    fork.commit()
    assert upgrade.plan(Clone(fork.root), "template") is None
    fork.edit("packages/runtime/serving.py", "line 10 of the release", "line 10 of the team")
    fork.commit()
    template.write({"pyproject.toml": FIRST["pyproject.toml"].replace("0.1.0", "0.3.0")})
    template.edit("CHANGELOG.md", "## [0.2.0]", "## [0.3.0] - 2027-01-01\n\n## [0.2.0]")
    template.edit("packages/runtime/serving.py", "line 20\n", "line 20 of the third\n")
    template.release("0.3.0")

    outcome = upgraded(fork)

    assert outcome.plan.base == template.git("rev-parse", "v0.2.0^{commit}")
    assert outcome.conflicts == ()
    assert "line 10 of the team" in fork.text("packages/runtime/serving.py")
    assert "line 20 of the third" in fork.text("packages/runtime/serving.py")


def test_an_upgrade_that_was_reverted_can_be_made_again(fork: Tree) -> None:
    upgraded(fork)
    fork.commit()
    fork.git("revert", "--no-edit", "HEAD")
    assert fork.text("packages/runtime/serving.py") == LINES

    assert upgraded(fork).conflicts == ()
    assert fork.text("packages/runtime/serving.py") == SECOND["packages/runtime/serving.py"]


def test_an_older_release_is_refused(fork: Tree) -> None:
    upgraded(fork)
    fork.commit()

    assert refusal(fork, "0.1.0") == (
        "upgrade to 0.1.0: it is 0.1.0, and this fork stands on 0.2.0: to go back, git revert the commit of an upgrade; docs/upgrade.md"
    )


@pytest.mark.parametrize("path", ["README.md", "untracked.md"])
def test_a_tree_with_changes_is_refused(fork: Tree, path: str) -> None:
    fork.write({path: "changed\n"})

    assert "it has changes that no commit has: commit them" in refusal(fork)


def test_a_fork_whose_release_the_template_does_not_tell_is_refused(template: Tree, tmp_path: Path) -> None:
    fork = made(tmp_path / "button")
    fork.write(FIRST)
    fork.commit("a history of its own")
    template.git("tag", "--delete", "v0.1.0")

    assert refusal(fork, source=str(template.root)).startswith("release 0.1.0, on which this fork stands: neither a tag v0.1.0 nor a line")


def test_a_version_of_the_forks_own_is_refused(fork: Tree) -> None:
    fork.edit("pyproject.toml", "0.1.0", "7.0.0")
    fork.commit()

    assert refusal(fork).startswith("pyproject.toml: it says 7.0.0, which CHANGELOG.md does not know: put the template's version back")


def test_a_tag_that_was_moved_is_refused(template: Tree, fork: Tree) -> None:
    template.edit("CHANGELOG.md", "## [0.2.0] - ", f"## [0.2.0] - 2026-12-24\n\nCommit: {template.git('rev-parse', 'v0.2.0^0')}\n")
    template.commit()
    template.git("tag", "--force", "v0.2.0")

    assert refusal(fork).startswith("release 0.2.0: its tag is ")


def test_a_commit_of_the_template_can_be_merged_and_a_branch_of_the_fork_cannot(template: Tree, fork: Tree) -> None:
    commit = template.git("rev-parse", "v0.2.0^{commit}")
    fork.git("branch", "ours")

    assert "has no such release, branch or commit" in refusal(fork, "ours")
    assert upgraded(fork, commit[:10]).plan.commit == commit


@pytest.mark.parametrize(
    ("wanted", "why"),
    [("0.9.0", "release 0.9.0: the template has 0.1.0, 0.2.0: name one"), ("nowhere", "has no such release, branch or commit")],
)
def test_an_unknown_release_is_refused(fork: Tree, wanted: str, why: str) -> None:
    assert why in refusal(fork, wanted)


def test_a_template_that_cannot_be_reached_is_refused(fork: Tree, tmp_path: Path) -> None:
    fork.git("remote", "rename", "template", "origin")

    assert refusal(fork) == "template: no remote is called template: git remote add template ADDRESS, or --from ADDRESS"
    assert "git fetch failed" in refusal(fork, source=str(tmp_path / "nowhere"))


def test_outside_git_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="is not a git repository"):
        upgrade.plan(Clone(tmp_path), "template")


def test_paths_of_ones_own_are_a_list(fork: Tree) -> None:
    fork.write({"pyproject.toml": fork.text("pyproject.toml") + '\n[tool.road]\nown = "bench"\n'})
    fork.commit()

    assert "[tool.road] own is 'bench': write a list of paths" in refusal(fork)


# The command, in a fork of this clone


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def real(tree: Path, tmp_path: Path) -> Tree:
    """A fork of this clone's files, whose template has a release 9.0.0 since."""
    shutil.copytree(tree, tmp_path / "template")
    template = made(tmp_path / "template")
    template.write({"CHANGELOG.md": re.sub(r"^Commit: \w+$", "", template.text("CHANGELOG.md"), flags=re.M)})  # of another history
    start = template.commit()
    stated = str(upgrade.current(Clone(template.root)))
    template.git("tag", f"v{stated}")
    fork = forked(template, tmp_path / "fork", start)
    template.edit("pyproject.toml", f'version = "{stated}"', 'version = "9.0.0"')
    template.edit("CHANGELOG.md", "## [Unreleased]", "## [Unreleased]\n\n## [9.0.0] - 2030-01-01\n\nTunnels.")
    template.edit("cdk.json", '"notices": false', '"notices": true')
    template.release("9.0.0")
    return fork


@pytest.fixture
def road(real: Tree) -> Run:
    """Runs `road upgrade` in the fork."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "cli", "upgrade", *arguments], cwd=real.root, capture_output=True, text=True)

    return run


def test_check_says_whether_there_is_a_newer_release(real: Tree, road: Run) -> None:
    behind = road("--check", "--json")
    assert behind.returncode == 2
    assert {**json.loads(behind.stdout), "version": ""} == {"version": "", "newest": "9.0.0", "newer": True}
    assert real.git("status", "--porcelain") == ""

    assert road("--json").returncode == 0
    real.commit()

    abreast = road("--check")
    assert (abreast.returncode, abreast.stdout) == (0, "9.0.0 is the newest release\n")


def test_an_upgrade_tells_what_it_did(real: Tree, road: Run) -> None:
    done = road()

    assert done.returncode == 0
    assert "merged and staged, not committed" in done.stdout
    assert "## [9.0.0] - 2030-01-01\n\nTunnels." in done.stdout
    assert '"notices": true' in real.text("cdk.json")


def test_conflicts_are_one_line_that_says_what_to_do(real: Tree, road: Run) -> None:
    real.edit("cdk.json", '"notices": false', '"notices": 0')
    real.commit()

    done = road("--json")

    assert done.returncode == 1
    assert json.loads(done.stdout)["conflicts"] == ["cdk.json"]
    real.git("reset", "--hard")
    told = road()
    assert told.returncode == 1
    (line,) = told.stderr.splitlines()
    assert line == (
        "road: upgrade to 9.0.0: in conflict: cdk.json: mend each and git add it, then ./road check; git reset --hard takes all of it back"
    )


def test_a_refusal_is_one_line(real: Tree, road: Run) -> None:
    real.write({"new.md": "new\n"})

    done = road()

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1


# The whole way, from the first release to this tree

TRAINED = re.compile(r"training\.train\((.+?), (\w+\.labels), (SPEC\.training\.hyperparameters), (\w+)\)")  # as it was called then
RENAMED = {
    "import behaviour, contract, spec, testing\n": "import behaviour, contract, frameworks, scoring, spec, tasks, testing\n",
    "from paved_runtime.rules import rules\n": "from paved_runtime.plugin import TrainingRun\nfrom paved_runtime.rules import rules\n",
    "from paved_runtime.curves import roc_auc\n": "",
    "split(contract.read(folder, SPEC.data), share": "split(contract.read(folder, SPEC.data), tasks.of(SPEC.data), share",
    "roc_auc(holdout.labels == 1, ": "tasks.of(SPEC.data).figure(holdout.labels, ",
    "SPEC.gates.roc_auc": "SPEC.gates.floor",
    "from paved_runtime.scoring import Scorer\n": "",
    'Scorer.load(trained / "model")': 'scoring.load(frameworks.of(SPEC), trained / "model")',
    "Scorer": "scoring.Score",
    "scorer.matrix(matrix)": "scorer(matrix)",
    "SPEC.features": "SPEC.column_names",
}


def first_release() -> str:
    """The commit that CHANGELOG.md names for the oldest release, where this clone has it. Skips the test where not."""
    named = {release: commit for release, commit in releases.commits((ROOT / "CHANGELOG.md").read_text()).items() if commit}
    if not named:
        pytest.skip("CHANGELOG.md names no release's commit yet")
    commit = named[min(named)]
    if subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip(f"this clone's history does not reach back to {commit[:12]}, the first release: git fetch --unshallow")
    return commit


def with_model_of_their_own(fork: Tree) -> None:
    """The sample model gives way to one that is made of it; the name is as long, so that its lines are formatted as they were."""
    fork.git("mv", "model_code/lead_scoring", "model_code/loan_scoring")
    for path in filter(Path.is_file, (fork.root / "model_code/loan_scoring").rglob("*")):
        path.write_text(path.read_text().replace("lead_scoring", "loan_scoring"))


def as_the_guide_says(fork: Tree, home: str) -> None:
    """Give a model what docs/upgrade.md lists under "What your models must gain"."""
    fork.edit(f"{home}/model.toml", 'positive = "yes"\n', 'positive = "yes"\nnegative = "no"\n')
    fork.edit(f"{home}/training.py", "paved_runtime.boosting", "paved_runtime.frameworks.xgboost")
    tests = f"{home}/tests/test_lead_scoring.py"
    content = TRAINED.sub(
        r"training.train(TrainingRun(matrix=\1, labels=\2.astype(np.float32), hyperparameters=\3, monotone=\4))", fork.text(tests)
    )
    for before, after in RENAMED.items():
        assert before in content
        content = content.replace(before, after)
    fork.write({tests: content})
    subprocess.run(["./road", "exec", "ruff", "format", "--quiet", home], cwd=fork.root, check=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_fork_of_the_first_release_is_brought_to_this_tree_and_passes(tmp_path: Path) -> None:
    first = first_release()
    template, fork = Tree(tmp_path / "template"), Tree(tmp_path / "fork")
    subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, template.root], check=True)
    template.git("branch", "next")
    template.git("symbolic-ref", "HEAD", "refs/heads/next")
    trees.clone(template.root)
    template.commit()
    subprocess.run(["git", "clone", "--quiet", "--shared", template.root, fork.root], check=True)
    fork.git("checkout", "--quiet", "-B", "main", first)
    trees.configure(fork.root, (ROOT / "tests/reference.py").read_text())
    with_model_of_their_own(fork)
    fork.write({"README.md": f"# Risk models of Acme\n\n{fork.text('README.md')}", "docs/ours.md": "# Ours\n"})
    fork.write({"stacks/toolchain.py": f"{fork.text('stacks/toolchain.py')}\n\n# Acme adds nothing here.\n"})
    fork.commit()

    done = subprocess.run(["./road", "upgrade", "next", "--from", template.root], cwd=fork.root, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert 'project="acme-risk"' in fork.text("config.py")
    assert fork.text("README.md").startswith("# Risk models of Acme\n")
    assert "# Acme adds nothing here." in fork.text("stacks/toolchain.py")
    assert [path.name for path in (fork.root / "model_code").iterdir()] == ["loan_scoring"]
    assert fork.git("diff", "--name-only", "origin/next", "--", "packages", "cli", "pipelines") == ""
    as_the_guide_says(fork, "model_code/loan_scoring")
    check = subprocess.run(["./road", "check"], cwd=fork.root, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr
