"""Networks: what jobs, models and builds are attached to, and those that a firm made before anything is deployed."""
