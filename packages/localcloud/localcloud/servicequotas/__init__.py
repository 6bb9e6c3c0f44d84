"""Service Quotas: what an account may have of a service."""
