"""What a push needs, brought to a localcloud: bootstrapped accounts, the toolchain, and every model's registry and pipelines."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from pip._internal.models.index import PyPI

from cli import cdk
from cli.local import LocalCloud
from cli.progress import Progress
from config import CONFIG


def deploy(cloud: LocalCloud, progress: Progress, *, fresh: bool) -> None:
    """Deploy what a push needs; a fresh cloud's accounts are bootstrapped first, while the stacks are synthesised."""
    with ThreadPoolExecutor() as pool:
        synth = pool.submit(_synth, cloud, progress)
        if fresh:
            with progress.step(f"bootstrap {len(CONFIG.accounts)} accounts"):
                cdk.bootstrap(cloud)
        synth.result()
    if fresh and (secret := CONFIG.builds.package_index_secret):
        _keep_index(cloud, secret)
    with progress.step("deploy toolchain, registries and pipelines"):
        env = {**cloud.environment(CONFIG.toolchain), **cdk.QUIET}
        cdk.deploy_before_a_push(env=env, log=cloud.logs / "cdk-deploy.log", assembly=cloud.assembly)


def _keep_index(cloud: LocalCloud, name: str) -> None:
    """Store the secret in which the firm keeps its index's URL: here, the index that this machine installs from."""
    url = os.environ.get("PIP_INDEX_URL", PyPI.simple_url)
    cloud.session(CONFIG.toolchain).client("secretsmanager").create_secret(Name=name, SecretString=url)


def _synth(cloud: LocalCloud, progress: Progress) -> None:
    with progress.step("synthesise the stacks"):
        cdk.synth(cloud.assembly, log=cloud.logs / "cdk-synth.log")
