"""Triggers: which pushes start a pipeline. Of several filters any does, and a push starts a pipeline once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from localcloud.codepipeline.globs import compiled
from localcloud.core.errors import invalid
from localcloud.source.git import Push

Definition = Mapping[str, Any]
CRITERIA = ({"branches"}, {"branches", "filePaths"})  # the combinations that CodePipeline takes, but for tags
STARTED_BY = {"triggerType": "WebhookV2", "triggerDetail": "git push"}


def check(definition: Definition) -> None:
    """Raise an AWS error for triggers that CodePipeline does not take, or localcloud does not honour."""
    configurations = [trigger["gitConfiguration"] for trigger in definition.get("triggers", [])]
    sources = [configuration["sourceActionName"] for configuration in configurations]
    for configuration in configurations:
        name = configuration["sourceActionName"]
        if sources.count(name) > 1:
            raise invalid(f"source action {name} has {sources.count(name)} triggers: it may have one, of up to three filters")
        if name not in _branches(definition):
            raise invalid(f"trigger of {name}: the pipeline has no source action of that name that uses a connection")
        if "pullRequest" in configuration:
            raise invalid("localcloud has no pull requests: remove pullRequest from the trigger")
        for criteria in configuration.get("push", []):
            _check_filter(criteria)


def wants(definition: Definition, push: Push) -> bool:
    """Whether a trigger of the pipeline starts it on this push. A trigger without a filter watches the branch of its source action."""
    return any(_matches(trigger["gitConfiguration"], definition, push) for trigger in definition.get("triggers", []))


def _branches(definition: Definition) -> dict[str, str]:
    """The branch of each source action that uses a connection, by the action's name."""
    actions = (action for stage in definition["stages"] for action in stage["actions"])
    sources = (action for action in actions if action["actionTypeId"]["provider"] == "CodeStarSourceConnection")
    return {action["name"]: action["configuration"]["BranchName"] for action in sources}


def _check_filter(criteria: Mapping[str, Any]) -> None:
    if "tags" in criteria:
        raise invalid("localcloud starts nothing when a tag is pushed: remove tags from the trigger")
    if set(criteria) not in CRITERIA:
        raise invalid(f"a push filter has {' and '.join(sorted(criteria)) or 'nothing'}: it may have branches, or branches and filePaths")
    for lists in criteria.values():
        for pattern in (*lists.get("includes", []), *lists.get("excludes", [])):
            try:
                compiled(pattern)
            except ValueError as problem:
                raise invalid(f"trigger: {problem}") from None


def _matches(configuration: Mapping[str, Any], definition: Definition, push: Push) -> bool:
    if "push" not in configuration:
        return push.branch == _branches(definition)[configuration["sourceActionName"]]
    return any(
        _chosen(criteria.get("branches"), [push.branch]) and _chosen(criteria.get("filePaths"), push.paths)
        for criteria in configuration["push"]
    )


def _chosen(lists: Mapping[str, Sequence[str]] | None, names: Iterable[str]) -> bool:
    """Whether one of the names is included, and not excluded."""
    if lists is None:
        return True
    includes, excludes = lists.get("includes", ["**"]), lists.get("excludes", [])
    return any(_any(includes, name) and not _any(excludes, name) for name in names)


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(compiled(pattern).fullmatch(name) for pattern in patterns)
