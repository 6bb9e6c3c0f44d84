"""These tests need torch, which only the environments of the models beside them have: `tests/test_networks.py` runs them there, and fails
where it cannot.
"""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [f"test_{name}.py" for name, packages in {"torch": ["torch"], "keras": ["torch", "keras"], "fit": ["torch"]}.items()
                       if not all(find_spec(package) for package in packages)]  # fmt: skip
