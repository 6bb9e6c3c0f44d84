"""A served model's stacks as their deployment sees them: fields here, names of CloudFormation there."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.serving_stack import MonitoringParameters, Parameters, ServingOutputs, ServingParameters, cloudformation_name

OUTPUTS = {
    "EndpointName": "endpoint",
    "EndpointConfigName": "config",
    "ModelPackage": "arn",
    "RollbackAlarms": "config-Cpu,config-Memory",
    "LogGroup": "log",
    "CaptureBucket": "bucket",
    "ModelVersion": "0123456789ab",
    "PreviousModelVersion": "none",
}


def test_fields_have_names_of_cloudformation() -> None:
    names = ("urgent", "model_package_arn", "expected_shift_p10", "image_uri")

    assert [cloudformation_name(name) for name in names] == ["Urgent", "ModelPackageArn", "ExpectedShiftP10", "ImageUri"]


def test_what_a_deployment_gives_is_read_back() -> None:
    parameters = ServingParameters(model_package_arn="arn", model_version="0123456789ab", expected_shift_p90="-0.125", urgent="yes")

    assert parameters.values()["ExpectedShiftP90"] == "-0.125"
    assert ServingParameters.read(parameters.values()) == parameters


def test_what_is_not_given_asks_for_nothing() -> None:
    values = ServingParameters().values()

    assert {name: values[name] for name in ("ModelVersion", "PreviousModelVersion", "Urgent", "ShadowModelPackageArn")} == {
        "ModelVersion": "none",
        "PreviousModelVersion": "none",
        "Urgent": "no",
        "ShadowModelPackageArn": "",
    }
    assert {values[f"ExpectedShiftP{percent}"] for percent in (10, 50, 90)} == {"+0"}
    assert MonitoringParameters().values() == {"ImageUri": "none", "ModelDataUrl": "none", "ModelVersion": "none"}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_shift_is_any_number_that_scores_may_have_moved_by(shift: float) -> None:
    pattern = ServingParameters.declared()["ExpectedShiftP50"].metadata["pattern"]

    assert re.fullmatch(pattern, f"{shift:+.6f}")


@pytest.mark.parametrize("text", ["", "0.1", "+", "+nan", "+inf", "+1e9", "-.5", "+1,5", "+0.1)-(0"])
def test_what_is_no_shift_is_refused(text: str) -> None:
    pattern = ServingParameters.declared()["ExpectedShiftP50"].metadata["pattern"]

    assert not re.fullmatch(pattern, text)


def test_unknown_parameters_are_left_out() -> None:
    assert ServingParameters.read({"Urgent": "yes", "BootstrapVersion": "21"}) == ServingParameters(urgent="yes")


@pytest.mark.parametrize("kind", [ServingParameters, MonitoringParameters])
def test_every_parameter_is_described_and_its_default_fits(kind: type[Parameters]) -> None:
    for name, field in kind.declared().items():
        about = field.metadata
        assert about["description"], name
        if about["default"] is not None:
            assert not about["pattern"] or re.fullmatch(about["pattern"], about["default"]), name
            assert not about["values"] or about["default"] in about["values"], name


def test_outputs_are_read_as_the_stack_gives_them() -> None:
    outputs = ServingOutputs.read(OUTPUTS)

    assert outputs.values() == {**OUTPUTS, "QueueBucket": ""}, "requests wait only where the stack says so"
    assert outputs.alarms == ["config-Cpu", "config-Memory"]
    assert ServingOutputs.read({**OUTPUTS, "RollbackAlarms": ""}).alarms == []


def test_outputs_of_a_stack_that_names_no_version() -> None:
    known = {name: value for name, value in OUTPUTS.items() if name not in ("ModelVersion", "PreviousModelVersion")}

    assert ServingOutputs.read(known).model_version == "none"


@pytest.mark.parametrize("missing", sorted(set(OUTPUTS) - {"ModelVersion", "PreviousModelVersion"}))
def test_an_output_that_every_stack_has_and_this_does_not(missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        ServingOutputs.read({name: value for name, value in OUTPUTS.items() if name != missing})
