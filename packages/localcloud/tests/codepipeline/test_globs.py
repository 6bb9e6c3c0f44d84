"""Patterns are those of CodePipeline's guide; what is none is named."""

from __future__ import annotations

import pytest

from localcloud.codepipeline.globs import compiled

pytestmark = pytest.mark.laptop("patterns are matched by functions")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("model_code/x/**", "model_code/x/a/b.py", True),
        ("model_code/x/**", "model_code/xy/a.py", False),
        ("model_code/*/model.toml", "model_code/x/model.toml", True),
        ("model_code/*/model.toml", "model_code/x/y/model.toml", False),
        ("*.py", "app.py", True),
        ("*.py", "stacks/app.py", False),
        ("**.py", "stacks/app.py", True),
        ("**/README.md", "docs/README.md", True),
        ("**/README.md", "README.md", False),
        ("config.p?", "config.py", True),
        ("a?b", "a/b", False),
        ("*.{toml,lock}", "requirements.lock", True),
        ("*.{toml,lock}", "requirements.txt", False),
        ("v[0-9]", "v7", True),
        ("v[!0-9]", "v7", False),
        ("v[!0-9]x", "v/x", False),
        ("v[-^]", "v^", True),
        ("v[*]", "v1", False),
        (r"\*.py", "a.py", False),
        (r"\*.py", "*.py", True),
        ("a,b}", "a,b}", True),
        ("docs/**", "docs/two\nlines", True),
    ],
)
def test_a_pattern_is_for_whole_paths(pattern: str, path: str, matches: bool) -> None:
    assert bool(compiled(pattern).fullmatch(path)) is matches


@pytest.mark.parametrize("pattern", ["v[0-9", "v[]", "{a,b", "{a,{b,c}}", "a\\", "[z-a]"])
def test_what_is_no_pattern_is_named(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no glob pattern"):
        compiled(pattern)
