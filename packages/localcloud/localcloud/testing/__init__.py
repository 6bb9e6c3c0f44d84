"""For tests of programs that speak to AWS: a localcloud in this process or beside it, and what such tests do again and again.

`isolate` keeps a test run from every real account, `in_process` and `Running` are clouds, `RealAccounts` are accounts of AWS itself, on
which the same tests run where somebody verifies them there; all three are `Accounts`. The other modules are short ways to say what tests
of endpoints, pipelines and images say often. `image` is a container that does what its environment or a request asks for.
"""

import os

from localcloud.testing.verification import VERIFICATION, named

ACCOUNT, OTHER, REGION = "123456789012", "222222222222", "eu-west-1"
if VERIFICATION:
    ACCOUNT, OTHER, REGION = VERIFICATION.accounts[0], VERIFICATION.accounts[-1], VERIFICATION.region
PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "")  # of those that a test run has, for what each makes for itself
LAB = named("lab")  # a bucket that tests share; each uses keys of its own
MODELS = named("team/model")  # an image repository that tests share; its tags can be moved
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{MODELS}"

__all__ = ["ACCOUNT", "LAB", "MODELS", "OTHER", "PROCESS", "REGION", "REPOSITORY", "VERIFICATION", "named"]
