"""CloudFormation that deploys: in the order of references, replacing what must be replaced, rolling back on failure."""
