"""What README.md and docs/ name must exist: commands and their options, paths, settings; and every command must be documented."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import pytest

import config
import naming
from cli import reference
from cli.tree import HERE
from paved_runtime import spec
from pipelines import delivery
from tests.reference import CONFIG, MODELS, model

PAGES = sorted(path for path in [*HERE.glob("*.md"), *(HERE / "docs").rglob("*.md")])
COMMANDS = dict(reference.commands())
SETTINGS = {field.name for kind in (config.Config, config.Environment, config.Account, config.Repository) for field in fields(kind)}
MADE = (".road", "cdk.out")  # what only a run makes
PROGRAMS = ("python", "cdk", "aws")
GUIDES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("auditor", "commands", "data-scientist", "new-model", "platform-engineer", "upgrade")),
)
STAGES = [stage.name for stage in delivery.model_road(CONFIG, model()).stages]


PAGE = pytest.mark.parametrize("path", PAGES, ids=[str(path.relative_to(HERE)) for path in PAGES])


def code(text: str) -> Iterator[str]:
    """Every line of shell and every inline code of a page; a line that ends in a backslash goes on."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
        yield from (line.partition("  #")[0].strip() for line in block.replace("\\\n", " ").splitlines())
    yield from re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def typed(text: str) -> Iterator[list[str]]:
    """The arguments of every `./road …` of a page."""
    for line in code(text):
        for found in re.findall(r"\./road(?= |$)([^;)|>]*)", line):
            yield shlex.split(found, comments=True)


def problems(arguments: list[str]) -> str:
    """Why `./road ARGUMENTS` cannot be typed; nothing when it can."""
    if arguments[0] == "exec":
        return "" if arguments[1] in (*PROGRAMS, "PROGRAM") else f"no such program: {arguments[1]}"
    name = next((known for known in (" ".join(arguments[:2]), arguments[0]) if known in COMMANDS), None)
    if name is None:
        return f"no such command: {' '.join(arguments)}"
    command = COMMANDS[name]
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
    wrong = [a for a in arguments if a.startswith("-") and a not in options]
    return f"{name} has no option {wrong[0]}" if wrong and not command.context_settings.get("allow_extra_args") else ""


@PAGE
def test_every_command_exists_with_its_options(path: Path) -> None:
    wrong = [why for arguments in typed(path.read_text()) if arguments and (why := problems(arguments))]
    assert wrong == []


def test_wrong_commands_would_be_found() -> None:
    text = "```sh\n./road fly\n./road demo --fast   # quickly\n```\nand `./road data get lead_scoring x.csv`, `./road exec terraform plan`"
    assert [problems(arguments) for arguments in typed(text)] == [
        "no such command: fly",
        "demo has no option --fast",
        "no such command: data get lead_scoring x.csv",
        "no such program: terraform",
    ]


@PAGE
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    missing = [t for t in targets if not t.startswith(("http", "#")) and not (path.parent / t.partition("#")[0]).exists()]
    assert missing == []


def missing_paths(text: str) -> list[str]:
    """The paths that a page's code names and that are not there; `<model>` stands for any name, and models are the reference's."""
    roots = {entry.name for entry in HERE.iterdir()}
    words = [word.strip("\"'(),;") for line in code(text) for word in line.split()]
    named = [word for word in words if word.partition("/")[0] in roots and ("/" in word or Path(word).suffix)]
    return [word for word in named if not word.startswith(MADE) and not exists(word)]


def exists(path: str) -> bool:
    """Whether something fits a path."""
    room, _, rest = re.sub(r"<[^>]+>", "*", path).rstrip("/").partition("/")
    folder = MODELS if rest and room == "model_code" else HERE / room
    return any(folder.glob(rest)) if rest else folder.exists()


@PAGE
def test_every_path_exists(path: Path) -> None:
    assert missing_paths(path.read_text()) == []


def test_missing_paths_would_be_found() -> None:
    text = "`stacks/castle.py` and `model_code/<model>/features.py`\n```sh\ncat docs/poem.md config.py\n```"
    assert sorted(missing_paths(text)) == ["docs/poem.md", "stacks/castle.py"]


