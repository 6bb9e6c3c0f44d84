"""A file of rows scored as a team would write it without Paved Road: pandas, the model's graph in ONNX Runtime, every row in memory.

`python bench/rivals/batch_pandas.py MODEL_FOLDER ROWS.csv RESULTS.csv`; nothing is checked, and nothing says afterwards what was scored.
"""

# mypy: ignore-errors
# (its packages live in an environment of their own, which bench/batch.py makes)
from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd


def main(model: Path, rows: str, results: str) -> None:
    columns = json.loads((model / "schema.json").read_text())["columns"]
    frame = pd.read_csv(rows)
    matrix = np.empty((len(frame), len(columns) + 3), dtype=np.float32)
    for place, (name, column) in enumerate(columns.items()):
        values = column.get("values")
        matrix[:, place] = frame[name].map({value: code for code, value in enumerate(values)}) if values else frame[name]
    day = frame["month"].map({value: code for code, value in enumerate(columns["month"]["values"])}) * 30.5 + frame["day"]
    matrix[:, -3:] = np.column_stack([day, np.sin(2 * np.pi * day / 366), np.cos(2 * np.pi * day / 366)])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model / "model.onnx"), options, providers=["CPUExecutionProvider"])
    frame["score"] = session.run(["probabilities"], {"features": matrix})[0][:, 1]
    frame[["id", "duration", "score"]].to_csv(results, index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
