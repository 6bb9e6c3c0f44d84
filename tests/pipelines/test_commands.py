"""What stages type: commands are data, and a shell reads them as what they say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import naming
from pipelines.commands import Command, Reference, Variable, Word, program, road
from pipelines.delivery import Job
from tests.reference import CONFIG, MODEL
from tests.support.delivery_roads import job, roads

STEP = "./road exec python -m pipelines.steps."
ASSEMBLY = '--assembly "${CODEBUILD_SRC_DIR_Assembly}"'
STAGING = f'--model {MODEL} --environment staging --model-package-arn "${{MODEL_PACKAGE_ARN}}"'
PRODUCTION = STAGING.replace("staging", "production")
LINES = {  # of the reference's model
    "Build": [
        f"./road check --model {MODEL}",
        f"./road exec cdk synth --quiet --output cdk.out --context model={MODEL}",
        f"{STEP}compare_stacks --model {MODEL} --assembly cdk.out > stacks.env && . ./stacks.env",
        f'{STEP}build_image --model {MODEL} --commit "${{COMMIT}}" --created "${{COMMITTED}}" > image.env && . ./image.env',
        f'{STEP}scan_image --model {MODEL} --image-uri "${{IMAGE_URI}}" --report scan.json',
        f'{STEP}bill_of_materials --model {MODEL} --image-uri "${{IMAGE_URI}}" --base-image "${{BASE_IMAGE}}" --scan scan.json',
    ],
    "Update": [f"{STEP}update --model {MODEL} {ASSEMBLY}"],
    "Train": [
        f'{STEP}describe_run --model {MODEL} --image-uri "${{IMAGE_URI}}" --commit "${{COMMIT}}" --cause "${{CAUSE}}" > run.json',
        f"./road exec python -m pipelines.training --model {MODEL} --run run.json > definition.json",
        f"{STEP}train --model {MODEL} --definition definition.json --run run.json"
        ' --execution "${EXECUTION}" > train.env && . ./train.env',
    ],
    "Staging": [
        f"{STEP}deploy {STAGING} {ASSEMBLY}",
        f"{STEP}verify {STAGING} --report verified.json",
        f'{STEP}prove {STAGING} --execution "${{EXECUTION}}" --training-execution-arn "${{PIPELINE_EXECUTION_ARN}}"'
        ' --cause "${CAUSE}" --staging verified.json > evidence.env && . ./evidence.env',
    ],
    "Production": [
        f'{STEP}record_approval {PRODUCTION} --execution "${{EXECUTION}}" --commit "${{COMMIT}}" --evidence-sha256 "${{EVIDENCE_SHA256}}"',
        f'{STEP}check_evidence {PRODUCTION} --evidence-sha256 "${{EVIDENCE_SHA256}}"',
        f'{STEP}deploy {PRODUCTION} {ASSEMBLY} --execution "${{EXECUTION}}"',
        f'{STEP}verify {PRODUCTION} --report verified.json --execution "${{EXECUTION}}"',
        f'{STEP}record_deployment {PRODUCTION} --verified verified.json --execution "${{EXECUTION}}"',
    ],
}
OTHER_LINES = {  # (pipeline, stage) → those of the other roads
    (naming.retraining_pipeline(CONFIG, MODEL), "Control"): [f'{STEP}control_retraining --model {MODEL} --execution "${{EXECUTION}}"'],
    (naming.onboarding_pipeline(CONFIG), "Onboard"): [f"{STEP}onboard"],
    (naming.delivery_pipeline(CONFIG, naming.PLATFORM), "Check"): [
        "./road check",
        "./road test",
        "./road exec env CDK_VALIDATION=false cdk synth --quiet --output cdk.out",
    ],
    (naming.delivery_pipeline(CONFIG, naming.PLATFORM), "Update"): [f"{STEP}update {ASSEMBLY}"],
    (naming.delivery_pipeline(CONFIG, naming.PLATFORM), "Staging"): [
        f'{STEP}redeploy --model "${{MODEL}}" --environment staging {ASSEMBLY}',
        f'{STEP}verify --model "${{MODEL}}" --environment staging',
    ],
    (naming.delivery_pipeline(CONFIG, naming.PLATFORM), "Production"): [
        f'{STEP}check_evidence --model "${{MODEL}}" --environment production',
        f'{STEP}redeploy --model "${{MODEL}}" --environment production {ASSEMBLY}',
        f'{STEP}verify --model "${{MODEL}}" --environment production',
    ],
    (naming.delivery_pipeline(CONFIG, "shadowed"), "Production"): [
        *(line.replace(MODEL, "shadowed") for line in LINES["Production"][:2]),
        f"{STEP}shadow {PRODUCTION.replace(MODEL, 'shadowed')} {ASSEMBLY}",
        *(line.replace(MODEL, "shadowed") for line in LINES["Production"][2:]),
    ],
}
EXPORTED = {  # step → what the file of an exporting command holds
    "build_image": {"BASE_IMAGE", "IMAGE_URI"},
    "compare_stacks": {"STACKS_DIFFER"},
    "prove": {"EVIDENCE_SHA256", "EVIDENCE_URI"},
    "train": {"MODEL_PACKAGE_ARN", "PIPELINE_EXECUTION_ARN"},
}
JOBS = [(name, stage.name) for name, road in roads().items() for stage in road.jobs]
COMMANDS = [(name, stage, number) for name, stage in JOBS for number in range(len(job(roads()[name], stage).commands))]


def command(name: str, stage: str, number: int) -> Command:
    return job(roads()[name], stage).commands[number]


def run(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("stage", LINES)
def test_the_lines_of_a_models_road(stage: str) -> None:
    made = job(roads()[naming.delivery_pipeline(CONFIG, MODEL)], stage)

    assert [str(command) for command in made.commands] == LINES[stage]


@pytest.mark.parametrize(("pipeline", "stage"), OTHER_LINES)
def test_the_lines_of_the_other_roads(pipeline: str, stage: str) -> None:
    assert [str(command) for command in job(roads()[pipeline], stage).commands] == OTHER_LINES[pipeline, stage]


def test_every_stage_has_its_lines_here() -> None:
    alike = {name for name, road in roads().items() if road.model == "shadowed"}  # but for the shadow
    delivery = naming.delivery_pipeline(CONFIG, MODEL)

    assert {(name, stage) for name, stage in JOBS if name not in alike} <= {(delivery, stage) for stage in LINES} | OTHER_LINES.keys()


@pytest.mark.parametrize(("name", "stage", "number"), COMMANDS)
def test_a_shell_reads_the_words_that_were_meant(name: str, stage: str, number: int) -> None:
    typed = command(name, stage, number)
    line = str(typed)
    words, _, redirection = line.rpartition(" > ") if typed.output else (line, "", "")

    assert shlex.split(words) == [f"${{{word.name}}}" if isinstance(word, Variable) else word for word in typed.words]
    assert redirection == (f"{typed.output}" + (f" && . ./{typed.output}" if typed.sourced else "") if typed.output else "")
    assert subprocess.run(["sh", "-n", "-c", line], check=False).returncode == 0


@pytest.mark.parametrize(("name", "stage", "number"), COMMANDS)
def test_every_command_is_one_a_person_would_type(name: str, stage: str, number: int) -> None:
    assert command(name, stage, number).words[0] == "./road"


def test_a_command_of_the_road() -> None:
    flags: dict[str, Word | bool | None] = {"model": "churn", "package_arn": Variable("ARN"), "quiet": True, "load": False, "to": None}
    typed = program("pipelines.steps.deploy", flags)

    assert typed.words == (
        *("./road", "exec", "python", "-m", "pipelines.steps.deploy"),
        *("--model", "churn", "--package-arn", Variable("ARN"), "--quiet"),
    )
    assert list(typed.variables) == ["ARN"]
    assert str(typed) == './road exec python -m pipelines.steps.deploy --model churn --package-arn "${ARN}" --quiet'
    assert str(road("check")) == "./road check"


ODD = ["", "two words", "it's", 'a "quote"', "$HOME", "${HOME}", "#", "#{Source.CommitId}", "two\nlines", "`id`", "$(id)", "\t", "ä€"]
ODD += ["a;b", "a&&b", "a|b", "> file", "*", "~", "\\", "\\n", "-n", "!", "a=b", "{a,b}"]
ECHO = (sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))")


@pytest.mark.parametrize("text", ODD)
def test_a_text_reaches_the_program_as_it_is(text: str, tmp_path: Path) -> None:
    answer = run(str(Command((*ECHO, text, "next"))), tmp_path)

    assert (json.loads(answer.stdout), answer.stderr) == ([text, "next"], "")


@pytest.mark.parametrize("text", ODD)
def test_what_a_variable_holds_is_one_word(text: str, tmp_path: Path) -> None:
    answer = run(str(Command((*ECHO, Variable("VALUE"), "next"))), tmp_path, VALUE=text)

    assert (json.loads(answer.stdout), answer.stderr) == ([text, "next"], "")


def test_a_variable_that_is_not_there_is_an_empty_word(tmp_path: Path) -> None:
    assert json.loads(run(str(Command((*ECHO, Variable("NOBODY")))), tmp_path).stdout) == [""]


@pytest.mark.parametrize("name", ["", "A B", "1A", "A-B", "A}", "A\n"])
def test_a_variable_has_a_name_that_a_shell_knows(name: str) -> None:
    with pytest.raises(ValueError, match="expected letters, digits and underscores"):
        Variable(name)


@pytest.mark.parametrize("file", ["values.env", "the values.env"])
def test_what_a_command_exports_is_there_for_the_next(tmp_path: Path, file: str) -> None:
    exporting = Command(("printf", "export %s\n", "FIRST=1", "SECOND='two words'")).exporting(file)
    answer = run(f"{exporting}\n{Command((*ECHO, Variable('FIRST'), Variable('SECOND')))}", tmp_path)

    assert (json.loads(answer.stdout), answer.stderr) == (["1", "two words"], "")
    assert (tmp_path / file).exists()


def test_what_a_command_writes_is_in_the_file_alone(tmp_path: Path) -> None:
    answer = run(str(Command(("printf", "%s", "export A=1")).written_to("run.json")), tmp_path)

    assert (answer.stdout, (tmp_path / "run.json").read_text()) == ("", "export A=1")


UNLESS = Command((*ECHO, "done")).where(Variable("STATE"), "it's open")


def test_a_command_is_done_only_where_it_was_asked_for(tmp_path: Path) -> None:
    done, passed_over, unset = (run(str(UNLESS), tmp_path, **state) for state in ({"STATE": "it's open"}, {"STATE": "shut"}, {}))

    assert list(UNLESS.variables) == ["STATE"]
    assert (json.loads(done.stdout), passed_over.stdout, unset.stdout) == (["done"], "", "")
    assert [answer.returncode for answer in (done, passed_over, unset)] == [0, 0, 0]


def test_what_is_passed_over_leaves_the_variables_and_files_that_were_there(tmp_path: Path) -> None:
    exporting = Command(("echo", "export ARN=new")).exporting("values.env").where(Variable("ARN"), "unfinished")
    show = Command((*ECHO, Variable("ARN")))

    assert [run(f"{exporting}\n{show}", tmp_path, ARN=arn).stdout for arn in ("old", "unfinished")] == ['["old"]\n', '["new"]\n']
    assert run(str(exporting), tmp_path, ARN="old").returncode == 0


def test_a_failing_command_is_not_hidden(tmp_path: Path) -> None:
    fails = Command(("sh", "-c", "echo export WRONG=1; exit 3"))
    asked = fails.exporting("values.env").where(Variable("STATE"), "open")

    assert run(str(asked), tmp_path, STATE="open").returncode == 3
    assert run(str(fails), tmp_path).returncode == 3
    assert run(str(fails.written_to("run.json")), tmp_path).returncode == 3
    assert run(f"{fails.exporting('values.env')}; echo $? ${{WRONG-none}}", tmp_path).stdout == "3 none\n"


def exported(typed: Command) -> set[str]:
    """What a command leaves for the ones after it."""
    return EXPORTED[str(typed.words[4]).rpartition(".")[2]] if typed.sourced else set()


@pytest.mark.parametrize(("name", "stage"), JOBS)
def test_variables_are_there_before_they_are_used(name: str, stage: str) -> None:
    made = job(roads()[name], stage)
    known = {*made.variables, *(f"CODEBUILD_SRC_DIR_{artifact}" for artifact in made.inputs[1:]), *(["MODEL"] if made.models else [])}
    for typed in made.commands:
        assert set(typed.variables) <= known, typed
        known |= exported(typed)

    assert set(made.exports) <= known


@pytest.mark.parametrize(("name", "stage"), JOBS)
def test_a_stage_is_given_no_variable_that_it_does_not_use(name: str, stage: str) -> None:
    made = job(roads()[name], stage)
    used = {variable for typed in made.commands for variable in typed.variables}

    assert set(made.variables) <= used | set(made.exports)


def references(stage: Job | object) -> Iterator[str]:
    """Every `namespace.variable` that a stage asks for."""
    if isinstance(stage, Job):
        values = [*stage.variables.values(), *([stage.condition.variable] if stage.condition else [])]
        yield from (f"{reference.namespace}.{reference.variable}" for reference in values)
    else:
        yield from re.findall(r"#\{([^}]+)\}", str(stage))


@pytest.mark.parametrize("name", roads())
def test_every_reference_was_exported_by_an_earlier_stage(name: str) -> None:
    known = {"Source.AuthorDate", "Source.CommitId", "codepipeline.PipelineExecutionId", "variables.cause"}
    for stage in roads()[name].stages:
        assert set(references(stage)) <= known, stage.name
        if isinstance(stage, Job):
            known |= {f"{stage.name}.{variable}" for variable in stage.exports}


def test_a_reference_is_what_codepipeline_fills_in() -> None:
    assert str(Reference("Build", "IMAGE_URI")) == "#{Build.IMAGE_URI}"


def test_the_roads_that_are_looked_at_are_all_there_are() -> None:
    assert roads().keys() == {
        *(naming.delivery_pipeline(CONFIG, model) for model in (MODEL, "shadowed", naming.PLATFORM)),
        *(naming.retraining_pipeline(CONFIG, model) for model in (MODEL, "shadowed")),
        naming.onboarding_pipeline(CONFIG),
    }
