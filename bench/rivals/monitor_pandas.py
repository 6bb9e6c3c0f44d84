"""The monitor's work as a team would write it without Paved Road: pandas and scipy, every captured line in memory.

`python bench/rivals/monitor_pandas.py REFERENCE.csv CAPTURED.jsonl …` prints JSON: seconds, rows, and what was found of each column.
"""

# mypy: ignore-errors
# (its packages live in an environment of their own, which bench/monitor.py makes)
from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
from scipy import stats


def captured(files: list[str]) -> pd.DataFrame:
    """The rows that were asked about, with their scores."""
    lines = pd.concat([pd.read_json(file, lines=True) for file in files], ignore_index=True)
    frame = pd.DataFrame([json.loads(data["endpointInput"]["data"]) for data in lines["captureData"]])
    answers = [json.loads(data["endpointOutput"]["data"]) for data in lines["captureData"]]
    frame["score"] = [answer["predictions"][0]["score"] for answer in answers]
    return frame


def psi(expected: pd.Series, found: pd.Series) -> float:
    """The population stability index of two rows of counts."""
    p, q = np.maximum(found, 0.5) / found.sum(), np.maximum(expected, 0.5) / expected.sum()
    return float(((p - q) * np.log(p / q)).sum())


def compare(reference: pd.Series, current: pd.Series) -> dict[str, float]:
    if pd.api.types.is_numeric_dtype(reference):
        test = stats.ks_2samp(reference, current, method="asymp")
        edges = [-np.inf, *np.unique(np.quantile(reference, np.arange(1, 10) / 10)), np.inf]
        counts = [pd.cut(values, edges).value_counts(sort=False) for values in (reference, current)]
    else:
        table = pd.DataFrame({"reference": reference.value_counts(), "current": current.value_counts()}).fillna(0)
        test = stats.chi2_contingency(table.T)
        counts = [table["reference"], table["current"]]
    return {"statistic": float(test.statistic), "p_value": float(test.pvalue), "psi": psi(*counts)}


def main() -> None:
    began = time.perf_counter()
    reference, current = pd.read_csv(sys.argv[1]), captured(sys.argv[2:])
    found = {name: compare(reference[name], current[name]) for name in reference}
    print(json.dumps({"seconds": time.perf_counter() - began, "rows": len(current), "columns": found}))


if __name__ == "__main__":
    main()