def test_every_setting_of_config_that_the_readme_names_exists() -> None:
    (sentence,) = re.findall(r"edit `config\.py`:(.*?)\.", (HERE / "README.md").read_text(), re.DOTALL)
    named = re.findall(r"`(\w+)`", sentence)
    assert named
    assert set(named) <= SETTINGS


@pytest.mark.parametrize("page", GUIDES)
def test_a_guide_names_no_model_and_no_project(page: str) -> None:
    """A fork has others than the template came with."""
    template = replace(CONFIG, project=tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["name"])
    projects = {f"{known.project}-" for known in (CONFIG, template)} | {f"{naming.title(known)}-" for known in (CONFIG, template)}
    names = {*projects, model().name, naming.slug(model().name)}
    text = (HERE / page).read_text()
    assert {name for name in names if name in text} == set()


def test_stages_that_are_named_exist() -> None:
    for path in PAGES:
        for arguments in typed(path.read_text()):
            stages = [value for option, value in pairwise(arguments) if option == "--stage"]
            assert set(stages) <= {*STAGES, "STAGE"}, path


def test_every_key_of_model_toml_is_explained() -> None:
    text = (HERE / "docs/model-toml.md").read_text()
    explained = {key.rpartition(".")[2] for key in re.findall(r"`([\w.]+)`", text)}
    written = tomllib.loads((MODELS / model().name / "model.toml").read_text())
    models = (spec.ModelSpec, spec.Data, spec.Share, spec.Integer, spec.Category, spec.Training, spec.Search, spec.Range)
    serving = (spec.Serving, spec.Deployment, spec.Alarms, spec.OffHours, spec.Monitoring, spec.Retraining)
    gates = (spec.Gates, spec.Champion, spec.Slices, spec.Fairness, spec.Behaviour, spec.Invariance, spec.MinimumFunction, spec.Load)
    keys = {key for model in (*models, *serving, *gates) for key in model.model_fields} | set(written)
    tables = {
        "columns",
        "data",
        "features",
        "gates",
        "training",
        "serving",
        "hyperparameters",
        "search",
        "deployment",
        "monitoring",
        "retraining",
    }
    assert keys - explained - tables - {"name"} == set()
    judged = [f"gates.{name}" for name in ("champion", "slices", "fairness", "behaviour", "load")]
    served = ["serving.<environment>", *(f"serving.<environment>.{name}" for name in ("deployment", "alarms", "off_hours"))]
    watched = ("monitoring", "monitoring.retraining")
    for table in (*watched, "data", "data.columns", "gates", *judged, "training", "training.hyperparameters", "training.search", *served):
        assert f"`[{table}]`" in text


def test_the_command_reference_is_what_the_commands_say() -> None:
    written = (HERE / "docs/commands.md").read_text()
    assert written == reference.reference() + "\n", "docs/commands.md: ./road exec python -m cli.reference > docs/commands.md"
    assert {name for name in COMMANDS if f"## {name}\n" not in written} == set()


def test_the_readme_begins_with_a_sentence_a_diagram_two_commands_and_the_rooms() -> None:
    text = (HERE / "README.md").read_text()
    places = [text.index(mark) for mark in ("**Push model code", "docs/road.svg", "./road demo ", "./road test ", "| room |")]
    assert places == sorted(places)
    rooms = {Path(link).name for link in re.findall(r"^\| \[`[^`]+`\]\(([^)]+)\)", text, re.MULTILINE)}
    assert rooms == {"model_code", "config.py", "naming.py", "stacks", "pipelines", "cli", "packages", "bench", "tests", "docs"}


def test_every_row_of_what_was_verified_says_where_and_after_which_page() -> None:
    rows = [line for line in (HERE / "docs/verified.md").read_text().splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", row.strip().strip("|")) for row in rows]

    assert rows
    assert {len(row) for row in cells} == {4}
    assert all(cell.strip() for row in cells for cell in row)
    assert all(re.search(r"ran here|synth and lint only|needs your|kept and shown|held to|---|verified", row[1]) for row in cells)
