"""CodeBuild's calls, answered from the projects and the builds that run."""

from __future__ import annotations

import json
import uuid
from typing import Any

from moto.codebuild.responses import CodeBuildResponse

from localcloud.codebuild import builds, projects
from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid, missing


def install() -> None:
    """Answer CodeBuild's calls from builds that run."""
    for operation in (create_project, batch_get_projects, start_build, batch_get_builds, stop_build, list_builds_for_project):
        setattr(CodeBuildResponse, operation.__name__, operation)


def create_project(self: Any) -> str:
    account, region = _caller_region(self)
    project = json.loads(self.body)
    projects.put(account, region, project)
    return json.dumps({"project": projects.find(account, region, project["name"])})


def batch_get_projects(self: Any) -> str:
    names = self._get_param("names")
    existing = projects.named(*_caller_region(self), names)
    return json.dumps({"projects": list(existing.values()), "projectsNotFound": [n for n in names if n not in existing]})


def _caller_region(self: Any) -> tuple[str, str]:
    return self.current_account, self.region


def start_build(self: Any) -> str:
    account, region = _caller_region(self)
    project = projects.find(account, region, self._get_param("projectName"))
    if (kind := project["source"]["type"]) != "NO_SOURCE":
        starter = "a host's webhook, which localcloud has not," if kind in projects.HOSTED else "a pipeline"
        raise invalid(f"builds of project {project['name']}, of source {kind}, are started by {starter} only")
    variables = {v["name"]: v["value"] for v in self._get_param("environmentVariablesOverride", [])}
    source = cloud().folder("builds", project["name"], f"source-{uuid.uuid4()}")
    build = builds.start(
        account=account,
        region=region,
        name=project["name"],
        variables=variables,
        sources={"": source},
        outputs=(),
        initiator="StartBuild",
    )
    return json.dumps({"build": build.describe()})


def batch_get_builds(self: Any) -> str:
    ids = [i.rpartition("build/")[2] if i.startswith("arn:") else i for i in self._get_param("ids")]
    known = {i: b for i in ids if (b := builds.find(i)) and (b.account, b.region) == _caller_region(self)}
    return json.dumps({"builds": [b.describe() for b in known.values()], "buildsNotFound": [i for i in ids if i not in known]})


def stop_build(self: Any) -> str:
    build = builds.find(self._get_param("id"))
    if build is None:
        raise missing(f"Build {self._get_param('id')} does not exist")
    build.stop()
    return json.dumps({"build": build.describe()})


def list_builds_for_project(self: Any) -> str:
    name = self._get_param("projectName")
    projects.find(*_caller_region(self), name)
    return json.dumps({"ids": [build.id for build in builds.newest_first(name)]})
