"""How the lead-scoring model learns: as the runtime's boosted trees do. A `train` of its own that takes a run may take its place."""

from paved_runtime.frameworks.xgboost import train as train
