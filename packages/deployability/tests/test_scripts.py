"""Which words of a script are commands."""

from __future__ import annotations

from typing import Any

import pytest

from deployability.scripts import buildspec_commands, commands


@pytest.mark.parametrize(
    ("script", "first"),
    [
        ("docker build .", ["docker"]),
        ("# docker build .\nmake", ["make"]),
        ("make # then docker build", ["make"]),
        ("echo 'docker build .' && make", ["echo", "make"]),
        ("A=1 sudo docker push x; ls", ["docker", "ls"]),
        ("if make; then docker push x; fi", ["make", "docker", "fi"]),
        ("make \\\n  docker", ["make"]),
        ("echo 'first\ndocker run'\nls", ["echo", "ls"]),
        ("cat <<EOF > notes\ndocker run x\nEOF\nls", ["cat", "ls"]),
        ('sh -c "docker run x"', ["sh", "docker"]),
        ('TAG="$(git describe)" make', ["make"]),
        ('echo "$(docker images)"', ["echo", "docker"]),
        ("(cd a && docker load)", ["cd", "docker"]),
        ("echo it's", []),
    ],
)
def test_the_first_word_of_each_command(script: str, first: list[str]) -> None:
    assert [command[0] for command in commands(script)] == first


@pytest.mark.parametrize(
    ("buildspec", "first"),
    [
        ("phases: {pre_build: {commands: make}, build: {commands: [docker push x], finally: [ls]}}", ["make", "docker", "ls"]),
        ('{"phases": {"build": {"commands": ["docker push x"]}}}', ["docker"]),
        ({"Fn::Sub": "phases:\n  build:\n    commands:\n      - docker push ${Image}\n"}, ["docker"]),
        ("buildspec.yml", []),
        ({"Ref": "BuildSpec"}, []),
        (None, []),
        ("phases: [", []),
    ],
)
def test_the_commands_of_a_buildspec(buildspec: Any, first: list[str]) -> None:
    assert [command[0] for command in buildspec_commands(buildspec)] == first
