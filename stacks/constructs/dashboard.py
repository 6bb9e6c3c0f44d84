"""One page on which a person sees how a model is doing: traffic, answers, machines, and whether what it is asked is still what it learnt.

Axes begin at zero and say their unit; where an alarm has a limit, the graph has a line. What SageMaker calls microseconds is shown in
milliseconds, and its CPU and GPU, 100 % for each processor, as a share of the instance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

REQUESTS, INSTANCES, COPIES = "AWS/SageMaker", "/aws/sagemaker/Endpoints", "/aws/sagemaker/InferenceComponents"
VERSION, COLUMN = "ModelVersion", "Column"
WIDE, HALF = 24, 12
MINUTE, HOUR = Duration.minutes(1), Duration.hours(1)
FORTNIGHT = "-P14D"  # how far back graphs go that get a point a few times a day
Metrics = Sequence[cloudwatch.IMetric]


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Where graphs of the endpoint have a line: shares in percent, latency in milliseconds, the rest in percent of the instance."""

    server_errors: float
    client_errors: float
    latency: float
    cpu: float
    memory: float
    gpu: float
    gpu_memory: float


@dataclass(frozen=True, kw_only=True)
class Instances:
    """How many processors and GPUs one instance has."""

    processors: int
    gpus: int


@dataclass(frozen=True, kw_only=True)
class OnDemand:
    """Containers that SageMaker starts when somebody asks: the memory of one, and the milliseconds it may take to start."""

    memory_mb: int
    setup: float


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Copies on an endpoint that models share: how many requests at a time one is to have."""

    at_once: int


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a score is, and between which values it lies; None where that is not known."""

    unit: str
    least: float | None = 0
    most: float | None = 1


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """What a monitor that runs every `hours` measures, and where those graphs have a line.

    `headline` is the metric of the model's worth, `title` what people call it, `floor` its gate; with `classes`, it counts them, too.
    """

    hours: int
    psi: float
    rows: float
    unread: float
    headline: str
    title: str
    floor: float
    classes: bool
    calibration_error: float
    labels: float


