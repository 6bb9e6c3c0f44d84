"""Brings the toolchain's stacks to what this commit says."""

from __future__ import annotations

from argparse import ArgumentParser

from config import CONFIG
from paved_runtime import spec
from pipelines.deployment import cdk, toolchain
from pipelines.steps.step import add_assembly, print_report, run


def main() -> None:
    """Deploy a model's registry and its pipeline; without `--model`, those of every model, the toolchain and the platform's pipeline."""
    arguments = ArgumentParser(description=__doc__)
    arguments.add_argument("--model")
    add_assembly(arguments)
    options = arguments.parse_args()
    groups = toolchain.of_model(CONFIG, spec.load(options.model)) if options.model else toolchain.of_all(CONFIG, spec.names())
    for stacks in filter(None, groups):
        cdk.deploy(options.assembly, stacks, {})
    print_report({"stacks": [stack for stacks in groups for stack in stacks]})


if __name__ == "__main__":
    run(main, "update")
