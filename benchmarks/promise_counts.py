"""Set the constants of the intervals from trials, and count how often the intervals hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.prediction import REDUCER_FACTOR
from vecsmith.advise.retention_interval import CALIBRATED, LEAST_LOSS, POWER, RetentionInterval, Z
from vecsmith.report.findings import Findings, Table

MISSED = 0.05
"""Share of the trials of every origin that a calibrated interval may miss on either side."""
SPREAD_QUANTILE = 0.75
"""Quantile over the trials of an origin of the spread over queries."""
FACTORS = np.geomspace(1.05, 20, 300)
"""Values of `more` and `less` that are tried."""
DRAWN, DRAWS = (43, 100, 300), 20
"""Numbers of queries that are drawn from those of a trial, and how often."""
COVERAGE = (
    "Coverage of 90 % intervals whose constants were set on all other origins. N: what so many judged queries "
    "measured, all of a trial or some that were drawn. Population: the retention of very many queries, which "
    "the measured one stands for (too strict, since it has a sampling error); in precise trials this error is "
    "small; within error: the interval may be missed by the sampling error (too lax). Width of the "
    "population's interval, and measured less predicted, are means in points"
)
KINDS: dict[str, Callable[["Trial"], bool]] = {
    "int8, int4, levels4": lambda trial: trial.codec in ("int8", "int4", "levels4"),
    "trellis, hybrid": lambda trial: trial.codec.startswith(("trellis", "hybrid")),
    "pca": lambda trial: trial.codec.startswith("pca"),
    "binary, binary-autoencoder": lambda trial: trial.codec.startswith("binary") and trial.scoring == "asymmetric",
    "bits under Hamming distance": lambda trial: trial.scoring == "symmetric",
}


@dataclass(frozen=True)
class Trial:
    """A predicted loss, and what a codec keeps of every query.

    Attributes
    ----------
    origin : str
        What the texts come from.
    task, encoder, codec, scoring : str
        What is tried.
    loss : float
        The predicted loss.
    kept, reference : ndarray of shape (n_queries,)
        nDCG@10 with the codec, and with float32.
    """

    origin: str
    task: str
    encoder: str
    codec: str
    scoring: str
    loss: float
    kept: NDArray[np.float64]
    reference: NDArray[np.float64]

    @property
    def queries(self) -> int:
        """Number of queries."""
        return len(self.kept)

    @cached_property
    def retention(self) -> float:
        """Measured retention."""
        return float(self.kept.mean() / self.reference.mean())

    @cached_property
    def spread(self) -> float:
        """Standard deviation of a query's share in the retention, by the delta method."""
        shares = (self.kept - self.retention * self.reference) / self.reference.mean()
        return float(shares.std(ddof=1))

    @property
    def error(self) -> float:
        """Sampling error of the measured retention, as of a 90 % interval."""
        return Z * self.spread / sqrt(self.queries)

    def drawn(self, count: int) -> NDArray[np.float64]:
        """Return the retentions that some of the queries measure, drawn without replacement."""
        rng = np.random.default_rng(0)
        rows = [rng.permutation(self.queries)[:count] for _ in range(DRAWS)]
        return np.array(
            [self.kept[few].mean() / self.reference[few].mean() for few in rows if self.reference[few].any()]
        )


def calibrated(trials: Sequence[Trial]) -> RetentionInterval:
    """Return the narrowest intervals that hold for enough trials of every origin, on either side.

    They are to hold the retention of the population, which the measured one is within its sampling error; half of this
    error is allowed for.
    """
    origins = [[trial for trial in trials if trial.origin == origin] for origin in {trial.origin for trial in trials}]
    spreads = [
        np.quantile([trial.spread / max(trial.loss, LEAST_LOSS) ** POWER for trial in group], SPREAD_QUANTILE)
        for group in origins
    ]
    per_query = float(max(spreads))

    def enough(factor: float, side: int) -> bool:
        interval = RetentionInterval(factor, factor, per_query)
        return all(np.mean([_misses(interval, trial, side) for trial in group]) <= MISSED for group in origins)

    more, less = (next(factor for factor in FACTORS if enough(factor, side)) for side in (0, 1))
    return RetentionInterval(float(more), float(less), per_query)


def _misses(interval: RetentionInterval, trial: Trial, side: int) -> bool:
    # half the sampling error is that of four times as many queries
    low, high = interval.bounds(trial.loss, 4 * trial.queries)
    return bool(trial.retention < low if side == 0 else trial.retention > high)


