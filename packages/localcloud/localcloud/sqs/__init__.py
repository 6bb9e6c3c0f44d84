"""Queues: who may put a message into one, and what CloudWatch is told of them. All else is moto's."""
