"""How the lead-scoring model learns: as the runtime's boosted trees do. A `train` of its own with the same arguments may take its place."""

from paved_runtime.boosting import train as train
