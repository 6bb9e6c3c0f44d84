"""ECR's images: built by a stand-in for docker, and run as processes of this machine."""
