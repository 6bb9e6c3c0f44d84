"""The region: switched on for the account, and with every service that the stacks and the road call."""

from __future__ import annotations

from collections.abc import Iterator

import boto3

from cli.preflight.finding import Finding, Visit

SUBJECT = "region"
EVERYWHERE = ("cloudformation", "cloudwatch", "ecr", "events", "iam", "kms", "logs", "s3", "sagemaker", "sns", "ssm", "sts")
OF_TOOLCHAIN = ("codebuild", "codeconnections", "codepipeline")
OF_ENVIRONMENTS = ("application-autoscaling", "sagemaker-runtime", "scheduler")


def check(visit: Visit) -> Iterator[Finding]:
    """Whether the account may use its region, and what the region lacks, as botocore's list of endpoints has it."""
    region, session = visit.account.region, boto3.Session()
    partition = session.get_partition_for_region(region)
    services = EVERYWHERE + (OF_TOOLCHAIN if visit.of_toolchain else ())
    if any(environment.account == visit.account for environment in visit.config.environments):
        services += OF_ENVIRONMENTS
    regional = {service: session.get_available_regions(service, partition) for service in services}
    if lacking := [service for service, regions in regional.items() if regions and region not in regions]:
        yield visit.wrong(SUBJECT, f"{region} has no {', '.join(lacking)}", "name another region in config.py")
    status = visit.clients("ec2").describe_regions(RegionNames=[region], AllRegions=True)["Regions"][0].get("OptInStatus")
    if status == "not-opted-in":
        yield visit.wrong(SUBJECT, f"{region} is not switched on for this account", f"aws account enable-region --region-name {region}")
    elif not lacking:
        yield visit.right(SUBJECT, f"{region} is on and has every service")
