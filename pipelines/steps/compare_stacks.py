"""Says whether what a model's files decide differs from what stands: templates of its registry, delivery pipeline and features."""

from __future__ import annotations

from config import CONFIG
from paved_runtime import spec
from pipelines.deployment import accounts, cdk, stack, toolchain
from pipelines.steps.step import add_assembly, parser, print_exports, progress, run


def main() -> None:
    """Print STACKS_DIFFER as a shell variable: `yes`, also where one is not deployed, or `no`."""
    arguments = parser(__doc__)
    add_assembly(arguments)
    options = arguments.parse_args()
    cloudformation = accounts.home(CONFIG)("cloudformation")
    names = [name for group in toolchain.of_model(CONFIG, spec.load(options.model)) for name in group]
    differ = [name for name in names if stack.template(cloudformation, name) != cdk.template(options.assembly, name)]
    progress(f"what differs from the assembly: {', '.join(differ) or 'nothing'}")
    print_exports({"STACKS_DIFFER": "yes" if differ else "no"})


if __name__ == "__main__":
    run(main, "compare_stacks")
