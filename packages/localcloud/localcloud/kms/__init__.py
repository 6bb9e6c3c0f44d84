"""KMS that signs digests, and finds a key by any of its names."""
