"""Writes down, signs and publishes everything that a decision about one candidate rests on."""

from __future__ import annotations

from pathlib import Path

from pipelines.deployment.candidate import Candidate
from pipelines.deployment.proof import prove
from pipelines.evidence import document, pack
from pipelines.steps.step import add_environment, open_place, parser, print_exports, progress, run


def main() -> None:
    """Publish the evidence of one candidate; print EVIDENCE_URI and EVIDENCE_SHA256 as shell variables."""
    arguments = parser(__doc__)
    add_environment(arguments)
    for flag in ("--model-package-arn", "--execution", "--training-execution-arn", "--cause"):
        arguments.add_argument(flag, required=True)
    arguments.add_argument("--staging", required=True, type=Path, help="the report that verify wrote")
    options = arguments.parse_args()
    registry = open_place(options.model, options.environment).registry
    candidate = Candidate(
        model_package_arn=options.model_package_arn,
        execution=options.execution,
        cause=options.cause,
        training_execution_arn=options.training_execution_arn,
        staging=options.staging.read_bytes(),
    )
    evidence = prove(registry, candidate)
    uri = pack.evidence_uri(registry.artifacts, evidence.model_package_arn)
    progress(f"evidence of {evidence.model_package_arn}: {uri}")
    print_exports({"EVIDENCE_URI": uri, "EVIDENCE_SHA256": document.shown_sha256(evidence)})


if __name__ == "__main__":
    run(main, "prove")
