"""How sure one may be of each figure of evaluation: 95 % intervals, for held-out rows drawn anew, as many of either outcome.

That of the ROC AUC of two outcomes is DeLong's; the others come from the bootstrap. All but the calibration error get quantiles of their
resampled values, corrected for bias (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 14). The calibration error cannot:
it is the sum of the distances D between scores and outcomes, bin by bin, to which chance only ever adds, and resampling adds as much once
more. So its interval is the errors under which what was measured is not unusual: errors t·D of the measured shape and any size t, the
resampled deviations e of the D upon them. Not unusual is what lies in the middle 95 % of the sums of |t·D + e|. Every interval holds what
was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from paved_runtime import bootstrap, calibration, delong, differences
from paved_runtime.bootstrap import Parts, Weights
from paved_runtime.table import Mask, Values

CONFIDENCE = 0.95
TAILS = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
RESAMPLES = 1000
HALVINGS = 20  # of the range in which a size is looked for
LEAST = float(np.finfo(np.float64).eps)  # what a probability of nothing counts for in log loss, as scikit-learn has it
CLASS_FIGURES = ("roc_auc", "accuracy", "f1", "brier", "log_loss")
Interval = tuple[float, float]


def of_outcomes(labels: Mask, scores: Values) -> dict[str, Interval]:
    """The interval of each metric: labels bool [rows], scores float64 [rows]. None at all without two rows of either outcome."""
    positive, negative = np.sort(scores[labels]), np.sort(scores[~labels])
    if min(len(positive), len(negative)) < 2:
        return {}
    figures = Figures(positive, negative)
    resamples = bootstrap.resamples(len(positive), len(negative), count=RESAMPLES)
    drawn = np.concatenate([figures.of(*weights) for weights in resamples])
    precision, brier, log_loss = map(_corrected, figures.measured[:3].tolist(), drawn[:, :3].T)
    distances = figures.measured[3:]
    return {
        "roc_auc": delong.roc_auc(positive, negative, CONFIDENCE)[1:],
        "average_precision": precision,
        "brier": brier,
        "log_loss": log_loss,
        "calibration_error": calibration_error(distances, drawn[:, 3:] - distances),
    }


class Figures:
    """Figures of one model's scores, however often each row is counted: average precision, Brier score, log loss, and then, bin by bin,
    the distance of outcomes and scores, of whose sizes the calibration error is the sum.
    """

    def __init__(self, positive: Values, negative: Values) -> None:
        """Rising scores of the rows of either outcome: float64 [P] and [N]."""
        self._rows = len(positive) + len(negative)
        self._first = np.searchsorted(positive, positive, side="left")
        self._below = np.searchsorted(negative, positive, side="left")
        self._squares = (1 - positive) ** 2, negative**2
        self._logarithms = -np.log(np.maximum(positive, LEAST)), -np.log(np.maximum(1 - negative, LEAST))
        self._distances = 1 - positive, -negative
        ranked = np.sort(np.concatenate([positive, negative]))
        self._edges = [np.searchsorted(calibration.bins(scores, ranked), range(calibration.BINS + 1)) for scores in (positive, negative)]

    @property
    def measured(self) -> Values:
        """Those of the rows as they are: float64 [3 + bins]."""
        once = (np.ones((1, len(part)), dtype=np.int64) for part in self._distances)
        return np.asarray(self.of(*once)[0])

    def of(self, positive: Weights, negative: Weights) -> Values:
        """float64 [k, 3 + bins]: those of rows that count as often as the weights [k, P] and [k, N] say, P and N in all."""
        weights = positive, negative
        right, wrong = (_before(counted)[:, start] for counted, start in zip(weights, (self._first, self._below), strict=True))
        selected = (positive.shape[1] - right) + (negative.shape[1] - wrong)  # rows that score as much, or more
        precision = (positive * (positive.shape[1] - right) / np.maximum(selected, 1)).mean(axis=1)
        means = [sum(w @ part for w, part in zip(weights, parts, strict=True)) / self._rows for parts in (self._squares, self._logarithms)]
        counted = zip(weights, self._distances, self._edges, strict=True)
        bins = sum(np.diff(_before(w * distance)[:, edges], axis=1) for w, distance, edges in counted) / self._rows
        return np.column_stack([precision, *means, bins])


def of_classes(labels: Values, scores: Values) -> dict[str, Interval]:
    """The interval of each metric of several classes: labels float64 [rows], their places; scores float64 [rows, classes].

    None at all without two classes. Where one that occurs has a single row, nobody knows how sure its part of the ROC AUC and of F1 is:
    these two have none then. Classes that do not occur count for nothing, as in what was measured.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        return {}
    rows = [np.flatnonzero(labels == label) for label in classes]
    figures = ClassFigures(labels, scores)
    measured = figures.measured
    drawn = np.concatenate([figures.of(weights) for weights in bootstrap.resamples(*map(len, rows), count=RESAMPLES)])
    known = {name: at for at, name in enumerate(CLASS_FIGURES) if counts.min() > 1 or name not in ("roc_auc", "f1")}
    bounds = {name: _corrected(float(measured[at]), drawn[:, at]) for name, at in known.items()}
    bins = slice(len(CLASS_FIGURES), None)
    distances = measured[bins].reshape(-1, calibration.BINS)
    worst = int(np.abs(distances).sum(axis=1).argmax())
    deviations = drawn[:, bins].reshape(len(drawn), *distances.shape)[:, worst] - distances[worst]
    return bounds | {"calibration_error": calibration_error(distances[worst], deviations)}


