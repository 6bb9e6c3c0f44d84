"""The road itself: what happens, in which order, after a push. A description only; `stacks/delivery.py` places it in AWS.

A model's road (`model_road`), started by a push to `model_code/<model>/`:

1. Source      the pushed commit
2. Build       checks, synth of the model's own stacks, then the image, known by its digest from here on, the scan of what is in
               it, and its bill of materials; says whether what the model's files decide differs from what stands
3. Update      where it does: the model's registry and its pipeline; skipped otherwise
4. Train       the training pipeline for exactly this image, data and commit, against the version that production serves; its
               gates refuse, or it registers one model package. Where a push has changed nothing that training depends on, the
               package is that of the last training once more, and nothing is trained
5. Staging     deploys that package from the assembly of step 2, tests the live endpoint, signs what is known as evidence
6. Approval    a person decides; the request names the commit, the package and the evidence
7. Production  writes the decision into evidence and registry, checks both and all they bind, compares the package with what serves
               where the policy is `shadow`, deploys it from the same assembly and reads it back, and signs in the ledger that it may
               answer, and what became of it

What gives a new model its road (`onboarding_road`), started by a push to any `model.toml`:

1. Source      the pushed commit
2. Onboard     deploys registry and pipeline of each model that has none; CodePipeline starts a pipeline that is new by itself

The road of everything else (`platform_road`), started by a push to the infrastructure:

1. Source      the pushed commit
2. Check       every check and every test
3. Update      the pipelines and registries themselves
4. Staging     the serving stacks that stand there, with the model packages that are in them, models side by side: nothing is trained
5. Approval    a person decides; the request names the commit
6. Production  the same, there, once the evidence of what serves was checked

What starts a model's road without a push (`retraining_road`), woken by an alarm, a new data set or the clock:

1. Source      the newest commit
2. Control     asks what there is to do, and whether it may be now; starts the model's road with that cause, or records why not

Nobody waits longer than CodePipeline lets an action: `stacks/layout.py` refuses deployments that might take more. Where a training
run might, Train has as many actions in a row as the longest one needs, each going on with the same run; the last one speaks for the stage.

Environments come from `config.py`: each gets a stage, and an approval in front of it when it is `approved_only`. Evidence is made in
the first one, which is not; the ledger tells of every approved one and of the last.
The commands are those a person would type in a clone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import naming
from config import Config, Environment
from paved_runtime.spec import ModelSpec, Serving
from pipelines.commands import Command, Reference, Variable, Word, program, road
from pipelines.waiting import BATCH_MINUTES, LONGEST_ACTION, UNFINISHED, waits

ASSEMBLY = "Assembly"  # the artifact that Build makes of the folder cdk.out
CLOUD_ASSEMBLY = "cdk.out"
DIFFER = "STACKS_DIFFER"  # what Build says of the model's own stacks: yes or no
PATIENCE = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "10"}  # with calls that are throttled, as where fifty models deploy at once
BEFORE_AND_AFTER = 60  # minutes of a stage that deploys, beside the deployment: its environment, evidence, the endpoint's answers
COMMIT = Reference("Source", "CommitId")
EXECUTION = Reference("codepipeline", "PipelineExecutionId")
COMMITTED = Reference("Source", "AuthorDate")
CAUSE = Reference("variables", "cause")
IMAGE_URI = Reference(naming.BUILD, "IMAGE_URI")
MODEL = Variable("MODEL")  # which of the platform's models a job is about
WAITS_AFTER = Variable("WAITS_AFTER")  # how many actions of the stage come after this one
MODEL_PACKAGE_ARN = Reference(naming.TRAIN, "MODEL_PACKAGE_ARN")
PIPELINE_EXECUTION_ARN = Reference(naming.TRAIN, "PIPELINE_EXECUTION_ARN")

# CodePipeline takes at most eight patterns a filter, and three filters.
INFRASTRUCTURE = (
    ("app.py", "config.py", "naming.py", "cdk.json", "pyproject.toml", "requirements*.lock", "package.json", "package-lock.json"),
    ("stacks/**", "pipelines/**", "packages/**", "cli/**", "feature_groups/**", "road", ".npmrc", "tests/**"),
)
MODELS = "model_code/*/model.toml"
STAGE = {"ROAD_LOCK": "requirements-stage.lock"}  # what is installed where nothing is synthesised and no SDK defines a pipeline
Compute = Literal[
    "SMALL", "MEDIUM", "LARGE"
]  # 3, 7 and 15 GB of memory (CodeBuild User Guide, "Build environment compute modes and types")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A stage is entered where `variable` is `value`, and skipped elsewhere."""

    variable: Reference
    value: str


@dataclass(frozen=True, kw_only=True)
class Action:
    """One run of a stage's commands: `order` is CodePipeline's RunOrder, and later actions see what it exported in `namespace`."""

    name: str
    variables: Mapping[str, str]
    namespace: str | None
    order: int = 1


@dataclass(frozen=True, kw_only=True)
class Job:
    """A stage that runs commands, in the first artifact of `inputs`.

    `variables` reach the commands as environment variables; `exports` are the environment variables that later stages see as
    `#{<name>.<variable>}`; `output` is an artifact made of the folder `cdk.out`. `environment` is where the job deploys to; without one
    it stays in the toolchain's account. `models`: it is done once for each, side by side, its name in the variable MODEL; where one fails
    the others go on. `waits`: it is done so often, one after the other: each has what the one before exported, which is `unfinished` at
    first, and how many come after it in the variable WAITS_AFTER. `light`: a part of the packages is enough.
    """

    name: str
    commands: tuple[Command, ...]
    inputs: tuple[str, ...] = (naming.SOURCE,)
    variables: Mapping[str, Reference] = field(default_factory=dict)
    exports: tuple[str, ...] = ()
    output: str | None = None
    environment: Environment | None = None
    condition: Condition | None = None
    models: tuple[str, ...] = ()
    waits: int = 1
    builds_images: bool = False
    light: bool = False
    compute: Compute = "SMALL"
    timeout_minutes: int = 60

    @property
    def actions(self) -> tuple[Action, ...]:
        """What its stage does: one action, or that of each model, or those in a row, of which the last has the stage's name."""
        values = {name: str(value) for name, value in self.variables.items()}
        if self.models:
            return tuple(Action(name=model, variables=values | {MODEL.name: model}, namespace=None) for model in self.models)
        if self.waits == 1:
            return (Action(name=self.name, variables=values, namespace=self.name),)
        names = [*(f"{self.name}-{order}" for order in range(1, self.waits)), self.name]
        handed_on = ({variable: str(Reference(name, variable)) for variable in self.exports} for name in names[:-1])
        before = [dict.fromkeys(self.exports, UNFINISHED), *handed_on]
        return tuple(
            Action(name=name, variables=values | had | {WAITS_AFTER.name: str(self.waits - order)}, namespace=name, order=order)
            for order, (name, had) in enumerate(zip(names, before, strict=True), start=1)
        )

    def buildspec(self) -> dict[str, object]:
        """The job as CodeBuild reads it."""
        return {
            "version": "0.2",
            "env": {
                "variables": PATIENCE | (STAGE if self.light else {}),
                **({"exported-variables": list(self.exports)} if self.exports else {}),
            },
            "phases": {
                "install": {"runtime-versions": {"python": "3.11"}, "commands": ["chmod +x road"]},  # artifacts may lose file modes
                "build": {"commands": [str(command) for command in self.commands]},
            },
            **({"artifacts": {"base-directory": CLOUD_ASSEMBLY, "files": ["**/*"]}} if self.output else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A stage that waits for a person, who is shown `request`."""

    name: str
    request: str


@dataclass(frozen=True, kw_only=True)
class Road:
    """One pipeline, `pipeline` by name: a push to one of `paths` takes `stages` in order, after the source.

    `model` is a model's name or the platform's. `paths` are up to three filters of up to eight patterns. `supersedes`: what waits gives
    way to what comes later, instead of having its turn.
    """

    model: str
    pipeline: str
    stages: tuple[Job | Approval, ...]
    paths: tuple[tuple[str, ...], ...] = ()
    supersedes: bool = False

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The stages that run commands."""
        return tuple(stage for stage in self.stages if isinstance(stage, Job))


def model_road(config: Config, model: ModelSpec) -> Road:
    """The road of one model."""
    uri, digest = _evidence(config).values()
    request = f"{model.name}: commit {COMMIT}, model package {MODEL_PACKAGE_ARN}, evidence {uri} sha256 {digest}"
    environments = _environments(config, request, lambda environment: _deploy(config, model, environment))
    return Road(
        model=model.name,
        pipeline=naming.delivery_pipeline(config, model.name),
        paths=((f"model_code/{model.name}/**",),),
        stages=(_build(model), _update(model), _train(model), *environments),
    )


def retraining_road(config: Config, model: ModelSpec) -> Road:
    """What decides whether the road of one model is taken again. Nothing pushes to it."""
    control = Job(
        name=naming.CONTROL,
        commands=(_step("control_retraining", model=model.name, execution=Variable("EXECUTION")),),
        variables={"EXECUTION": EXECUTION},
        light=True,
        timeout_minutes=15,
    )
    return Road(model=model.name, pipeline=naming.retraining_pipeline(config, model.name), stages=(control,), supersedes=True)


def onboarding_road(config: Config) -> Road:
    """What gives a model its road that has none yet."""
    onboard = Job(name=naming.ONBOARD, commands=(_step("onboard"),), compute="MEDIUM")
    return Road(model=naming.PLATFORM, pipeline=naming.onboarding_pipeline(config), paths=((MODELS,),), stages=(onboard,))


def platform_road(config: Config, models: Sequence[ModelSpec]) -> Road:
    """The road of the infrastructure under every model. Without a model it ends in the toolchain's account."""
    request = f"infrastructure: commit {COMMIT}"
    environments = _environments(config, request, lambda environment: _redeploy(models, environment)) if models else ()
    return Road(
        model=naming.PLATFORM,
        pipeline=naming.delivery_pipeline(config, naming.PLATFORM),
        paths=INFRASTRUCTURE,
        stages=(_check(), _update_all(), *environments),
    )


def pull_request_check() -> Job:
    """What a pull request must pass, where CodeBuild checks them: the README's two commands."""
    return Job(name="PullRequest", commands=(road("check"), road("test")), compute="LARGE", timeout_minutes=2 * 60)


def deploying_minutes(serving: Serving, *, first: bool = False) -> int:
    """How long a stage that deploys may take: a deployment, watched as long again; the same once more where a shadow comes first. In the
    first environment a batch is scored, too, where there are some.
    """
    deployment = serving.deployment_minutes * (4 if serving.deployment.policy == "shadow" else 2)
    return BEFORE_AND_AFTER + deployment + (BATCH_MINUTES if first and serving.batch else 0)


def _environments(config: Config, request: str, stage: Callable[[Environment], Job]) -> Iterator[Job | Approval]:
    for environment in config.environments:
        if environment.approved_only:
            yield Approval(name=naming.approval(config, environment), request=request)
        yield stage(environment)


def _build(model: ModelSpec) -> Job:
    commit, image, base = map(Variable, ("COMMIT", "IMAGE_URI", "BASE_IMAGE"))
    return Job(
        name=naming.BUILD,
        commands=(
            road("check", "--model", model.name),
            _synth("--context", f"model={model.name}"),
            _step("compare_stacks", model=model.name, assembly=CLOUD_ASSEMBLY).exporting("stacks.env"),
            _step("build_image", model=model.name, commit=commit, created=Variable("COMMITTED")).exporting("image.env"),
            _step("scan_image", model=model.name, image_uri=image, report="scan.json"),
            _step("bill_of_materials", model=model.name, image_uri=image, base_image=base, scan="scan.json"),
        ),
        variables={"COMMIT": COMMIT, "COMMITTED": COMMITTED},
        exports=("IMAGE_URI", DIFFER),
        output=ASSEMBLY,
        builds_images=True,
        compute="MEDIUM",
    )


def _update(model: ModelSpec) -> Job:
    return Job(
        name=naming.UPDATE,
        commands=(_step("update", model=model.name, assembly=_assembly()),),
        inputs=(naming.SOURCE, ASSEMBLY),
        condition=Condition(variable=Reference(naming.BUILD, DIFFER), value="yes"),
        light=True,
    )


def _train(model: ModelSpec) -> Job:
    image, commit, cause, execution = map(Variable, ("IMAGE_URI", "COMMIT", "CAUSE", "EXECUTION"))
    row = waits(model)
    after: dict[str, Word] = {"waits_after": WAITS_AFTER} if row > 1 else {}
    commands = (
        _step("describe_run", model=model.name, image_uri=image, commit=commit, cause=cause).written_to("run.json"),
        program("pipelines.training", {"model": model.name, "run": "run.json"}).written_to("definition.json"),
        _step("train", model=model.name, definition="definition.json", run="run.json", execution=execution, **after).exporting("train.env"),
    )
    package = Variable(MODEL_PACKAGE_ARN.variable)
    return Job(
        name=naming.TRAIN,
        commands=tuple(command.where(package, UNFINISHED) for command in commands) if row > 1 else commands,
        variables={"COMMIT": COMMIT, "EXECUTION": EXECUTION, "IMAGE_URI": IMAGE_URI, "CAUSE": CAUSE},
        exports=(MODEL_PACKAGE_ARN.variable, PIPELINE_EXECUTION_ARN.variable),
        waits=row,
        timeout_minutes=LONGEST_ACTION,
    )


def _deploy(config: Config, model: ModelSpec, environment: Environment) -> Job:
    arn = Variable("MODEL_PACKAGE_ARN")
    place: dict[str, Word] = {"model": model.name, "environment": environment.name, "model_package_arn": arn}
    told: dict[str, Word] = {"execution": Variable("EXECUTION")} if _kept(config, environment) else {}
    table = model.serving.get(environment.name)
    shadowed = table is not None and table.deployment.policy == "shadow"
    first, kept = environment == config.environments[0], _kept(config, environment)
    variables = {"MODEL_PACKAGE_ARN": MODEL_PACKAGE_ARN}
    if first or kept:
        variables |= {"EXECUTION": EXECUTION}
    if first:
        variables |= {"PIPELINE_EXECUTION_ARN": PIPELINE_EXECUTION_ARN, "CAUSE": CAUSE}
    elif environment.approved_only:
        variables |= {"COMMIT": COMMIT, "EVIDENCE_SHA256": _evidence(config)["EVIDENCE_SHA256"]}
    return Job(
        name=naming.stage(environment),
        commands=(
            *(_decide(place) if environment.approved_only else ()),
            *([_step("shadow", **place, assembly=_assembly())] if shadowed else []),
            _step("deploy", **place, assembly=_assembly(), **told),
            _step("verify", **place, report="verified.json", **told),
            *([_prove(place)] if first else []),
            *([_step("record_deployment", **place, verified="verified.json", **told)] if kept else []),
        ),
        inputs=(naming.SOURCE, ASSEMBLY),
        variables=variables,
        exports=tuple(_evidence(config)) if first else (),
        environment=environment,
        light=True,
        timeout_minutes=LONGEST_ACTION,
    )


def _decide(place: Mapping[str, Word]) -> tuple[Command, ...]:
    digest = Variable("EVIDENCE_SHA256")
    decision = {"execution": Variable("EXECUTION"), "commit": Variable("COMMIT")}
    return (
        _step("record_approval", **place, **decision, evidence_sha256=digest),
        _step("check_evidence", **place, evidence_sha256=digest),
    )


def _prove(place: Mapping[str, Word]) -> Command:
    origin = {"execution": "EXECUTION", "training_execution_arn": "PIPELINE_EXECUTION_ARN", "cause": "CAUSE"}
    prove = _step("prove", **place, **{flag: Variable(name) for flag, name in origin.items()}, staging="verified.json")
    return prove.exporting("evidence.env")


def _kept(config: Config, environment: Environment) -> bool:
    """Whether the ledger tells of an environment."""
    return environment.approved_only or environment == config.environments[-1]


def _check() -> Job:
    return Job(
        name=naming.CHECK,
        commands=(road("check"), road("test"), _synth(validated=True)),
        output=ASSEMBLY,
        compute="LARGE",
        timeout_minutes=2 * 60,
    )


def _update_all() -> Job:
    return Job(name=naming.UPDATE, commands=(_step("update", assembly=_assembly()),), inputs=(naming.SOURCE, ASSEMBLY), light=True)


def _redeploy(models: Sequence[ModelSpec], environment: Environment) -> Job:
    place: dict[str, Word] = {"model": MODEL, "environment": environment.name}
    return Job(
        name=naming.stage(environment),
        commands=(
            *([_step("check_evidence", **place)] if environment.approved_only else []),
            _step("redeploy", **place, assembly=_assembly()),
            _step("verify", **place),
        ),
        inputs=(naming.SOURCE, ASSEMBLY),
        environment=environment,
        models=tuple(model.name for model in models),
        light=True,
        timeout_minutes=LONGEST_ACTION,
    )


def _synth(*options: str, validated: bool = False) -> Command:
    """Of templates that `road check` has `validated` already, CDK need not do so again."""
    environment = ("env", "CDK_VALIDATION=false") if validated else ()
    return road("exec", *environment, "cdk", "synth", "--quiet", "--output", CLOUD_ASSEMBLY, *options)


def _step(step: str, **flags: Word | bool | None) -> Command:
    return program(f"pipelines.steps.{step}", flags)


def _assembly() -> Variable:
    """Where CodeBuild puts the artifact."""
    return Variable(f"CODEBUILD_SRC_DIR_{ASSEMBLY}")


def _evidence(config: Config) -> dict[str, Reference]:
    """What the first environment's stage exports."""
    return {name: Reference(naming.stage(config.environments[0]), name) for name in ("EVIDENCE_URI", "EVIDENCE_SHA256")}
