"""IAM that is enforced: every request is judged by the policies of who asks, and of what is asked about."""
