"""Application Auto Scaling of endpoint variants: target tracking, step scaling by alarms of others, and scheduled actions."""
