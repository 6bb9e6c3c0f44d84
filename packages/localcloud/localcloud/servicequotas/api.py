"""Service Quotas' calls about SageMaker and CodeBuild, answered with what localcloud holds an account to.

moto answers those about other services.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from moto.core.responses import ActionResult
from moto.servicequotas.responses import ServiceQuotasResponse

from localcloud.codebuild import quotas as codebuild
from localcloud.core.errors import error
from localcloud.sagemaker import quotas as sagemaker
from localcloud.sagemaker.records import answer

SERVICES = {"codebuild": ("AWS CodeBuild", codebuild), "sagemaker": ("Amazon SageMaker", sagemaker)}
MOST = 100  # quotas a page
_of_others = {"ListAWSDefaultServiceQuotas": ServiceQuotasResponse.list_aws_default_service_quotas}


def names() -> tuple[str, ...]:
    """Every quota, of whichever service."""
    return tuple(name for _, quotas in SERVICES.values() for name in quotas.names())


def install() -> None:
    """Put these answers in the place of moto's."""
    calls = (list_service_quotas, list_aws_default_service_quotas, get_service_quota, get_aws_default_service_quota)
    answer(calls, by=ServiceQuotasResponse)


def list_service_quotas(self: Any) -> ActionResult:
    return _page(self, _known(self))


def list_aws_default_service_quotas(self: Any) -> Any:
    if self._get_param("ServiceCode") not in SERVICES:
        return _of_others["ListAWSDefaultServiceQuotas"](self)
    return _page(self, _known(self, default=True))


def get_service_quota(self: Any) -> ActionResult:
    return _one(self, _known(self))


def get_aws_default_service_quota(self: Any) -> ActionResult:
    return _one(self, _known(self, default=True))


def _known(self: Any, *, default: bool = False) -> Iterable[dict[str, Any]]:
    """Every quota of the service. Raises an AWS error for services of which localcloud knows none."""
    service = self._get_param("ServiceCode")
    if service not in SERVICES:
        raise error("NoSuchResourceException", f"localcloud knows no quotas of service {service}")
    known_as, quotas = SERVICES[service]
    for name in quotas.names():
        code = f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"  # localcloud's own: AWS's codes are in no description
        yield {
            "ServiceCode": service,
            "ServiceName": known_as,
            "QuotaArn": f"arn:aws:servicequotas:{self.region}:{self.current_account}:{service}/{code}",
            "QuotaCode": code,
            "QuotaName": name,
            "Value": float(quotas.default(name) if default else quotas.value(name)),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }


def _page(self: Any, known: Iterable[dict[str, Any]]) -> ActionResult:
    every, first = list(known), int(self._get_param("NextToken") or 0)
    last = first + min(int(self._get_param("MaxResults") or MOST), MOST)
    more = {"NextToken": str(last)} if last < len(every) else {}
    return ActionResult({"Quotas": every[first:last], **more})


def _one(self: Any, known: Iterable[dict[str, Any]]) -> ActionResult:
    code = self._get_param("QuotaCode")
    quota = next((quota for quota in known if quota["QuotaCode"] == code), None)
    if quota is None:
        raise error("NoSuchResourceException", f"The request failed because the specified quota {code} does not exist.")
    return ActionResult({"Quota": quota})
