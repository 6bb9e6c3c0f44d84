"""A pipeline that was deleted is gone, with what it was doing."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.pipelines import of_approvals


@pytest.mark.aws("CodePipeline's QUEUED and SUPERSEDED modes")
def test_a_deleted_pipeline_is_gone(cloud: Accounts, name: Name) -> None:
    pipelines, gone = cloud.client("codepipeline"), name("gone")
    of_approvals(cloud, gone)
    pipelines.start_pipeline_execution(name=gone)

    pipelines.delete_pipeline(name=gone)
    pipelines.delete_pipeline(name=gone)  # there is none: nothing to do

    assert gone not in {each["name"] for page in pipelines.get_paginator("list_pipelines").paginate() for each in page["pipelines"]}
    with pytest.raises(ClientError, match="PipelineNotFoundException"):
        pipelines.start_pipeline_execution(name=gone)
