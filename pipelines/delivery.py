"""The road itself: what happens, in which order, after a push. A description only; `stacks/toolchain.py` places it in AWS.

A model's road (`model_road`), started by a push to `model_code/<model>/`:

1. Source      the pushed commit
2. Build       checks, synth, then the image, known by its digest from here on, and its bill of materials
3. Train       the training pipeline for exactly this image, data and commit, against the version that production serves; its
               gates refuse, or it registers one model package
4. Staging     deploys that package from the assembly of step 2, tests the live endpoint, signs what is known as evidence
5. Approval    a person decides; the request names the commit, the package and the evidence
6. Production  writes the decision into evidence and registry, checks both and all they bind, compares the package with what serves
               where the policy is `shadow`, deploys it from the same assembly, reads it back, and signs an entry in the ledger

The road of everything else (`platform_road`), started by a push to the infrastructure:

1. Source      the pushed commit
2. Check       every check and a synth
3. Update      the pipelines and workshops themselves
4. Staging     the serving stacks that stand there, with the model packages that are in them: nothing is trained
5. Approval    a person decides; the request names the commit
6. Production  the same, there, once the evidence of what serves was checked

What starts a model's road without a push (`retraining_road`), woken by an alarm, a new data set or the clock:

1. Source      the newest commit
2. Judge       asks what there is to do, and whether it may be now; starts the model's road with that cause, or records why not

Environments come from `config.py`: each gets a stage, and an approval in front of it when it is `approved_only`. Evidence is made in
the first one, which is not; the ledger tells of every approved one and of the last.
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
PIPELINE_EXECUTION_ARN = "#{Train.PIPELINE_EXECUTION_ARN}"
CAUSE = "#{variables.cause}"
JUDGE = "judge"
RETRAINING = ("retraining",)
SCHEDULE = "schedule"  # the rule that stands for the cause of that name
EVIDENCE = ("EVIDENCE_URI", "EVIDENCE_SHA256")

ARTIFACTS = '--artifacts "s3://$ARTIFACTS_BUCKET"'
EVIDENCE_KEY = '--evidence-key "$EVIDENCE_KEY"'
KEY = '--key "$KEY"'
PACKAGE = '--model-package-arn "$MODEL_PACKAGE_ARN"'
ASSEMBLY = '--assembly "$CODEBUILD_SRC_DIR_Assembly"'
LONGEST_DEPLOYMENT = 17 * 60  # minutes; SageMaker gives a blue/green deployment eight hours at most, and it may be watched as long again
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
    """One pipeline: a push to `paths` takes `stages` in order, after the source. `model` is a model's name or `platform`.

    `supersedes`: what waits gives way to what comes later, instead of having its turn. `suffix` is of the pipeline's name.
    """

    model: str
    paths: tuple[str, ...]
    stages: tuple[Job | Approval, ...]
    supersedes: bool = False
    suffix: tuple[str, ...] = ()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The stages that run commands."""
        return tuple(stage for stage in self.stages if isinstance(stage, Job))


def model_road(config: Config, model: ModelSpec) -> Road:
    """The road of one model."""
    uri, digest = (_exported(config, name) for name in EVIDENCE)
    request = f"{model.name}: commit {COMMIT}, model package {MODEL_PACKAGE_ARN}, evidence {uri} sha256 {digest}"
    environments = _environments(config, request, lambda environment, approval: _deploy(config, model, environment, approval))
    return Road(
        model=model.name,
        paths=(f"model_code/{model.name}/**",),
        stages=(_build(config, model), _train(config, model), *environments),
    )


def retraining_road(config: Config, model: ModelSpec) -> Road:
    """What decides whether the road of one model is taken again. Nothing pushes to it."""
    environment = config.environments[-1]
    flags = f"--model {model.name} --pipeline {config.name(model.name)} --alarm {config.name(model.name, environment.name)}-Drift"
    judge = Job(
        name="Judge",
        commands=(
            *_facts(config, model),
            f'{_step("retrain")} {flags} {ARTIFACTS} --execution "$EXECUTION" --judged {config.name(model.name, *RETRAINING)}'
            f' --scheduled-by {config.name(model.name, SCHEDULE)} --data-sha256 "${{DATA_SHA256-}}"'
            f" {_verifier(config, model, environment)}",
        ),
        variables={"EXECUTION": EXECUTION},
        timeout_minutes=15,
    )
    return Road(model=model.name, paths=(), stages=(judge,), supersedes=True, suffix=RETRAINING)


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
            *_facts(config, model),
            f'IMAGE_URI=$({_step("build_image")} --model {model.name} --commit "$COMMIT" --repository "$IMAGE_REPOSITORY")',
            "export IMAGE_URI",
            f'{_step("bill_of_materials")} --model {model.name} --image-uri "$IMAGE_URI" {ARTIFACTS}',
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
            *_facts(config, model, "--need-data"),
            f'{_step("champion")} --bucket "$ARTIFACTS_BUCKET" --environment {config.environments[-1].name} {EVIDENCE_KEY} > champion.env',
            ". ./champion.env",
            f'./road exec python -m pipelines.training --model {model.name} --image-uri "$IMAGE_URI" --commit "$COMMIT"'
            f' --cause "$CAUSE" --data-uri "$DATA_URI" --data-sha256 "$DATA_SHA256" --role "$TRAINING_ROLE" {KEY} {ARTIFACTS}'
            ' --region "$AWS_REGION"'
            ' --champion-arn "$CHAMPION_ARN" --champion-image-uri "$CHAMPION_IMAGE_URI" --champion-model-uri "$CHAMPION_MODEL_URI"'
            " > definition.json",
            f"{_step('train')} --pipeline {config.name(model.name, 'training')} --definition definition.json"
            ' --role "$TRAINING_ROLE" --execution "$EXECUTION" > train.env',
            ". ./train.env",
        ),
        variables={"COMMIT": COMMIT, "EXECUTION": EXECUTION, "IMAGE_URI": "#{Build.IMAGE_URI}", "CAUSE": CAUSE},
        exports=("MODEL_PACKAGE_ARN", "PIPELINE_EXECUTION_ARN"),
        timeout_minutes=min(model.training.max_runtime_minutes + 120, LONGEST_BUILD),
    )


