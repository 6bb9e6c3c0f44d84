"""CloudWatch: metrics by exact dimensions, metric math, and alarms that go into ALARM, act and are noticed."""
