"""The road itself: what happens, in which order, after a push. A description only; `stacks/toolchain.py` places it in AWS.

A model's road (`model_road`), started by a push to `model_code/<model>/`:

1. Source      the pushed commit
2. Build       checks, synth, then the image, known by its digest from here on
3. Train       the training pipeline for exactly this image, data and commit; registers one model package
4. Staging     deploys that package from the assembly of step 2, then asks the live endpoint
5. Approval    a person decides; the request names the commit and the package
6. Production  writes the decision into the registry, deploys the same package from the same assembly, reads it back

The road of everything else (`platform_road`), started by a push to the infrastructure:

1. Source      the pushed commit
2. Check       every check and a synth
3. Update      the pipelines and workshops themselves
4. Staging     the serving stacks that stand there, with the model packages that are in them: nothing is trained
5. Approval    a person decides; the request names the commit
6. Production  the same, there

Environments come from `config.py`: each gets a stage, and an approval in front of it when it is `approved_only`.
The commands are those a person would type in a clone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from config import Config, Environment
from model_code.spec import ModelSpec

PLATFORM = "platform"
COMMIT = "#{Source.CommitId}"
EXECUTION = "#{codepipeline.PipelineExecutionId}"
MODEL_PACKAGE_ARN = "#{Train.MODEL_PACKAGE_ARN}"

ASSEMBLY = '--assembly "$CODEBUILD_SRC_DIR_Assembly"'
LONGEST_DEPLOYMENT = 9 * 60  # minutes; SageMaker gives a blue/green deployment eight hours at most
LONGEST_BUILD = 36 * 60  # minutes; CodeBuild's own limit

# CodePipeline takes at most eight patterns a filter.
INFRASTRUCTURE = (
    "app.py",
    "config.py",
    "cdk.json",
    "requirements.lock",
    "stacks/**",
    "pipelines/**",
    "model_code/runtime/**",
    "model_code/spec.py",
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A stage that runs commands, in the first artifact of `inputs`.

    `variables` reach the commands as environment variables and may hold CodePipeline's `#{…}`; `exports` are the environment
    variables that later stages see as `#{<name>.<variable>}`; `output` is an artifact made of the folder `cdk.out`.
    `environment` is where the job deploys to; without one it stays in the toolchain's account.
    """

    name: str
    commands: tuple[str, ...]
    inputs: tuple[str, ...] = ("Source",)
    variables: Mapping[str, str] = field(default_factory=dict)
    exports: tuple[str, ...] = ()
    output: str | None = None
    environment: Environment | None = None
    builds_images: bool = False
    timeout_minutes: int = 60

    def buildspec(self) -> dict[str, object]:
        """The job as CodeBuild reads it."""
        return {
            "version": "0.2",
            **({"env": {"exported-variables": list(self.exports)}} if self.exports else {}),
            "phases": {
                "install": {"runtime-versions": {"python": "3.11"}, "commands": ["chmod +x road"]},  # artifacts may lose file modes
                "build": {"commands": list(self.commands)},
            },
            **({"artifacts": {"base-directory": "cdk.out", "files": ["**/*"]}} if self.output else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A stage that waits for a person, who is shown `request`."""

    name: str
    request: str


@dataclass(frozen=True, kw_only=True)
class Road:
    """One pipeline: a push to `paths` takes `stages` in order, after the source. `model` is a model's name or `platform`."""

    model: str
    paths: tuple[str, ...]
    stages: tuple[Job | Approval, ...]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The stages that run commands."""
        return tuple(stage for stage in self.stages if isinstance(stage, Job))


def model_road(config: Config, model: ModelSpec) -> Road:
    """The road of one model."""
    request = f"{model.name}: commit {COMMIT}, model package {MODEL_PACKAGE_ARN}"
    environments = _environments(config, request, lambda environment, approval: _deploy(config, model, environment, approval))
    return Road(
        model=model.name,
        paths=(f"model_code/{model.name}/**",),
        stages=(_build(config, model), _train(config, model), *environments),
    )


def platform_road(config: Config, models: Sequence[ModelSpec]) -> Road:
    """The road of the infrastructure under every model."""
    environments = _environments(config, f"infrastructure: commit {COMMIT}", lambda environment, _: _redeploy(config, models, environment))
    return Road(model=PLATFORM, paths=INFRASTRUCTURE, stages=(_check(), _update(config, models), *environments))


def _environments(config: Config, request: str, stage: Callable[[Environment, Approval | None], Job]) -> Iterator[Job | Approval]:
    approvals = 0
    for environment in config.environments:
        approval = None
        if environment.approved_only:
            approvals += 1
            approval = Approval(name="Approval" if approvals == 1 else f"Approval-{environment.name}", request=request)
            yield approval
        yield stage(environment, approval)


def _build(config: Config, model: ModelSpec) -> Job:
    return Job(
        name="Build",
        commands=(
            f"./road check --model {model.name}",
            "./road exec cdk synth --quiet --output cdk.out",
            f"{_facts(config, model)} > facts.env",
            ". ./facts.env",
            f'IMAGE_URI=$({_step("build_image")} --model {model.name} --commit "$COMMIT" --repository "$IMAGE_REPOSITORY")',
            "export IMAGE_URI",
        ),
        variables={"COMMIT": COMMIT},
        exports=("IMAGE_URI",),
        output="Assembly",
        builds_images=True,
    )


def _train(config: Config, model: ModelSpec) -> Job:
    return Job(
        name="Train",
        commands=(
            f"{_facts(config, model)} --need-data > facts.env",
            ". ./facts.env",
            f'./road exec python -m pipelines.training --model {model.name} --image-uri "$IMAGE_URI" --commit "$COMMIT"'
            ' --data-uri "$DATA_URI" --data-sha256 "$DATA_SHA256" --role "$TRAINING_ROLE" --key "$KEY"'
            ' --artifacts "s3://$ARTIFACTS_BUCKET" --region "$AWS_REGION" > definition.json',
            f"{_step('train')} --pipeline {config.name(model.name, 'training')} --definition definition.json"
            ' --role "$TRAINING_ROLE" --execution "$EXECUTION" > train.env',
            ". ./train.env",
        ),
        variables={"COMMIT": COMMIT, "EXECUTION": EXECUTION, "IMAGE_URI": "#{Build.IMAGE_URI}"},
        exports=("MODEL_PACKAGE_ARN", "PIPELINE_EXECUTION_ARN"),
        timeout_minutes=min(model.training.max_runtime_minutes + 120, LONGEST_BUILD),
    )


def _deploy(config: Config, model: ModelSpec, environment: Environment, approval: Approval | None) -> Job:
    package = '--model-package-arn "$MODEL_PACKAGE_ARN"'
    serving, watch = _environment_stacks(config, model, environment)
    record = (
        f'{_step("record_approval")} --pipeline {config.name(model.name)} --execution "$EXECUTION"'
        f' --action {approval.name} {package} --commit "$COMMIT"'
        if approval
        else None
    )
    deploy = f"{_step('deploy')} {ASSEMBLY} --stack {serving} --stack {watch} {package}" + (" --approved-only" if approval else "")
    verify = f"{_step('verify')} --stack {serving} {_verifier(config, model, environment)} {package}"
    return Job(
        name=environment.name.title(),
        commands=tuple(command for command in (record, deploy, verify) if command),
        inputs=("Source", "Assembly"),
        variables={"COMMIT": COMMIT, "EXECUTION": EXECUTION, "MODEL_PACKAGE_ARN": MODEL_PACKAGE_ARN},
        environment=environment,
        timeout_minutes=LONGEST_DEPLOYMENT,
    )


def _check() -> Job:
    return Job(name="Check", commands=("./road check", "./road exec cdk synth --quiet --output cdk.out"), output="Assembly")


def _update(config: Config, models: Sequence[ModelSpec]) -> Job:
    stacks = [*(config.stack(model.slug, "Workshop") for model in models), config.stack("Toolchain")]
    return Job(
        name="Update",
        commands=(f"{_step('update')} {ASSEMBLY} " + " ".join(f"--stack {stack}" for stack in stacks),),
        inputs=("Source", "Assembly"),
    )


def _redeploy(config: Config, models: Sequence[ModelSpec], environment: Environment) -> Job:
    commands = []
    for model in models:
        serving, watch = _environment_stacks(config, model, environment)
        verifier = _verifier(config, model, environment)
        commands += [
            f"{_step('update')} {ASSEMBLY} --stack {serving} --stack {watch} --if-deployed {verifier}",
            f"{_step('verify')} --stack {serving} {verifier} --if-deployed",
        ]
    return Job(
        name=environment.name.title(),
        commands=tuple(commands),
        inputs=("Source", "Assembly"),
        environment=environment,
        timeout_minutes=LONGEST_DEPLOYMENT,
    )


def _step(name: str) -> str:
    return f"./road exec python -m pipelines.steps.{name}"


def _facts(config: Config, model: ModelSpec) -> str:
    return f"{_step('facts')} --path {config.parameter(model.name, '')}"


def _environment_stacks(config: Config, model: ModelSpec, environment: Environment) -> tuple[str, str]:
    return config.stack(model.slug, "Serving", environment.name), config.stack(model.slug, "Watch", environment.name)


def _verifier(config: Config, model: ModelSpec, environment: Environment) -> str:
    role = config.name(model.name, environment.name, "verifier")
    return f"--account {environment.account.id} --region {environment.account.region} --role {role}"
