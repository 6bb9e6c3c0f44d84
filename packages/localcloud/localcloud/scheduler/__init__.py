"""EventBridge Scheduler that invokes: each schedule's target at its times, under the target's role."""