class Dashboard(cloudwatch.Dashboard):
    """One endpoint's variant, or, on `Copies`, an inference component. `namespace` has the metrics of its versions, `runs_on` is what it
    runs on.

    `about` is Markdown for the top of the page. Without `monitored` there are no graphs of drift. `queue` is where the graph of requests
    that wait has a line, in seconds; None where callers wait, whose requests SageMaker counts otherwise.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        endpoint_name: str,
        variant: str,
        namespace: str,
        runs_on: Instances | OnDemand | Copies,
        about: str,
        alarms: Sequence[cloudwatch.IAlarm],
        lines: Lines,
        scores: Scores,
        monitored: Monitored | None,
        queue: float | None,
    ) -> None:
        super().__init__(scope, name, dashboard_name=endpoint_name, default_interval=Duration.hours(12))
        shared = isinstance(runs_on, Copies)
        self._variant = {"InferenceComponentName": endpoint_name} if shared else {"EndpointName": endpoint_name, "VariantName": variant}
        self._namespace, self._lines, self._of_scores = namespace, lines, scores
        self.add_widgets(cloudwatch.TextWidget(markdown=about, width=WIDE, height=3))
        self.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=WIDE, height=3))
        self.add_widgets(self._traffic() if queue is None else self._backlog(endpoint_name, queue), self._refused())
        latency = self._latency() if queue is None else self._answered()
        if isinstance(runs_on, OnDemand):
            self.add_widgets(latency, self._starts(runs_on))
            self.add_widgets(self._scores(), self._memory_seconds(runs_on))
        elif isinstance(runs_on, Copies):
            self.add_widgets(latency, self._reserved())
            self.add_widgets(self._scores(), self._at_once(runs_on))
        else:
            self.add_widgets(latency, self._busy(runs_on))
            self.add_widgets(self._scores(), self._hours())
        if monitored:
            self.add_widgets(self._psi(monitored), self._moved(monitored))
            self.add_widgets(self._rows(monitored), self._quality(monitored))

    def _traffic(self) -> cloudwatch.GraphWidget:
        return _graph(
            "Requests, and rows scored by each version",
            left=[self._of_variant("Invocations", "Sum", label="requests")],
            left_axis=_axis("requests a minute"),
            right=[self._by("ScoredRows", VERSION, "Sum", MINUTE)],
            right_axis=_axis("rows a minute"),
        )

    def _backlog(self, endpoint_name: str, oldest: float) -> cloudwatch.GraphWidget:
        queue = {"EndpointName": endpoint_name}
        size, age = (
            cloudwatch.Metric(namespace=REQUESTS, metric_name=name, dimensions_map=queue, statistic="Maximum", period=MINUTE, label=label)
            for name, label in (("ApproximateBacklogSize", "requests"), ("ApproximateAgeOfOldestRequest", "age of the oldest"))
        )
        return _graph(
            "Requests that wait or are answered, and rows scored by each version",
            left=[size, self._by("ScoredRows", VERSION, "Sum", MINUTE)],
            left_axis=_axis("requests; rows a minute"),
            right=[age],
            right_axis=_axis("seconds"),
            right_lines={"alarm: oldest request": oldest},
        )

    def _answered(self) -> cloudwatch.GraphWidget:
        """SageMaker gives the time in its queue in microseconds and the whole time in milliseconds."""
        model = [_computed("{} / 1000", self._of_variant("ModelLatency", p), f"model, {p}") for p in ("p50", "p95", "p99")]
        queued = _computed("{} / 1000", self._of_variant("TimeInBacklog", "Average"), "in the queue, average")
        whole = self._of_variant("TotalProcessingTime", "Average", label="from request to answer, average")
        return _graph(
            "Latency of the model, and from request to answer",
            left=model,
            left_axis=_axis("milliseconds"),
            lines={"alarm: p99": self._lines.latency},
            right=[queued, whole],
            right_axis=_axis("milliseconds, with the queue"),
        )

    def _refused(self) -> cloudwatch.GraphWidget:
        failed, refused = (self._of_variant(f"Invocation{kind}Errors", "Average") for kind in ("5XX", "4XX"))
        return _graph(
            "Requests that failed (5xx) or were refused (4xx)",
            left=[_computed("100 * {}", failed, "failed (5xx)"), _computed("100 * {}", refused, "refused (4xx)")],
            left_axis=_axis("% of requests"),
            lines={"alarm: failed": self._lines.server_errors, "alarm: refused": self._lines.client_errors},
        )

    def _latency(self) -> cloudwatch.GraphWidget:
        model = [_computed("{} / 1000", self._of_variant("ModelLatency", p), f"model, {p}") for p in ("p50", "p95", "p99")]
        overhead = _computed("{} / 1000", self._of_variant("OverheadLatency", "p99"), "SageMaker on top, p99")
        return _graph("Latency", left=[*model, overhead], left_axis=_axis("milliseconds"), lines={"alarm: p99": self._lines.latency})

    def _busy(self, instances: Instances) -> cloudwatch.GraphWidget:
        cpu, memory = (self._of_variant(f"{part}Utilization", "Maximum", INSTANCES) for part in ("CPU", "Memory"))
        return _graph(
            "The busiest instance",
            left=[_computed(f"{{}} / {instances.processors}", cpu, "CPU"), memory.with_(label="memory"), *self._of_gpus(instances.gpus)],
            left_axis=_axis("% of the instance", 100),
            lines={
                "alarm: CPU": self._lines.cpu,
                "alarm: memory": self._lines.memory,
                **({"alarm: GPU": self._lines.gpu, "alarm: memory of GPUs": self._lines.gpu_memory} if instances.gpus else {}),
            },
        )

    def _of_gpus(self, gpus: int) -> list[cloudwatch.IMetric]:
        known = {"GPUUtilization": "GPU", "GPUMemoryUtilization": "memory of GPUs"} if gpus else {}
        return [_computed(f"{{}} / {gpus}", self._of_variant(name, "Maximum", INSTANCES), label) for name, label in known.items()]

    def _reserved(self) -> cloudwatch.GraphWidget:
        cpu, memory = (self._of_variant(f"{part}UtilizationNormalized", "Maximum", COPIES, label=part) for part in ("CPU", "Memory"))
        return _graph("The busiest copy", left=[cpu, memory], left_axis=_axis("% of what it reserves"))

    def _at_once(self, copies: Copies) -> cloudwatch.GraphWidget:
        return _graph(
            "Requests at a time, and those that came while there was no copy",
            left=[self._of_variant("ConcurrentRequestsPerCopy", "Maximum", label="a copy's requests at a time")],
            left_axis=_axis("requests"),
            right=[self._of_variant("NoCapacityInvocationFailures", "Sum", label="no copy")],
            right_axis=_axis("requests a minute"),
            lines={"target": copies.at_once},
        )

    def _starts(self, containers: OnDemand) -> cloudwatch.GraphWidget:
        started = self._of_variant("ModelSetupTime", "Maximum")
        return _graph(
            "Containers that started, and memory of the fullest",
            left=[_computed("{} / 1000", started, "slowest start")],
            left_axis=_axis("milliseconds"),
            right=[self._of_variant("MemoryUtilization", "Maximum", INSTANCES, label=f"memory, of {containers.memory_mb} MB")],
            right_axis=_axis("%", 100),
            lines={"alarm: start": containers.setup},
            right_lines={"alarm: memory": self._lines.memory},
        )

    def _memory_seconds(self, containers: OnDemand) -> cloudwatch.GraphWidget:
        """What is paid for is memory while a request is answered, by the millisecond ("Amazon SageMaker AI Pricing"), and traffic."""
        answering = self._of_variant("ModelLatency", "Sum", period=HOUR)
        used = _computed(f"{{}} / 1000000 * {containers.memory_mb / 1024:g}", answering, "GB x seconds of answering", HOUR)
        title = "GB x seconds: what the endpoint costs at the least, times the price"
        return _graph(title, left=[used], left_axis=_axis("GB x seconds, each hour"))

    def _scores(self) -> cloudwatch.GraphWidget:
        percentiles = [self._by(f"ScoreP{percent}", VERSION, "Average", Duration.minutes(5)) for percent in (10, 50, 90)]
        scores = self._of_scores
        axis = cloudwatch.YAxisProps(label=scores.unit, min=scores.least, max=scores.most, show_units=False)
        return _graph("Scores by version: 10th, 50th and 90th percentile", left=percentiles, left_axis=axis)

    def _hours(self) -> cloudwatch.GraphWidget:
        """Each instance reports its CPU once a minute, so the reports of an hour count its instance hours."""
        reports = self._of_variant("CPUUtilization", "SampleCount", INSTANCES, HOUR)
        hours = _computed("{} / 60", reports, "instance hours", HOUR)
        return _graph("Instance hours: what the endpoint costs, times the price", left=[hours], left_axis=_axis("hours, each hour"))

    def _psi(self, monitored: Monitored) -> cloudwatch.GraphWidget:
        return _graph(
            "How far columns and score have moved",
            left=[
                self._by("PSI", COLUMN, "Maximum", Duration.hours(monitored.hours)),
                self._of_monitor("ScorePSI", monitored, label="score"),
                *([self._of_monitor("ClassPSI", monitored, label="most probable class")] if monitored.classes else []),
            ],
            left_axis=_axis("population stability index"),
            lines={"counts as moved, if it is no chance": monitored.psi},
            start=FORTNIGHT,
        )

    def _moved(self, monitored: Monitored) -> cloudwatch.GraphWidget:
        violations = _computed("100 * {}", self._of_monitor("Violations", monitored), "rows that break the data contract", monitored.hours)
        return _graph(
            "Drift found",
            left=[self._of_monitor("Drift", monitored, label="drift (1: something moved)"), self._of_monitor("DriftedColumns", monitored)],
            left_axis=_axis("drift; columns"),
            right=[violations],
            right_axis=_axis("% of rows"),
            start=FORTNIGHT,
        )

    def _rows(self, monitored: Monitored) -> cloudwatch.GraphWidget:
        skipped = cloudwatch.MathExpression(
            expression="runs - FILL(judged, 0)",
            label="runs skipped: too few rows",
            period=Duration.hours(monitored.hours),
            using_metrics={
                "runs": self._of_monitor("MonitorRuns", monitored, "Sum"),
                "judged": self._of_monitor("Drift", monitored, "SampleCount"),
            },
        )
        unread = _computed(
            "100 * {}", self._of_monitor("UnreadShare", monitored), "unread of what was captured, or missing", monitored.hours
        )
        return _graph(
            "What the monitor had to go by",
            left=[self._of_monitor("MonitoredRows", monitored)],
            left_axis=_axis("rows in the window"),
            right=[skipped, unread],
            right_axis=_axis("runs; % unread"),
            lines={"least rows": monitored.rows},
            right_lines={"alarm: unread": 100 * monitored.unread},
            start=FORTNIGHT,
        )

    def _quality(self, monitored: Monitored) -> cloudwatch.GraphWidget:
        return _graph(
            "Quality, once outcomes are known",
            left=[self._of_monitor(monitored.headline, monitored, label=monitored.title), self._of_monitor("CalibrationError", monitored)],
            left_axis=_axis(f"{monitored.title}; calibration error", 1),
            right=[self._of_monitor("LabelledRows", monitored)],
            right_axis=_axis("rows with an outcome"),
            lines={f"gate: least {monitored.title}": monitored.floor, "greatest calibration error": monitored.calibration_error},
            right_lines={"least rows with an outcome": monitored.labels},
            start=FORTNIGHT,
        )

    def _of_variant(
        self, metric: str, statistic: str, namespace: str = REQUESTS, period: Duration = MINUTE, label: str | None = None
    ) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace, metric_name=metric, dimensions_map=self._variant, statistic=statistic, period=period, label=label
        )

    def _of_monitor(self, metric: str, monitored: Monitored, statistic: str = "Maximum", label: str | None = None) -> cloudwatch.Metric:
        period = Duration.hours(monitored.hours)
        return cloudwatch.Metric(namespace=self._namespace, metric_name=metric, statistic=statistic, period=period, label=label)

    def _by(self, metric: str, dimension: str, statistic: str, period: Duration) -> cloudwatch.IMetric:
        """A line for each value of a dimension, whichever there are."""
        search = f"SEARCH('{{\"{self._namespace}\",{dimension}}} MetricName=\"{metric}\"', '{statistic}', {period.to_seconds():.0f})"
        return cloudwatch.SearchExpression(expression=search, label="", period=period)


def _graph(
    title: str,
    *,
    left: Metrics,
    left_axis: cloudwatch.YAxisProps,
    right: Metrics = (),
    right_axis: cloudwatch.YAxisProps | None = None,
    lines: Mapping[str, float] | None = None,
    right_lines: Mapping[str, float] | None = None,
    start: str | None = None,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        width=HALF,
        height=6,
        left=list(left),
        left_y_axis=left_axis,
        left_annotations=_annotations(lines),
        right=list(right),
        right_y_axis=right_axis,
        right_annotations=_annotations(right_lines),
        start=start,
    )


def _annotations(lines: Mapping[str, float] | None) -> list[cloudwatch.HorizontalAnnotation]:
    return [cloudwatch.HorizontalAnnotation(value=value, label=label, color=cloudwatch.Color.RED) for label, value in (lines or {}).items()]


def _axis(label: str, most: float | None = None) -> cloudwatch.YAxisProps:
    return cloudwatch.YAxisProps(label=label, min=0, max=most, show_units=False)


def _computed(expression: str, metric: cloudwatch.Metric, label: str, period: Duration | int = MINUTE) -> cloudwatch.MathExpression:
    """`expression` of a metric that it calls `{}`: a graph wants a name of its own for each."""
    over = period if isinstance(period, Duration) else Duration.hours(period)
    name = f"m{metric.metric_name}{metric.statistic}"
    return cloudwatch.MathExpression(expression=expression.format(name), using_metrics={name: metric}, label=label, period=over)
