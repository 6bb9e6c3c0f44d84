"""CodeBuild that builds: a project's buildspec runs in a shell, as the project's role, with its log in CloudWatch Logs."""
