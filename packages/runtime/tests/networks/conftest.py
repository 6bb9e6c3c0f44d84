"""These tests need torch, and one file Keras, which only the environments of the two have. There `tests/test_networks.py` of the root runs
them, and fails where it cannot.
"""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [files for package, files in (("torch", "test_*.py"), ("keras", "test_keras.py")) if not find_spec(package)]
