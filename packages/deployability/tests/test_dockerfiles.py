"""Which bases of a Dockerfile hold still."""

from __future__ import annotations

import pytest

from deployability.dockerfiles import moving_bases


@pytest.mark.parametrize(
    ("dockerfile", "wrong"),
    [
        ("FROM python:3.11", ["line 1: its base python:3.11 has no digest"]),
        ("from python", ["line 1: its base python is whatever is the latest"]),
        ("FROM registry:5000/python", ["line 1: its base registry:5000/python is whatever is the latest"]),
        ("FROM python:3.11@sha256:0a1b", []),
        ("FROM scratch", []),
        ("ARG BASE=python:3.11-slim\nFROM ${BASE}", []),
        ("ARG BASE\nFROM $BASE", []),
        ("ARG BASE=python\nFROM ${BASE}", ["line 2: its base ${BASE} is whatever is the latest"]),
        ('ARG BASE="python:latest"\nFROM ${BASE}', ["line 2: its base ${BASE} is whatever is the latest"]),
        ("FROM ${BASE:-python}", ["line 1: its base ${BASE:-python} is whatever is the latest"]),
        ("ARG TAG=3.11\nFROM python:${TAG}", []),
        ("# FROM python\nRUN echo FROM python", []),
        ("FROM --platform=linux/amd64 python:3.11 AS build\nFROM build", ["line 1: its base python:3.11 has no digest"]),
        ("FROM \\\n  python:3.11", ["line 1: its base python:3.11 has no digest"]),
        ("FROM", []),
        ("", []),
    ],
)
def test_bases_that_move(dockerfile: str, wrong: list[str]) -> None:
    lines = list(moving_bases(dockerfile))

    assert len(lines) == len(wrong)
    assert all(line.startswith(start) for line, start in zip(lines, wrong, strict=True))
