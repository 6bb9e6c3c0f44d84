"""Writes a person's decision beside the evidence and into the registry: who approved this version, for which commit, and why."""

from __future__ import annotations

import naming
from pipelines.deployment import approval
from pipelines.deployment.approval import Request
from pipelines.steps.step import add_environment, open_place, parser, print_report, run


def main() -> None:
    """Approve `--model-package-arn` beside its evidence and in the registry, if this execution's approval says so."""
    arguments = parser(__doc__)
    add_environment(arguments)
    for flag in ("--model-package-arn", "--execution", "--commit", "--evidence-sha256"):
        arguments.add_argument(flag, required=True)
    options = arguments.parse_args()
    place = open_place(options.model, options.environment)
    request = Request(
        pipeline=naming.delivery_pipeline(place.config, options.model),
        execution=options.execution,
        action=naming.approval(place.config, place.environment),
        model_package_arn=options.model_package_arn,
        commit=options.commit,
        evidence_sha256=options.evidence_sha256,
    )
    decision = approval.decision(place.registry.codepipeline, request)
    text = approval.record(place.registry, decision)
    print_report({"model_package_arn": options.model_package_arn, "approval": text, "evidence_sha256": options.evidence_sha256})


if __name__ == "__main__":
    run(main, "record_approval")
