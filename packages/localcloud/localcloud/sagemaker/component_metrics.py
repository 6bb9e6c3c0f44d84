"""What an inference component tells CloudWatch of its requests and its copies.

By "Metrics for monitoring Amazon SageMaker AI with Amazon CloudWatch": in AWS/SageMaker by InferenceComponentName, and what is known of
the endpoint too by EndpointName and VariantName; in /aws/sagemaker/InferenceComponents what copies use of what they reserved.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from localcloud.cloudwatch import metrics
from localcloud.core.cloud import cloud
from localcloud.core.process_trees import memory
from localcloud.sagemaker.copies import Copies
from localcloud.sagemaker.placement import of_instance
from localcloud.sagemaker.shared import Shared
from localcloud.sagemaker.telemetry import INVOCATIONS, SAMPLED_EVERY, UNITS
from localcloud.sagemaker.usage import Usage

USED = "/aws/sagemaker/InferenceComponents"
MB = 1024 * 1024


class ComponentMetrics:
    """Notes what one component's invocations were and how its copies are, until `stop`. `copies` gives those that serve."""

    def __init__(self, component: str, endpoint: tuple[str, str, str, str], copies: Callable[[], list[Copies]]) -> None:
        self._component = frozenset({("InferenceComponentName", component)})
        self._account, self._region, name, variant = endpoint
        self._variant = frozenset({("EndpointName", name), ("VariantName", variant)})
        self._copies, self._usage, self._ended = copies, Usage(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Tell no more."""
        self._ended.set()
        self._thread.join()

    def measure(self, status: int, model: float | None, overhead: float) -> None:
        """Count one invocation; `status` 0 or 503 is one that no container answered; `model` and `overhead` are seconds."""
        values = {
            "Invocations": 1.0,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status >= 500 or not status),
            "OverheadLatency": overhead * 1e6,
            **({} if model is None else {"ModelLatency": model * 1e6}),
        }
        running = sum(len(copies.running) for copies in self._copies())
        for name, value in values.items():
            self._record(INVOCATIONS, name, value, self._component, self._variant)
        self._record(INVOCATIONS, "InvocationsPerCopy", 1 / max(running, 1), self._component)

    def without_capacity(self) -> None:
        """Count a request that came while there was no copy."""
        self._record(INVOCATIONS, "NoCapacityInvocationFailures", 1.0, self._component)

    def _record(self, namespace: str, name: str, value: float, *dimensions: frozenset[tuple[str, str]]) -> None:
        unit = UNITS.get(name, "Percent" if namespace == USED else "None")
        for each in dimensions:
            metrics.record(metrics.Metric(self._account, self._region, namespace, name, each), value, unit=unit)

    def _run(self) -> None:
        while not self._ended.wait(max(SAMPLED_EVERY / cloud().speed, 0.1)):
            for copies in self._copies():
                self._sample(copies)

    def _sample(self, copies: Copies) -> None:
        for instance in copies.running:
            self._record(INVOCATIONS, "ConcurrentRequestsPerCopy", float(instance.concurrency()), self._component)
            used, pid = self._usage.of(instance.pid, instance.folder), instance.pid
            if used and pid:
                self._record(USED, "CPUUtilizationNormalized", used["CPUUtilization"] / _cores(copies), self._component)
                self._record(USED, "MemoryUtilizationNormalized", 100 * memory(pid) / (copies.room.memory * MB), self._component)


def _cores(copies: Copies) -> float:
    """Those that a copy reserves; where it reserves none, those of its instance."""
    host = copies.endpoint.live.variants.get(copies.name) if copies.endpoint.live else None
    return copies.room.cores or (of_instance(host.kind).cores if isinstance(host, Shared) else 1.0)
