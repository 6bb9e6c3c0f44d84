"""`road up`: an AWS on this laptop with everything deployed that a push needs."""

from __future__ import annotations

from cli import local, output, provisioning
from cli.local import LocalCloud
from cli.problem import Problem
from cli.progress import Progress
from cli.tree import relative
from config import CONFIG
from paved_runtime import spec


def up(
    *,
    port: local.Port = 0,
    speed: local.Speed = local.DEFAULT_SPEED,
    containers: local.Containers = False,
    json: output.Json = False,
) -> None:
    """Start localcloud and deploy to it what a push needs. When it runs already, deploys what has changed."""
    with local.alone():
        cloud = local.find()
        if cloud and port and not cloud.url.endswith(f":{port}"):
            raise Problem("localcloud", f"one runs already at {cloud.url}", "./road down first, or leave --port out")
        if cloud and containers and not cloud.containers:
            raise Problem(
                "localcloud", f"one runs already at {cloud.url}, without containers", "./road down first, or leave --containers out"
            )
        fresh = cloud is None
        try:
            with Progress() as progress:
                if cloud is None:
                    with progress.step("start localcloud"):
                        cloud, _ = local.start(port=port, speed=speed, containers=containers)
                provisioning.deploy(cloud, progress, fresh=fresh)
        except BaseException:
            if fresh:
                local.end()
            raise
    output.show(_greeting(cloud), {"url": cloud.url, "remote": cloud.remote, "pid": cloud.pid, "speed": cloud.speed}, json=json)


def _greeting(cloud: LocalCloud) -> str:
    branch, model = CONFIG.repository.branch, next(iter(spec.names()), "MODEL")
    return f"""
localcloud answers at {cloud.url}; {cloud.speed:g} seconds of a template's durations pass in one.

  git push {cloud.remote} HEAD:{branch}     or: ./road push
  {f"./road data put {model} FILE.csv":<40}  what the next push trains on
  ./road status --watch                     where every push stands
  eval "$(./road env)"                      then aws, boto3 and cdk speak to it
  ./road down                               stop it

Logs are in {relative(cloud.logs)}."""
