"""Fit the constants of the intervals to trials, and count how often the intervals hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.prediction import REDUCER_FACTOR
from vecsmith.advise.retention_interval import CALIBRATED, LEAST_LOSS, POWER, RetentionInterval, Z
from vecsmith.report.findings import Findings, Table

MAX_MISSED = 0.05
"""Share of the trials of every origin that a calibrated interval may miss on either side."""
SPREAD_QUANTILE = 0.75
"""Quantile over the trials of an origin of the standard deviation over queries."""
FACTORS = np.geomspace(1.05, 20, 300)
"""Candidates for `more` and `less`."""
SAMPLE_SIZES, SAMPLES = (43, 100, 300), 20
"""Numbers of queries that are sampled from a trial, and the number of samples."""
COVERAGE = (
    "Coverage of 90 % intervals whose constants were fitted to all other origins. N: the retention that N judged "
    "queries measured, all of a trial or a sample. Population: the retention of very many queries, for which the "
    "measured one stands (too strict, since it has a sampling error); in precise trials this error is small; within "
    "error: the interval may be missed by the sampling error (too lax). Width of the population's interval, and "
    "measured less predicted, are means in points"
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
    """The predicted loss of a codec, and the nDCG@10 of every query with the codec and with float32."""

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
        """Standard deviation of a single query's share in the retention, by the delta method."""
        return float(((self.kept - self.retention * self.reference) / self.reference.mean()).std(ddof=1))

    @property
    def error(self) -> float:
        """Half-width of the 90 % interval of the sampling error."""
        return Z * self.spread / sqrt(self.queries)

    def sampled(self, count: int) -> NDArray[np.float64]:
        """Return the retentions that samples of the queries, without replacement, measure."""
        rng = np.random.default_rng(0)
        samples = [rng.permutation(self.queries)[:count] for _ in range(SAMPLES)]
        return np.array([self.kept[s].mean() / self.reference[s].mean() for s in samples if self.reference[s].any()])


def calibrated(trials: Sequence[Trial]) -> RetentionInterval:
    """Return the narrowest intervals that hold for enough trials of every origin, on either side.

    They are to hold the retention of the population. The measured one differs from it by its sampling error, of which
    half is allowed for: that is the error of four times as many queries.
    """
    origins = [[trial for trial in trials if trial.origin == origin] for origin in {trial.origin for trial in trials}]
    per_query = max(
        float(np.quantile([trial.spread / max(trial.loss, LEAST_LOSS) ** POWER for trial in group], SPREAD_QUANTILE))
        for group in origins
    )

    def holds(factor: float, side: int) -> bool:
        interval = RetentionInterval(factor, factor, per_query)

        def missed(trial: Trial) -> bool:
            bound = interval.bounds(trial.loss, 4 * trial.queries)[side]
            return bool(trial.retention < bound if side == 0 else trial.retention > bound)

        return all(np.mean([missed(trial) for trial in group]) <= MAX_MISSED for group in origins)

    more, less = (next(float(factor) for factor in FACTORS if holds(factor, side)) for side in (0, 1))
    return RetentionInterval(more, less, per_query)


@dataclass(frozen=True)
class Count:
    """A trial, and an interval that was calibrated without its origin."""

    trial: Trial
    interval: RetentionInterval

    def holds(self, queries: float, error: float = 0) -> bool:
        """Return whether the interval for a number of queries, widened by an error, holds the measured retention."""
        low, high = self.interval.bounds(self.trial.loss, queries)
        return bool(low - error <= self.trial.retention <= high + error)

    def holds_samples(self, count: int) -> float:
        """Return how often the interval for `count` queries holds the retention that a sample of them measures."""
        low, high = self.interval.bounds(self.trial.loss, count)
        found = self.trial.sampled(count)
        return float(np.mean((found >= low) & (found <= high)))

    @property
    def precise(self) -> bool:
        """Whether the sampling error is less than half of the interval's narrower side."""
        return bool(self.trial.error < (self.interval.bounds(self.trial.loss)[1] - 1 + self.trial.loss) / 2)


