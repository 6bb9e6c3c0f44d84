"""The monitor's work with evidently: the same rows, its drift preset with the same tests.

`python bench/rivals/monitor_evidently.py REFERENCE.csv CAPTURED.jsonl …` prints JSON: seconds, rows, and what was found of each column.
"""

# mypy: ignore-errors
# (its packages live in an environment of their own, which bench/monitor.py makes)
from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd
from evidently import Report
from evidently.metrics import ValueDrift

sys.path.insert(0, str(Path(__file__).parent))
from monitor_pandas import captured


def main() -> None:
    began = time.perf_counter()
    reference, current = pd.read_csv(sys.argv[1]), captured(sys.argv[2:])
    tests = {name: "ks" if pd.api.types.is_numeric_dtype(reference[name]) else "chisquare" for name in reference}
    metrics = [ValueDrift(column=name, method=method) for name, test in tests.items() for method in (test, "psi")]
    values = [float(metric["value"]) for metric in Report(metrics).run(current, reference).dict()["metrics"]]
    found = {name: {"psi": psi} for name, psi in zip(tests, values[1::2], strict=True)}
    for (name, test), p_value in zip(tests.items(), values[::2], strict=True):
        if test == "ks":  # its chi-square test takes the reference for the truth, which is another question
            found[name]["p_value"] = p_value
    print(json.dumps({"seconds": time.perf_counter() - began, "rows": len(current), "columns": found}))


if __name__ == "__main__":
    main()
