"""The repository behind CodeConnections: a bare one on this machine, whose pushes start pipelines."""
