"""For tests of programs that speak to AWS: a localcloud in this process or beside it, and what such tests do again and again.

`isolate` keeps a test run from every real account, `in_process` and `Running` are clouds, the other modules are short ways to say what
tests of endpoints, pipelines and images say often. `image` is a container that does what its environment or a request asks for.
"""

ACCOUNT, OTHER, REGION = "123456789012", "222222222222", "eu-west-1"
