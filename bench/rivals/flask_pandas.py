"""What a team would write without Paved Road: Flask, pandas and a scikit-learn pipeline in a pickle, behind gunicorn.

`python bench/rivals/flask_pandas.py DATA.csv MODEL.joblib TREES` trains; `RIVAL=MODEL.joblib gunicorn
bench.rivals.flask_pandas:app` serves.
"""

# mypy: ignore-errors
# (its packages live in an environment of their own, which bench/serving.py makes)
from __future__ import annotations

import os
import sys

import joblib
import pandas as pd
from flask import Flask, Response, jsonify, request
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier

CATEGORIES = ["job", "marital", "education", "default", "housing", "loan", "contact", "month", "poutcome"]

app = Flask(__name__)
model = joblib.load(os.environ["RIVAL"]) if "RIVAL" in os.environ else None


@app.get("/ping")
def ping() -> Response:
    return Response(status=200)


@app.post("/invocations")
def invocations() -> Response:
    assert model is not None
    frame = pd.DataFrame(request.get_json()["instances"])
    return jsonify(predictions=[{"score": float(score)} for score in model.predict_proba(frame)[:, 1]])


def train(data: str, out: str, trees: int) -> None:
    frame = pd.read_csv(data).drop(columns="duration")
    columns = ColumnTransformer([("text", OneHotEncoder(handle_unknown="ignore"), CATEGORIES)], remainder="passthrough")
    pipeline = Pipeline([("columns", columns), ("model", XGBClassifier(n_estimators=trees, max_depth=7, learning_rate=0.1, n_jobs=1))])
    joblib.dump(pipeline.fit(frame.drop(columns="y"), frame["y"] == "yes"), out)


if __name__ == "__main__":
    train(sys.argv[1], sys.argv[2], int(sys.argv[3]))
