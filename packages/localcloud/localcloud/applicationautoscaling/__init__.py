"""Application Auto Scaling of variants and inference components: target tracking, step scaling by alarms, and scheduled actions."""