@dataclass(frozen=True)
class Count:
    """A trial beside an interval that was calibrated without its origin."""

    trial: Trial
    interval: RetentionInterval

    @property
    def measured(self) -> bool:
        """Whether the interval for its number of queries holds the measured retention."""
        return self._holds(self.trial.queries, 0)

    @property
    def population(self) -> bool:
        """Whether the interval of the population holds the measured retention, whose sampling error counts as ours."""
        return self._holds(inf, 0)

    @property
    def allowed(self) -> bool:
        """Whether it holds it within the sampling error."""
        return self._holds(inf, self.trial.error)

    @property
    def width(self) -> float:
        """Width of the interval of the population, in points."""
        low, high = self.interval.bounds(self.trial.loss)
        return 100 * float(high - low)

    @property
    def precise(self) -> bool:
        """Whether the sampling error is less than half of what the interval allows on the narrower side."""
        return bool(self.trial.error < (self.interval.bounds(self.trial.loss)[1] - 1 + self.trial.loss) / 2)

    def drawn(self, count: int) -> float:
        """Return how often the interval for so many queries holds what some of the queries measure."""
        low, high = self.interval.bounds(self.trial.loss, count)
        found = self.trial.drawn(count)
        return float(np.mean((found >= low) & (found <= high)))

    def _holds(self, queries: float, error: float) -> bool:
        low, high = self.interval.bounds(self.trial.loss, queries)
        return bool(low - error <= self.trial.retention <= high + error)


def report(trials: Sequence[Trial]) -> Findings:
    """Return the tables: constants, and coverage with those set on all origins but the one that is counted."""
    origins = list(dict.fromkeys(trial.origin for trial in trials))
    without = {origin: calibrated([trial for trial in trials if trial.origin != origin]) for origin in origins}
    counts = [Count(trial, without[trial.origin]) for trial in trials]
    by_origin = {origin: [each for each in counts if each.trial.origin == origin] for origin in origins}
    by_kind = {kind: [each for each in counts if belongs(each.trial)] for kind, belongs in KINDS.items()}
    by_case: dict[str, list[Count]] = {}
    for each in counts:
        by_case.setdefault(f"{each.trial.task}, {each.trial.encoder}", []).append(each)
    constants = [[f"all but {origin}", *_constants(interval)] for origin, interval in without.items()]
    constants += [["all", *_constants(calibrated(trials))], ["in the code", *_constants(CALIBRATED)]]
    tables = [
        Table(
            "constants",
            "Constants of the interval, by the origins that they are set on",
            ["set on", "more", "less", "per query"],
            constants,
        ),
        _coverage("origins", COVERAGE, by_origin),
        _coverage("kinds", "The same, by codec", by_kind),
        _coverage("cases", "The same, by task and model", by_case),
        Table(
            "reducers",
            f"Factor of the loss of codecs with reducers (in the code {REDUCER_FACTOR}) that makes the median of "
            "measured over predicted loss that of trellis and hybrid codes",
            ["origin", "factor"],
            [[origin, f"{_reducer_factor(group):.1f}"] for origin, group in by_origin.items()],
        ),
    ]
    return Findings(tables)


def _constants(interval: RetentionInterval) -> list[str]:
    return [f"{number:.2f}" for number in (interval.more, interval.less, interval.per_query)]


def _coverage(name: str, title: str, groups: dict[str, list[Count]]) -> Table:
    columns = ["", "trials", "N as measured", *(f"N = {count}" for count in DRAWN)]
    columns += ["population", "precise trials", "their population", "within error", "width", "measured − predicted"]
    everything = [each for counts in groups.values() for each in counts]
    rows = [[group, *_line(counts)] for group, counts in (*groups.items(), ("all", everything))]
    return Table(name, title, columns, rows)


def _line(counts: Sequence[Count]) -> list[str]:
    precise = [each.population for each in counts if each.precise]
    few = [[each.drawn(count) for each in counts if each.trial.queries >= count] for count in DRAWN]
    differences = [100 * (each.trial.retention - 1 + each.trial.loss) for each in counts]
    return [
        str(len(counts)),
        _share([each.measured for each in counts]),
        *map(_share, few),
        _share([each.population for each in counts]),
        str(len(precise)),
        _share(precise),
        _share([each.allowed for each in counts]),
        f"{np.mean([each.width for each in counts]):.1f}",
        f"{np.mean(differences):+.1f}",
    ]


def _share(held: Sequence[float]) -> str:
    return f"{np.mean(held):.0%}" if held else ""


def _reducer_factor(counts: Sequence[Count]) -> float:
    logs = {
        kind: np.median(
            [
                np.log((1 - each.trial.retention) / each.trial.loss)
                for each in counts
                if KINDS[kind](each.trial) and 1 - each.trial.retention > 2 * each.trial.error
            ]
        )
        for kind in ("pca", "trellis, hybrid")
    }
    return float(REDUCER_FACTOR * np.exp(logs["pca"] - logs["trellis, hybrid"]))
