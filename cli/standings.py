"""How the endpoints stand that commands speak of: asked of SageMaker before anything is said of them."""

from __future__ import annotations

from botocore.exceptions import ClientError

from cli.target import Target
from config import Environment
from paved_runtime.spec import ModelSpec
from pipelines.deployment import accounts, standing
from pipelines.deployment.errors import code
from pipelines.deployment.place import Place
from pipelines.deployment.standing import Standing

REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def place(aws: Target, model: ModelSpec, environment: Environment, *, deployer: str = "lookup") -> Place:
    """Where the model serves. `deployer` is the role of CDK's bootstrap that may change something there."""
    clients = [accounts.of(aws.inside(environment.account, role)) for role in (deployer, "lookup")]
    return Place(registry=aws.registry(model), environment=environment, deployer=clients[0], verifier=clients[1])


def look(aws: Target, model: ModelSpec, environment: Environment) -> Standing:
    """How the model's endpoint stands. Who may not look there is told so: it is no reason to show nothing else."""
    try:
        return standing.look(place(aws, model, environment))
    except ClientError as error:
        if code(error) not in REFUSED:
            raise
        why = f"what serves in {environment.name} is not known: {error.response['Error']['Message']}: use credentials that may look there"
        return Standing(state="unknown", lines=(why,))
