"""Application Auto Scaling of endpoint variants: target tracking through alarms of its own, and scheduled actions."""
