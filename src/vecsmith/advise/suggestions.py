"""Which codecs the facts about vectors speak for. Every rule's reason and figures are in docs/inspect.md."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from vecsmith.advise.inspection import NEAR, Inspection

SAFE, FRUGAL = 0.95, 0.85
"""Shares of the variance that the bytes of a code leave room for."""
KEPT = {
    SAFE: "trellis and hybrid codes with room for it kept 98 to 101% of nDCG@10 where we measured. FAISS scans hybrid "
    "fast as it is; trellis is searched decoded.",
    FRUGAL: "trellis codes with room for it kept 94 to 101% of nDCG@10 where we measured, hybrid codes 93 to 100%.",
}
"""What codes did that had room for such a share of the variance, up to the next one."""
GOOD_PREFIX = 0.7
"""Ratio of variances from which on truncating was measured to keep as much as principal components."""
MANY_UNBALANCED = 0.15
"""Share of badly balanced dimensions beyond which one bit a dimension was measured to lose much."""
LARGE_MEAN = 0.1
ROWS_PER_DIMENSION = 10
"""With fewer, the largest and smallest variances are off by half and more, (1 ± √(d/n))² (Marchenko and Pastur)."""


class Suggestion(NamedTuple):
    """Codecs, and why; no codecs for what is to be known whichever is chosen.

    Attributes
    ----------
    codecs : tuple of str
        Their specs.
    because : str
        One or two sentences for the user.
    """

    codecs: tuple[str, ...]
    because: str


def suggest(facts: Inspection) -> list[Suggestion]:
    """Return what the facts speak for, by fixed rules, what matters most first."""
    rules = (_sizes, _bits, _mean, _fewer_dimensions, _outliers, _few_rows, _lengths, _duplicates)
    return [suggestion for rule in rules for suggestion in rule(facts)]


def _sizes(facts: Inspection) -> Iterator[Suggestion]:
    d = facts.dimensions
    sizes = {share: min(4 * max(math.ceil(facts.bytes_for(share) / 4), 1), d // 2) for share in (SAFE, FRUGAL)}
    for share, size in sizes.items():
        if size == 0 or (share == FRUGAL and size == sizes[SAFE]):
            continue
        least = facts.bytes_for(share)
        needed = f"{share:.0%} of the variance takes {least:.0f} bytes or more ({least / d / 4:.1%} of float32)"
        yield Suggestion((f"trellis{size}B", f"hybrid{size}B"), f"{needed}; {KEPT[share]}")


def _bits(facts: Inspection) -> Iterator[Suggestion]:
    d = facts.dimensions
    share = facts.unbalanced / d
    if share > MANY_UNBALANCED and d >= 8:
        yield Suggestion(
            (f"itq{d // 8}B",),
            f"Where bits are needed, not binary: in {share:.0%} of the dimensions three quarters of the rows have the "
            "same sign, so that bit says little. On the mean of six such sets itq kept 4 points more than binary with "
            "float queries and 2 more by Hamming distance; median kept 6 less, and 1 more.",
        )
    else:
        yield Suggestion(
            ("binary",),
            "Where nothing may be fitted, or a database knows Hamming distance alone: the signs are balanced in "
            f"{1 - share:.0%} of the dimensions. Such vectors kept 91 to 97% with float queries, 79 to 94% by Hamming.",
        )


def _mean(facts: Inspection) -> Iterator[Suggestion]:
    if facts.mean_share > LARGE_MEAN:
        yield Suggestion(
            (),
            f"All vectors share a mean that has {facts.mean_share:.0%} of the squared length. trellis, hybrid and "
            "binary-autoencoder subtract it and spend their bits on the rest; binary spends bits on it.",
        )


def _fewer_dimensions(facts: Inspection) -> Iterator[Suggestion]:
    k = max(facts.dimensions // 2, 1)
    ratio = facts.prefix_ratio(k)
    if ratio >= GOOD_PREFIX:
        yield Suggestion(
            (f"truncate{k}",),
            f"For fewer dimensions: the first {k} as given have {ratio:.0%} of the variance of as many principal "
            "components, so the vectors can be cut as they are.",
        )
    elif facts.rows >= k:
        yield Suggestion(
            (f"pca{k}",),
            f"For fewer dimensions, not truncation: the first {k} as given have only {ratio:.0%} of the variance of as "
            "many principal components.",
        )


def _outliers(facts: Inspection) -> Iterator[Suggestion]:
    if facts.outliers:
        count, largest = len(facts.outliers), facts.size[facts.outliers[0]]
        yield Suggestion(
            (),
            f"{count} outlier dimension{'s are' * (count > 1) or ' is'} up to {largest:.1f} times as large as the "
            "median one. binary gives all the same weight; trellis, hybrid, int4 and int8 follow the sizes.",
        )


def _few_rows(facts: Inspection) -> Iterator[Suggestion]:
    if facts.rows < ROWS_PER_DIMENSION * facts.dimensions:
        yield Suggestion(
            (),
            f"{facts.rows / facts.dimensions:.1f} rows a dimension are few: the spectrum of so small a sample is too "
            "steep, and the bytes above may be too few for vectors yet to come. Fit on more, if there are more.",
        )


def _lengths(facts: Inspection) -> Iterator[Suggestion]:
    if not facts.normalised:
        yield Suggestion(
            (),
            "The vectors are not normalized. Codecs rank by cosine; if your index ranks by inner product and the "
            "lengths mean something, that is lost.",
        )


def _duplicates(facts: Inspection) -> Iterator[Suggestion]:
    if facts.duplicates:
        yield Suggestion(
            (),
            f"{counted(facts.duplicates)} an earlier one ({facts.duplicates / facts.rows:.1%}); storing one of each "
            "costs no quality.",
        )
    if facts.near_duplicates >= 0.01 and facts.near_duplicates > 2 * facts.duplicates / facts.rows:
        yield Suggestion(
            (),
            f"{facts.near_duplicates:.0%} of the rows have another at a cosine of {NEAR} or more, nearer than the "
            "error of a short code: to tell them apart, reorder with the floats (--scoring rescored).",
        )


def counted(rows: int) -> str:
    """Return how many rows equal something, as English says it."""
    return "1 row equals" if rows == 1 else f"{rows:,} rows equal"
