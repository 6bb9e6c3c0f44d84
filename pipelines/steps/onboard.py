"""Gives each model its road that has none: its registry and its delivery pipeline, which CodePipeline starts when it is made."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser
from pathlib import Path

import naming
from config import CONFIG
from paved_runtime import spec
from pipelines.deployment import accounts, cdk, stack, toolchain
from pipelines.steps.step import print_report, progress, run


def main() -> None:
    """Deploy what is missing; print the models that got a road."""
    ArgumentParser(description=__doc__).parse_args()
    cloudformation = accounts.home(CONFIG)("cloudformation")
    new = [model for model in spec.names() if stack.read(cloudformation, naming.delivery_stack(CONFIG, model)) is None]
    if not new:
        progress("every model has its road")
    else:
        with tempfile.TemporaryDirectory() as folder:
            cdk.synth(Path(folder))
            for model in new:
                progress(f"{model} has no road yet: it gets one")
                for stacks in toolchain.of_model(CONFIG, spec.load(model)):
                    cdk.deploy(Path(folder), stacks, {})
    print_report({"models": new})


if __name__ == "__main__":
    run(main, "onboard")
