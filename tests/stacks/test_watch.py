"""What people look at once a model serves."""

from __future__ import annotations

import json

from tests.stacks.conftest import Layout


def test_the_dashboard_shows_this_endpoints_traffic_errors_latency_and_machines(layout: Layout) -> None:
    dashboard = layout.only("PavedRoad-lead-scoring-Watch-production", "AWS::CloudWatch::Dashboard")
    body = json.dumps(dashboard["DashboardBody"])

    assert dashboard["DashboardName"] == "paved-road-lead-scoring-production"
    for metric in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency", "CPUUtilization", "MemoryUtilization"):
        assert metric in body


def test_watching_does_not_bind_the_two_stacks_together(layout: Layout) -> None:
    assert "ImportValue" not in json.dumps(layout.templates)