class ClassFigures:
    """Figures of one model's scores of classes, however often each row is counted: those of CLASS_FIGURES, and then, class by class and bin
    by bin, the distance of outcomes and scores.
    """

    def __init__(self, labels: Values, scores: Values) -> None:
        """Labels float64 [rows], places of classes; scores float64 [rows, classes]."""
        self._classes = np.unique(labels).astype(np.intp)
        rows = [np.flatnonzero(labels == label) for label in self._classes]
        self._rankings = [differences.against_others(rows, at, scores[:, label]) for at, label in enumerate(self._classes)]
        self._counts = np.array([len(part) for part in rows])
        order = np.concatenate(rows)
        ours, scores, predicted = labels[order].astype(np.intp), scores[order], scores[order].argmax(axis=1)
        apart, width = np.eye(scores.shape[1])[ours] - scores, scores.shape[1]
        likely = np.clip(scores[np.arange(len(ours)), ours], LEAST, 1)
        self._right, self._predicted = predicted == ours, Parts(predicted, width)
        self._means = np.array([self._right, (apart**2).sum(axis=1), -np.log(likely)])
        self._bins = [(_bins(scores[:, place]), apart[:, place]) for place in range(width)]

    @property
    def measured(self) -> Values:
        """Those of the rows as they are: float64 [5 + classes * bins]."""
        return np.asarray(self.of([np.ones((1, count), dtype=np.int64) for count in self._counts])[0])

    def of(self, weights: Sequence[Weights]) -> Values:
        """float64 [k, 5 + classes * bins]: those of rows that count as often as the weights of each class that occurs say, [k, rows of it],
        as many of each as there are.
        """
        pairs = enumerate(zip(self._rankings, weights, strict=True))
        areas = [ranking.auc(own, differences.others(weights, at)) for at, (ranking, own) in pairs]
        every = np.concatenate(weights, axis=1).astype(np.float64)
        rows = every.shape[1]
        accuracy, brier, log_loss = bootstrap.sums(every, self._means).T / rows
        right, predicted = (self._predicted.sums(counted)[:, self._classes] for counted in (every * self._right, every))
        f1 = (2 * right / (self._counts + predicted)).mean(axis=1)
        distances = [bins.sums(every * apart) / rows for bins, apart in self._bins]
        return np.column_stack([np.mean(areas, axis=0), accuracy, f1, brier, log_loss, *distances])


def of_amounts(labels: Values, scores: Values) -> dict[str, Interval]:
    """The interval of each metric of numbers: labels and scores float64 [rows]. None at all where labels do not differ."""
    if len(labels) < 2 or labels.min() == labels.max():
        return {}
    centred, errors = labels - labels.mean(), scores - labels
    moments = np.array([errors, errors**2, np.abs(errors), centred, centred**2])
    bins, rows = _bins(scores), len(labels)

    def figures(weights: Weights) -> Values:
        error, square, size, mean, squares = bootstrap.sums(weights, moments).T / rows
        variance = differences.varied(squares, mean**2)
        spread, distances = np.sqrt(variance), bins.sums(weights * errors) / rows
        return np.column_stack([1 - square / variance, np.sqrt(square), size, error / spread, distances / spread[:, None]])

    measured = figures(np.ones((1, len(labels)), dtype=np.int64))[0]
    drawn = np.concatenate([figures(weights) for (weights,) in bootstrap.resamples(len(labels), count=RESAMPLES)])
    drawn = drawn[~np.isnan(drawn).any(axis=1)]  # of rows that are all of one number there is no R²
    bounds = {name: _corrected(float(measured[at]), drawn[:, at]) for at, name in enumerate(("r2", "rmse", "mae", "bias"))}
    return bounds | {"calibration_error": calibration_error(measured[4:], drawn[:, 4:] - measured[4:], most=np.inf)}


def _bins(scores: Values) -> Parts:
    """The rows in the bins of their scores, float64 [rows]."""
    return Parts(calibration.bins(scores, np.sort(scores)), calibration.BINS)


def calibration_error(distances: Values, deviations: Values, *, most: float = 1.0) -> Interval:
    """The interval, at most `most`, of the sum of the sizes of `distances`, float64 [bins]; `deviations`, [resamples, bins], chance's."""
    measured = float(np.abs(distances).sum())

    def usual(size: float, tail: float) -> float:
        return float(np.quantile(np.abs(size * distances + deviations).sum(axis=1), tail))

    low = 0.0 if usual(0, TAILS[1]) >= measured else _size(lambda size: usual(size, TAILS[1]), measured)
    high = _size(lambda size: usual(size, TAILS[0]), measured)
    return min(low, 1.0) * measured, min(max(high, 1.0) * measured, most)


def _corrected(measured: float, drawn: Values) -> Interval:
    """The quantiles of resampled values, float64 [resamples], as far off as their middle is off what was measured."""
    below = ((drawn < measured).sum() + (drawn <= measured).sum()) / (2 * len(drawn))
    bias = stats.norm.ppf(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    low, high = np.quantile(drawn, stats.norm.cdf(2 * bias + stats.norm.ppf(TAILS)))
    return min(float(low), measured), max(float(high), measured)


def _size(usual: Callable[[float], float], measured: float) -> float:
    """The size with which what was measured is what `usual` says, which rises with it."""
    low, high = 0.0, 1.0
    while usual(high) < measured:
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if usual(middle) >= measured else (middle, high)
    return high


def _before(values: Values | Weights) -> Values | Weights:
    """[k, n + 1]: the sum of the values before each place, and of all of them."""
    sums: Values | Weights = np.zeros((len(values), values.shape[1] + 1), dtype=values.dtype)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums
