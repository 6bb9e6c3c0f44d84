"""What lies in a queue, told to CloudWatch every minute while it is active.

A queue is active for six hours after the last call that was about it ("Available CloudWatch metrics for Amazon SQS" in its developer
guide); after that nothing is told, whatever lies in it.
"""

from __future__ import annotations

import time
from typing import Any

from moto.sqs.models import Queue, SQSBackend

from localcloud.cloudwatch import metrics
from localcloud.core import clock
from localcloud.core.cloud import cloud

MINUTE, ACTIVE = 60, 6 * 3600  # CloudWatch's seconds
_moto = SQSBackend.get_queue
_called: dict[str, float] = {}  # a queue's ARN → when it was last called, while it is active


def install() -> None:
    """Notice every call that is about a queue."""
    SQSBackend.get_queue = _get_queue  # type: ignore[method-assign]


def _get_queue(self: Any, queue_name: str) -> Queue:
    queue: Any = _moto(self, queue_name)
    known, now = queue.queue_arn in _called, time.time()
    _called[queue.queue_arn] = now
    if not known:
        clock.at(("queue", queue.queue_arn), now + MINUTE / cloud().speed, lambda: _tell(self, queue))
    return queue  # type: ignore[no-any-return]


def _tell(backend: Any, queue: Any) -> None:
    now = time.time()
    if backend.queues.get(queue.name) is not queue or now - _called[queue.queue_arn] > ACTIVE / cloud().speed:
        del _called[queue.queue_arn]
        return
    counts = {
        "ApproximateNumberOfMessagesVisible": queue.approximate_number_of_messages,
        "ApproximateNumberOfMessagesNotVisible": queue.approximate_number_of_messages_not_visible,
    }
    for name, count in counts.items():
        of = metrics.Metric(queue.account_id, queue.region, "AWS/SQS", name, frozenset({("QueueName", queue.name)}))
        metrics.record(of, count, unit="Count")
    clock.at(("queue", queue.queue_arn), now + MINUTE / cloud().speed, lambda: _tell(backend, queue))
