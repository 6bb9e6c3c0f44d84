"""Tells a stage where a model's workshop keeps things: its SSM parameters, as shell variables.

`data-bucket` becomes DATA_BUCKET; a value that is a JSON object becomes a variable a member: `data` gives DATA_URI and DATA_SHA256.
"""

from __future__ import annotations

import json
from typing import Any

import boto3

from pipelines.steps.step import StepError, parser, print_exports, run


def variables(ssm: Any, path: str) -> dict[str, str]:
    """Every parameter under `path`, as environment variables in alphabetical order."""
    found: dict[str, str] = {}
    for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=path):
        for parameter in page["Parameters"]:
            found.update(_variable(parameter["Name"].rpartition("/")[2], parameter["Value"]))
    return dict(sorted(found.items()))


def _variable(key: str, value: str) -> dict[str, str]:
    name = key.upper().replace("-", "_")
    if not value.startswith("{"):
        return {name: value}
    return {f"{name}_{member.upper()}": str(inner) for member, inner in json.loads(value).items()}


def main() -> None:
    """Print the variables under `--path`; with `--need-data`, fail when no data set was stored."""
    arguments = parser(__doc__)
    arguments.add_argument("--path", required=True, help="such as /paved-road/lead_scoring/")
    arguments.add_argument("--need-data", action="store_true", help="fail when no data set was stored")
    given = arguments.parse_args()
    found = variables(boto3.client("ssm"), given.path)
    if not found:
        raise StepError(f"nothing under {given.path}: the model's workshop is not there: deploy its stack")
    if given.need_data and "DATA_URI" not in found:
        model = given.path.rstrip("/").rpartition("/")[2]
        raise StepError(f"{given.path}data: no data set was stored: store one: ./road data put {model} FILE.csv")
    print_exports(found)


if __name__ == "__main__":
    run(main, "facts")
