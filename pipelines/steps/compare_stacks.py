"""Says whether what a model's files decide differs from what stands: the templates of its registry and its delivery pipeline."""

from __future__ import annotations

import naming
from config import CONFIG
from pipelines.deployment import accounts, cdk, stack
from pipelines.steps.step import add_assembly, parser, print_exports, progress, run


def main() -> None:
    """Print STACKS_DIFFER as a shell variable: `yes`, also where one is not deployed, or `no`."""
    arguments = parser(__doc__)
    add_assembly(arguments)
    options = arguments.parse_args()
    cloudformation = accounts.home(CONFIG)("cloudformation")
    names = [naming.registry_stack(CONFIG, options.model), naming.delivery_stack(CONFIG, options.model)]
    differ = [name for name in names if stack.template(cloudformation, name) != cdk.template(options.assembly, name)]
    progress(f"what differs from the assembly: {', '.join(differ) or 'nothing'}")
    print_exports({"STACKS_DIFFER": "yes" if differ else "no"})


if __name__ == "__main__":
    run(main, "compare_stacks")
