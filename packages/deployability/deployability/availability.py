"""Availability: what AWS no longer gives to whoever does not have it already."""

from __future__ import annotations

from collections.abc import Iterator

from deployability.rule import Finding, rule
from deployability.template import Template

_MONITOR = "SageMaker Model Monitor is no longer open to new customers"
# What the services' own guides say: "Amazon SageMaker Model Monitor availability change", the notices in the guides of Cloud9, Kendra,
# Q Business and Incident Manager, CloudWatch Evidently's end on 16 October 2025, CodeGuru Reviewer's for new associations in November.
CLOSED = {
    **dict.fromkeys(
        (
            "AWS::SageMaker::DataQualityJobDefinition",
            "AWS::SageMaker::ModelBiasJobDefinition",
            "AWS::SageMaker::ModelExplainabilityJobDefinition",
            "AWS::SageMaker::ModelQualityJobDefinition",
            "AWS::SageMaker::MonitoringSchedule",
        ),
        _MONITOR,
    ),
    "AWS::Cloud9::EnvironmentEC2": "AWS Cloud9 is no longer available to new customers",
    "AWS::CodeGuruReviewer::RepositoryAssociation": "CodeGuru Reviewer takes no new associations",
    **dict.fromkeys(
        ("AWS::Evidently::Experiment", "AWS::Evidently::Feature", "AWS::Evidently::Launch", "AWS::Evidently::Project"),
        "CloudWatch Evidently has ended",
    ),
    **dict.fromkeys(
        ("AWS::Kendra::DataSource", "AWS::Kendra::Faq", "AWS::Kendra::Index"), "Amazon Kendra is no longer open to new customers"
    ),
    "AWS::QBusiness::Application": "Amazon Q Business is no longer open to new customers",
    "AWS::SSMIncidents::ResponsePlan": "Incident Manager is no longer open to new customers",
}


@rule("W9230", "What is asked for can still be had", absent="it reads no property")
def still_to_be_had(template: Template) -> Iterator[Finding]:
    for name, kind, _ in template:
        if kind in CLOSED:
            yield Finding(name, f"{CLOSED[kind]}: in an account that never used it, creating it fails", "use what AWS names in its place")
