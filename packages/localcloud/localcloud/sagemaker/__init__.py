"""SageMaker that runs: jobs, pipelines and endpoints as processes of images that were built on this machine."""
