"""What CloudFormation accepts and AWS, later, does not: rules for hazards of SageMaker templates that general checkers do not know.

Each rule is a function from a template to its findings, in the file of its subject; `cfn_lint.py` hands them all to cfn-lint, so that
they read YAML and JSON alike, know lines, and can be silenced where a resource says so. A rule never guesses: what a template leaves
to parameters, conditions or other stacks passes.
"""

__version__ = "0.1.0"
