"""EventBridge that delivers: rules of every bus see each event once, and call their targets elsewhere, as often as it takes."""
