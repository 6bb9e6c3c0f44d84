"""SageMaker Feature Store: groups of features whose newest records are online, and all of whose records are offline, in Parquet."""
