"""Bring a fork to another release of the template: one three-way merge, left in the index for a person to look at.

Base is the release that the fork stands on, ours is its HEAD, and theirs is the new release in which everything that is the team's is as
the base has it, so that git sees no change of it to merge. `git cherry-pick --no-commit` of theirs, made a commit upon the base, is exactly
that merge: it works on every git in use (`merge-tree` takes a base of one's choice since 2.40 only), needs no second working tree, and
leaves what it cannot decide as conflicts with stages 1 to 3. What stands is known by the version in the tree, not by history: a fork may
have been made without any, and a reverted upgrade is undone whole (docs/decisions/0015).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from cli import config_source, releases
from cli.problem import Problem
from cli.releases import Version
from cli.repository import AUTHOR, Clone
from cli.tree import typed_path

REMOTE = "template"
REFS = "refs/road/template"  # what was fetched is kept apart from the fork's own branches and tags
CONFIG = "config.py"
# What a team owns whole, and an upgrade leaves alone. A fork adds paths of its own: `[tool.road] own` in pyproject.toml.
OWN = {
    "model_code": "a team's models",
    "feature_groups": "a team's features",
    "CODEOWNERS": "who reviews what",
}
LOCKS = (".lock", "package-lock.json")  # `./road` starts with these: a conflict's marks would keep it from starting
REMOVED_HERE = "13"  # the stages of a file that the release changed and the fork has no more
DIGITS = re.compile(r"[0-9a-f]{7,40}")  # of a commit; a name is the template's, never a branch of the fork
BACK = "git reset --hard takes all of it back"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """From which release to which. `base` and `commit` are commits; `own` are the team's paths."""

    old: Version
    new: Version
    base: str
    commit: str
    own: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an upgrade has changed. Nothing is committed.

    `rooms` counts changed files; `left` are the release's changes to what is the team's; `deleted` are files that the release changed and
    the team had removed; `settings` are new keys of config.py with their defaults, and `gone` those that it has no more.
    """

    plan: Plan
    rooms: dict[str, int]
    conflicts: tuple[str, ...]
    deleted: tuple[str, ...]
    left: tuple[str, ...]
    settings: dict[str, str]
    gone: tuple[str, ...]
    changelog: str


def fetch(clone: Clone, template: str) -> None:
    """Bring the template's branches and tags. `template` is a remote, an address or a folder."""
    if template not in clone.git("remote").split():
        if template == REMOTE:
            raise Problem("template", f"no remote is called {REMOTE}", f"git remote add {REMOTE} ADDRESS, or --from ADDRESS")
        folder = typed_path(template)
        template = str(folder.resolve()) if folder.exists() else template
    wanted = (f"+HEAD:{REFS}/head", f"+refs/heads/*:{REFS}/heads/*", f"+refs/tags/*:{REFS}/tags/*")
    clone.git("fetch", "--quiet", "--no-tags", "--prune", "--", template, *wanted)


def current(clone: Clone) -> Version:
    """The release that the fork stands on, as pyproject.toml and CHANGELOG.md of its newest commit say it."""
    if clone.head() is None:
        raise Problem("this clone", "it has no commit", "commit the fork first")
    stated = _version(clone, "HEAD")
    if stated is None or stated not in releases.commits(_text(clone, "HEAD", "CHANGELOG.md")):
        why = f"it says {stated}, which CHANGELOG.md does not know" if stated else "it states no version as in 1.2.3"
        raise Problem("pyproject.toml", why, "put the template's version back: it says what an upgrade starts from")
    return stated


def known(clone: Clone) -> dict[Version, str]:
    """The commit of every release of the fetched template, by its tags and by its changelog. Raises Problem where they differ."""
    named = clone.git("for-each-ref", "--format=%(refname:lstrip=4)", f"{REFS}/tags").split()
    tagged = {release: _commit(clone, f"{REFS}/tags/{name}") or "" for name in named if (release := releases.version(name))}
    written = releases.commits(_text(clone, f"{REFS}/head", "CHANGELOG.md"))
    for release in tagged:
        if written.get(release) and tagged[release] != written[release]:
            why = f"its tag is {tagged[release][:12]}, CHANGELOG.md says {written[release][:12]}"
            raise Problem(f"release {release}", why, "ask who keeps the template which is right; a tag can be moved")
    return {release: commit for release, commit in (written | tagged).items() if commit and _commit(clone, commit)}


