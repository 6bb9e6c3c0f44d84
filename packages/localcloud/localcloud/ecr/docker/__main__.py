"""`docker login`, `build`, `push`, `pull` and `image inspect`, as buildspecs type them."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from localcloud.ecr.docker import Refused, builds, inspection, real, registry
from localcloud.ecr.docker.dockerfile import Reader


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(f"the stand-in for docker does not understand this: {message}")


def _with_value(argument: str) -> str:
    """`NAME=value`, out of the environment where there is the name alone."""
    return argument if "=" in argument or argument not in os.environ else f"{argument}={os.environ[argument]}"


def _of_environment(secret: str) -> str:
    """`id=NAME,env=VARIABLE`: every RUN has the environment here, so that one which mounts it under the variable's name finds it."""
    parts = dict(part.partition("=")[::2] for part in secret.split(","))
    if parts.keys() != {"id", "env"} or parts["env"] not in os.environ:
        raise argparse.ArgumentTypeError(f"{secret}: expected id=NAME,env=VARIABLE, with the variable set")
    return secret


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="docker", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    login = commands.add_parser("login", allow_abbrev=False)
    login.add_argument("--username", choices=["AWS"], required=True)
    login.add_argument("--password-stdin", action="store_true", required=True)
    login.add_argument("host")
    make = commands.add_parser("build", allow_abbrev=False)
    make.add_argument("-f", "--file", type=Path)
    make.add_argument("-t", "--tag", required=True)
    make.add_argument("--platform", choices=["linux/amd64"])
    make.add_argument("--provenance", choices=["false"])
    make.add_argument("--output", choices=["type=docker"])
    make.add_argument("--build-arg", action="append", default=[], type=_with_value)
    make.add_argument("--secret", action="append", default=[], type=_of_environment)
    make.add_argument("--label", action="append", default=[])
    make.add_argument("context", type=Path)
    commands.add_parser("push", allow_abbrev=False).add_argument("tag")
    pull = commands.add_parser("pull", allow_abbrev=False)
    pull.add_argument("--quiet", action="store_true")
    pull.add_argument("--platform", choices=["linux/amd64"])
    pull.add_argument("name")
    inspect = commands.add_parser("image", allow_abbrev=False).add_subparsers(required=True).add_parser("inspect", allow_abbrev=False)
    inspect.add_argument("--format", choices=list(inspection.FORMATS), required=True)
    inspect.add_argument("name")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    if argv == ["--version"]:
        print("Docker version 0, localcloud's stand-in")
        return 0
    arguments = _arguments(argv)
    if (program := real.docker()) and arguments.command != "login":
        real.run(program, arguments.command, argv[1:])
        return 0
    store = Path(os.environ["LOCALCLOUD_IMAGES"])
    if arguments.command == "login":
        if not sys.stdin.read().strip():
            raise Refused("login: the password on standard input is empty")
        print("Login Succeeded")
    elif arguments.command == "build":
        dockerfile = arguments.file or arguments.context / "Dockerfile"
        recipe = Reader(dockerfile, arguments.context, _pairs("--build-arg", arguments.build_arg)).recipe
        recipe.labels.update(_pairs("--label", arguments.label))
        identity = builds.build(recipe, store)
        registry.tag(arguments.tag, identity, store)
        print(identity)
    elif arguments.command == "pull":
        print(registry.pull(arguments.name))
    elif arguments.command == "image":
        print(inspection.inspect(arguments.name, arguments.format, store))
    else:
        digest = registry.push(arguments.tag, store)
        print(f"{arguments.tag.rpartition(':')[2]}: digest: {digest} size: 1")
    return 0


def _pairs(flag: str, words: Sequence[str]) -> dict[str, str]:
    if wrong := [word for word in words if "=" not in word]:
        raise Refused(f"{flag} {wrong[0]}: expected NAME=value")
    return dict(word.split("=", 1) for word in words)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Refused, OSError, subprocess.CalledProcessError) as problem:
        print(f"docker: {problem}", file=sys.stderr)
        sys.exit(1)
