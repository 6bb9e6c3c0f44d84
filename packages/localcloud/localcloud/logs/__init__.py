"""CloudWatch Logs whose metric filters work."""