def report(trials: Sequence[Trial]) -> Findings:
    """Return the constants, and the coverage with constants fitted to all origins but the counted one."""
    origins = list(dict.fromkeys(trial.origin for trial in trials))
    without = {origin: calibrated([trial for trial in trials if trial.origin != origin]) for origin in origins}
    counts = [Count(trial, without[trial.origin]) for trial in trials]
    cases = list(dict.fromkeys(f"{trial.task}, {trial.encoder}" for trial in trials))
    by_origin = {origin: [each for each in counts if each.trial.origin == origin] for origin in origins}
    by_kind = {kind: [each for each in counts if belongs(each.trial)] for kind, belongs in KINDS.items()}
    by_case = {case: [c for c in counts if f"{c.trial.task}, {c.trial.encoder}" == case] for case in cases}
    intervals = {f"all but {origin}": interval for origin, interval in without.items()}
    intervals |= {"all": calibrated(trials), "in the code": CALIBRATED}
    constants = [
        [name, *(f"{number:.2f}" for number in (each.more, each.less, each.per_query))]
        for name, each in intervals.items()
    ]
    factors = [[origin, f"{reducer_factor(group):.1f}"] for origin, group in by_origin.items()]
    reducers = (
        f"Factor of the loss of codecs with reducers (in the code {REDUCER_FACTOR}) for which the median of measured "
        "over predicted loss equals that of trellis and hybrid codes"
    )
    return Findings(
        [
            Table(
                "constants",
                "Constants of the interval, by the origins that they are fitted to",
                ["fitted to", "more", "less", "per query"],
                constants,
            ),
            coverage("origins", COVERAGE, by_origin),
            coverage("kinds", "The same, by codec", by_kind),
            coverage("cases", "The same, by task and model", by_case),
            Table("reducers", reducers, ["origin", "factor"], factors),
        ]
    )


def coverage(name: str, title: str, groups: dict[str, list[Count]]) -> Table:
    """Return a row per group of counts, and a row for all of them."""
    columns = ["", "trials", "N as measured", *(f"N = {count}" for count in SAMPLE_SIZES)]
    columns += ["population", "precise trials", "their population", "within error", "width", "measured − predicted"]
    every = {**groups, "all": [each for counts in groups.values() for each in counts]}
    return Table(name, title, columns, [[group, *coverage_row(counts)] for group, counts in every.items()])


def coverage_row(counts: Sequence[Count]) -> list[str]:
    """Return the cells of a group of counts."""
    precise = [each.holds(inf) for each in counts if each.precise]
    widths = [np.subtract(*each.interval.bounds(each.trial.loss)[::-1]) for each in counts]
    errors = [each.trial.retention - 1 + each.trial.loss for each in counts]
    return [
        str(len(counts)),
        share([each.holds(each.trial.queries) for each in counts]),
        *(share([each.holds_samples(n) for each in counts if each.trial.queries >= n]) for n in SAMPLE_SIZES),
        share([each.holds(inf) for each in counts]),
        str(len(precise)),
        share(precise),
        share([each.holds(inf, each.trial.error) for each in counts]),
        f"{100 * np.mean(widths):.1f}",
        f"{100 * np.mean(errors):+.1f}",
    ]


def share(held: Sequence[float]) -> str:
    """Return a mean in percent; nothing where there are no values."""
    return f"{np.mean(held):.0%}" if held else ""


def reducer_factor(counts: Sequence[Count]) -> float:
    """Return the factor of the loss of codecs with reducers, of trials whose loss exceeds the sampling error."""
    trials = [each.trial for each in counts if 1 - each.trial.retention > 2 * each.trial.error]
    logs = {
        kind: np.median([np.log((1 - trial.retention) / trial.loss) for trial in trials if KINDS[kind](trial)])
        for kind in ("pca", "trellis, hybrid")
    }
    return float(REDUCER_FACTOR * np.exp(logs["pca"] - logs["trellis, hybrid"]))
