"""A registered version, and what is in it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import expected_shift, member, model_sha256, read
from pipelines.evidence import document
from tests.support.fakes import Fake, archive
from tests.support.packages import PACKAGE
from tests.support.served_model import GOLDEN


def test_the_package_and_what_is_in_it() -> None:
    container = {"Image": PACKAGE.image, "ModelDataUrl": PACKAGE.data}
    described = {"InferenceSpecification": {"Containers": [container]}, "ModelApprovalStatus": "Approved"}
    s3 = Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(golden=GOLDEN, schema={}))})
    version = read(Fake(describe_model_package=lambda **_: described), PACKAGE.arn)

    assert version == PACKAGE
    assert member(s3, version, "golden.json") == GOLDEN
    assert s3.asked("get_object") == [{"Bucket": "artifacts", "Key": "runs/1/model.tar.gz"}]


def test_a_package_without_golden_requests() -> None:
    with pytest.raises(KeyError, match=r"golden\.json"):
        member(Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(schema={}))}), PACKAGE, "golden.json")


def stored(**files: object) -> Fake:
    return Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(**files))})


def test_a_container_names_its_model_by_model_and_metadata() -> None:
    """As paved_runtime does it."""
    trees: dict[str, object] = {"model": b"trees"}
    graphless: dict[str, object] = {"metadata": {}}  # its framework writes no graph
    models = (trees | {"metadata": {}}, trees | {"metadata": {"commit": "a"}}, graphless)
    digests = {model_sha256(stored(**files), PACKAGE.data) for files in models}

    assert all(len(digest) == 64 for digest in digests)
    assert len(digests) == 3
    with pytest.raises(DeploymentError, match=r"model\.tar\.gz holds no metadata\.json: there is nothing to deploy: train again"):
        model_sha256(stored(model=b"trees"), PACKAGE.data)


def test_an_archive_that_was_changed_after_its_registration_is_refused() -> None:
    content = archive(model=b"trees", metadata={})
    digest, s3 = document.sha256(content), Fake(get_object=lambda **_: {"Body": io.BytesIO(content)})

    assert model_sha256(s3, PACKAGE.data, digest) == model_sha256(s3, PACKAGE.data)
    with pytest.raises(DeploymentError, match=rf"model\.tar\.gz has sha256 {digest}, registered was {'ab' * 32}: it was changed: "):
        model_sha256(s3, PACKAGE.data, "ab" * 32)
    with pytest.raises(DeploymentError, match=r"model\.tar\.gz has sha256"):
        member(s3, replace(PACKAGE, metadata={"artifact_sha256": "ab" * 32}), "metadata.json")


def test_a_version_without_an_evaluation_is_not_deployed() -> None:
    with pytest.raises(DeploymentError, match=r"holds no evaluation\.json: there is nothing to deploy: train again"):
        expected_shift(stored(model=b"trees"), PACKAGE, "arn")