def plan(clone: Clone, template: str, wanted: str | None = None) -> Plan | None:
    """What an upgrade to `wanted`, a release, branch or commit, or else to the newest release, will merge; None when the fork has it.

    Raises:
        Problem: the clone is not clean, either release is not known, or `wanted` is an older one.
    """
    old, own = current(clone), _own(clone)
    if clone.dirty():
        raise Problem("this clone", "it has changes that no commit has", "commit them, or git stash --include-untracked")
    fetch(clone, template)
    published = known(clone)
    commit = _target(clone, published, wanted)
    new = _version(clone, commit)
    if new is None or new < old:
        why = f"it is {new}, and this fork stands on {old}" if new else "its pyproject.toml states no version"
        raise Problem(f"upgrade to {wanted or commit[:12]}", why, "to go back, git revert the commit of an upgrade; docs/upgrade.md")
    base = _base(clone, published, old, commit)
    if clone.git("rev-list", "--max-count=1", f"{base}..{commit}") == "":
        return None
    return Plan(old=old, new=new, base=base, commit=commit, own=own)


def merge(clone: Clone, plan: Plan) -> Outcome:
    """Merge into index and working tree. Raises Problem when git refuses for another reason than conflicts."""
    theirs = _theirs(clone, plan)
    try:
        clone.git("cherry-pick", "--no-commit", theirs, env=AUTHOR)
    except Problem:
        if not _unmerged(clone):
            raise
    _keep_own(clone, plan.own)
    stages = _unmerged(clone)
    if removed := [path for path, stage in stages.items() if stage == REMOVED_HERE]:
        clone.git("rm", "--quiet", "--force", "--", *removed)
    conflicts = sorted(stages.keys() - set(removed))
    if locks := [path for path in conflicts if path.endswith(LOCKS) and "3" in stages[path]]:
        clone.git("checkout", "--quiet", "--theirs", "--", *locks)
    before, after = (config_source.settings(_text(clone, commit, CONFIG)) for commit in ("HEAD", plan.commit))
    return Outcome(
        plan=plan,
        rooms=_rooms(_paths(clone.git("diff", "--cached", "--name-only", "-z", "HEAD"))),
        conflicts=tuple(conflicts),
        deleted=tuple(sorted({*removed, *_removed(clone, plan)})),
        left=_left(clone, plan),
        settings={name: default for name, default in after.items() if name not in before},
        gone=tuple(sorted(before.keys() - after.keys())),
        changelog=releases.since(_text(clone, plan.commit, "CHANGELOG.md"), plan.old),
    )


def _target(clone: Clone, published: dict[Version, str], wanted: str | None) -> str:
    if wanted is None:
        if not published:
            raise Problem("template", "it has no release", "name a branch or a commit: ./road upgrade main")
        return published[max(published)]
    if release := releases.version(wanted):
        if release not in published:
            why = f"the template has {', '.join(map(str, sorted(published))) or 'none'}"
            raise Problem(f"release {wanted}", why, "name one of them, a branch or a commit")
        return published[release]
    names = [f"{REFS}/heads/{wanted}", f"{REFS}/tags/{wanted}", *([wanted] if DIGITS.fullmatch(wanted) else [])]
    for name in names:
        if commit := _commit(clone, name):
            return commit
    raise Problem(f"upgrade to {wanted}", "the template has no such release, branch or commit", "./road upgrade --check names the newest")


def _base(clone: Clone, published: dict[Version, str], old: Version, commit: str) -> str:
    """Where both histories part, if the fork has not been upgraded since; else the release that it stands on."""
    try:
        parting = clone.git("merge-base", "HEAD", commit)
    except Problem:
        parting = ""
    if parting and _version(clone, parting) == old:
        return parting
    written = releases.commits(_text(clone, commit, "CHANGELOG.md"))
    for named in (published.get(old, ""), written.get(old, "")):
        if named and (release := _commit(clone, named)):
            return release
    why = f"neither a tag v{old} nor a line Commit: in the template's CHANGELOG.md tells its commit"
    raise Problem(f"release {old}, on which this fork stands", why, "--from a template that has it")