def _deploy(config: Config, model: ModelSpec, environment: Environment, approval: Approval | None) -> Job:
    first, last = environment == config.environments[0], environment == config.environments[-1]
    serving, watch = _environment_stacks(config, model, environment)
    verifier = _verifier(config, model, environment)
    signing = f" --watch {watch} {ARTIFACTS} {EVIDENCE_KEY}" if first or last or approval else ""
    deploy = f"{_step('deploy')} {ASSEMBLY} --stack {serving} --stack {watch} {verifier} {PACKAGE}"
    verify = f"{_step('verify')} --stack {serving} {verifier} {PACKAGE} --model {model.name} --environment {environment.name}{signing}"
    proving = {"PIPELINE_EXECUTION_ARN": PIPELINE_EXECUTION_ARN, "CAUSE": CAUSE}
    table = model.serving.get(environment.name)
    shadowed = table is not None and table.deployment.policy == "shadow"
    return Job(
        name=environment.name.title(),
        commands=(
            *(_facts(config, model) if first or last or approval else ()),
            *(_decide(config, model, approval) if approval else ()),
            *([_shadow(serving, verifier, model, environment)] if shadowed else []),
            deploy + (" --approved-only" if approval else ""),
            verify + " --report verified.json" + (" --load" if first else ""),
            *(_prove(config, model) if first else ()),
            *([_record(environment)] if approval or last else ()),
        ),
        inputs=("Source", "Assembly"),
        variables={
            "COMMIT": COMMIT,
            "EXECUTION": EXECUTION,
            "MODEL_PACKAGE_ARN": MODEL_PACKAGE_ARN,
            **(proving if first else {name: _exported(config, name) for name in EVIDENCE} if approval else {}),
        },
        exports=EVIDENCE if first else (),
        environment=environment,
        timeout_minutes=LONGEST_DEPLOYMENT * (2 if shadowed else 1),
    )


def _shadow(serving: str, verifier: str, model: ModelSpec, environment: Environment) -> str:
    where = f"--stack {serving} {verifier} --model {model.name} --environment {environment.name}"
    return f"{_step('shadow')} {ASSEMBLY} {where} {PACKAGE}"


def _prove(config: Config, model: ModelSpec) -> tuple[str, ...]:
    return (
        f'{_step("prove")} --model {model.name} --pipeline {config.name(model.name)} --execution "$EXECUTION" {PACKAGE}'
        f' --training-execution-arn "$PIPELINE_EXECUTION_ARN" --cause "$CAUSE" --staging verified.json {ARTIFACTS} {EVIDENCE_KEY} {KEY}'
        " > evidence.env",
        ". ./evidence.env",
    )


def _decide(config: Config, model: ModelSpec, approval: Approval) -> tuple[str, ...]:
    return (
        f'{_step("record_approval")} --pipeline {config.name(model.name)} --execution "$EXECUTION" --action {approval.name} {PACKAGE}'
        f' --commit "$COMMIT" --evidence-uri "$EVIDENCE_URI" --evidence-sha256 "$EVIDENCE_SHA256" {EVIDENCE_KEY} {KEY}',
        f'{_step("check_evidence")} {PACKAGE} {ARTIFACTS} {EVIDENCE_KEY} --evidence-sha256 "$EVIDENCE_SHA256"',
    )


def _record(environment: Environment) -> str:
    return (
        f'{_step("record_deployment")} --environment {environment.name} --execution "$EXECUTION" {PACKAGE} --verified verified.json'
        f" {ARTIFACTS} {EVIDENCE_KEY}"
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
    commands: list[str] = []
    for model in models:
        serving, watch = _environment_stacks(config, model, environment)
        verifier = _verifier(config, model, environment)
        if environment.approved_only:
            commands += [*_facts(config, model), f"{_step('check_evidence')} --stack {serving} {verifier} {ARTIFACTS} {EVIDENCE_KEY}"]
        commands += [
            f"{_step('update')} {ASSEMBLY} --stack {serving} --stack {watch} --if-deployed {verifier}",
            f"{_step('verify')} --stack {serving} {verifier} --if-deployed --model {model.name} --environment {environment.name}",
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


def _facts(config: Config, model: ModelSpec, *flags: str) -> tuple[str, ...]:
    read = " ".join([_step("facts"), "--path", config.parameter(model.name, ""), *flags])
    return f"{read} > facts.env", ". ./facts.env"


def _exported(config: Config, variable: str) -> str:
    """What the first environment's stage exported."""
    return f"#{{{config.environments[0].name.title()}.{variable}}}"


def _environment_stacks(config: Config, model: ModelSpec, environment: Environment) -> tuple[str, str]:
    return config.stack(model.slug, "Serving", environment.name), config.stack(model.slug, "Watch", environment.name)


def _verifier(config: Config, model: ModelSpec, environment: Environment) -> str:
    role = config.name(model.name, environment.name, "verifier")
    return f"--account {environment.account.id} --region {environment.account.region} --role {role}"
