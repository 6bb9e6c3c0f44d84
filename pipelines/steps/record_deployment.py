"""Writes a deployment into the ledger, signed: what serves from now on, in which environment, and who let it in.

A step that runs again finds the entry it wrote.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from pipelines.deployment import approval, ledger
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import document
from pipelines.evidence.document import DocumentError
from pipelines.steps.step import add_environment, open_place, parser, print_report, progress, run


def main() -> None:
    """Record that `--model-package-arn` was deployed to `--environment`."""
    arguments = parser(__doc__)
    add_environment(arguments)
    for flag in ("--model-package-arn", "--execution"):
        arguments.add_argument(flag, required=True)
    arguments.add_argument("--verified", required=True, type=Path, help="the report that verify wrote")
    options = arguments.parse_args()
    place = open_place(options.model, options.environment)
    registry, environment = place.registry, place.environment.name
    try:
        evidence, verified = approval.evidence_of(registry, options.model_package_arn), json.loads(options.verified.read_bytes())
        if place.environment.approved_only and evidence.approval is None:
            raise DeploymentError(
                f"{evidence.model_package_arn} has no approval that the release key signed: nothing was recorded: approve it"
            )
        now = document.utc(datetime.now(UTC))
        entry = ledger.entry(evidence, verified, environment=environment, execution=options.execution, time=now)
        written = ledger.record(registry, entry).uri
    except DocumentError as error:
        raise DeploymentError(f"{error}: nothing was recorded: correct what wrote that, and retry the stage") from error
    progress(f"recorded in {written}")
    print_report({"entry": written})


if __name__ == "__main__":
    run(main, "record_deployment")