def _theirs(clone: Clone, plan: Plan) -> str:
    """The new release as a commit upon the base, with what is the team's as the base has it."""
    with TemporaryDirectory() as folder:
        index, file = {"GIT_INDEX_FILE": str(Path(folder) / "index")}, Path(folder) / CONFIG
        clone.git("read-tree", plan.commit, env=index)
        clone.git("reset", "--quiet", plan.base, "--", *plan.own, env=index)
        new, base = (_text(clone, commit, CONFIG) for commit in (plan.commit, plan.base))
        file.write_text(config_source.with_statement(new, base), encoding="utf-8")
        blob = clone.git("hash-object", "-w", "--no-filters", str(file))
        clone.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{CONFIG}", env=index)
        tree = clone.git("write-tree", env=index)
    message = f"Upgrade the template from {plan.old} to {plan.new}\n\nTemplate: {plan.commit}\nBase: {plan.base}"
    return clone.git("commit-tree", tree, "-p", plan.base, "-m", message, env=AUTHOR)


def _own(clone: Clone) -> tuple[str, ...]:
    """The team's paths: the template's list and the fork's own."""
    added = _project(clone, "HEAD").get("tool", {}).get("road", {}).get("own", [])
    if not isinstance(added, list) or not all(isinstance(path, str) and path for path in added):
        raise Problem("pyproject.toml", f"[tool.road] own is {added!r}", 'write a list of paths: own = ["docs/ours"]')
    return (*OWN, *added)


def _keep_own(clone: Clone, own: tuple[str, ...]) -> None:
    """Take back what reached a team's paths all the same: git takes a template's file that was removed and a team's like it for a move."""
    there = set(_tree(clone, "HEAD", *own))
    touched = _paths(clone.git("diff", "--name-only", "--no-renames", "-z", "HEAD", "--", *own))
    if kept := [path for path in touched if path in there]:
        clone.git("checkout", "--quiet", "HEAD", "--", *kept)
    if strangers := [path for path in touched if path not in there]:
        clone.git("rm", "--quiet", "--force", "--", *strangers)


def _left(clone: Clone, plan: Plan) -> tuple[str, ...]:
    """What the release has changed or added where only the team does, but for what the team has removed."""
    changed = _changed(clone, plan, "--", *plan.own)
    base, head = set(_tree(clone, plan.base)), set(_tree(clone, "HEAD"))
    return tuple(path for path in changed if path in head or path not in base)


def _removed(clone: Clone, plan: Plan) -> list[str]:
    """What the release has changed and the team had removed, but for what is the team's."""
    own, head = set(_tree(clone, plan.base, *plan.own)), set(_tree(clone, "HEAD"))
    return [path for path in _changed(clone, plan, "--diff-filter=M") if path not in head | own]


def _changed(clone: Clone, plan: Plan, *which: str) -> list[str]:
    return _paths(clone.git("diff", "--name-only", "--no-renames", "-z", plan.base, plan.commit, *which))


def _tree(clone: Clone, commit: str, *paths: str) -> list[str]:
    return _paths(clone.git("ls-tree", "-r", "--name-only", "-z", commit, "--", *paths))


def _rooms(paths: list[str]) -> dict[str, int]:
    """How many files, by room; each of packages/ is one."""
    parts = [PurePosixPath(path).parts for path in paths]
    return dict(sorted(Counter("/".join(part[:2] if part[0] == "packages" else part[:1]) for part in parts).items()))


def _unmerged(clone: Clone) -> dict[str, str]:
    """The stages in the index of every path in conflict: 1 is the base, 2 the fork, 3 the release."""
    stages: dict[str, str] = {}
    for line in _paths(clone.git("ls-files", "--unmerged", "-z")):
        entry, _, path = line.partition("\t")
        stages[path] = stages.get(path, "") + entry[-1]
    return stages


def _version(clone: Clone, commit: str) -> Version | None:
    return releases.version(str(_project(clone, commit).get("project", {}).get("version", "")))


def _project(clone: Clone, commit: str) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(clone, commit, "pyproject.toml"))
    except tomllib.TOMLDecodeError as error:
        raise Problem(f"pyproject.toml of {commit[:12]}", f"not valid TOML: {error}", "correct it and commit that") from error


def _text(clone: Clone, commit: str, path: str) -> str:
    """A text file of a commit; empty where it has none."""
    return f"{clone.git('show', f'{commit}:{path}')}\n" if clone.git("ls-tree", "--name-only", commit, "--", path) else ""


def _commit(clone: Clone, name: str) -> str | None:
    try:
        return clone.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except Problem:
        return None


def _paths(listed: str) -> list[str]:
    return [path for path in listed.split("\0") if path]
