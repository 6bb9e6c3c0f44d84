"""What AWS's documentation leaves open, and how localcloud takes it: each of these can be assumed, and is not where nothing is said.

A road that holds either way does not depend on which of the two is true.
"""

from __future__ import annotations

from enum import StrEnum


class Assumption(StrEnum):
    """What can be assumed, by its name on the command line.

    ROLLBACK_FAILS_UPDATE: CloudFormation calls the update of an endpoint a failure where SageMaker's guardrails took the deployment back;
    otherwise it sees an endpoint that is in service again, and calls that a success.
    SERVED_CONFIG_REFUSED: UpdateEndpoint refuses the configuration that the endpoint has already ("To update an endpoint, you must create a
    new EndpointConfig", its page says); otherwise it deploys that one again.
    EMPTY_BODY_REFUSED: InvokeEndpoint refuses an empty body itself, with a ValidationError (its page gives Body a greatest length, and
    no least); otherwise the container gets it.
    FAILURE_IS_MESSAGE: the object of an asynchronous request that a container refused holds SageMaker's own words, with the status;
    otherwise it holds the container's answer ("failure inference response payload", InvokeEndpointAsync's page says).
    """

    ROLLBACK_FAILS_UPDATE = "rollback-fails-update"
    SERVED_CONFIG_REFUSED = "served-config-refused"
    EMPTY_BODY_REFUSED = "empty-body-refused"
    FAILURE_IS_MESSAGE = "failure-is-message"
