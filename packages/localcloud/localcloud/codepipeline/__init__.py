"""CodePipeline that runs: executions go through a V2 pipeline's stages as its definition says, QUEUED or SUPERSEDED."""
