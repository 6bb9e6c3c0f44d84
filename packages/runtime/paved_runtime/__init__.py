"""The frame in every model's container: one contract for data, training, evaluation, serving and monitoring."""

import os

__version__ = "0.1.0"

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime reads it when it is imported: an image contacts nothing by itself
