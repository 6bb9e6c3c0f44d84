"""KMS that signs digests, finds a key by any of its names, and keeps its keys in somebody's hands."""
