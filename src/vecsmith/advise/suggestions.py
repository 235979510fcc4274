"""Suggest codecs from the statistics of vectors. docs/inspect.md gives the reason and figures of every rule."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from vecsmith.advise.inspection import NEAR_DUPLICATE_COSINE, Inspection

SAFE, FRUGAL = 0.95, 0.85
"""Shares of the variance that the suggested codes can keep."""
MEASURED_RETENTION = {
    SAFE: "in our measurements, trellis and hybrid codes of this size kept 98 to 101% of nDCG@10. FAISS scans hybrid "
    "codes without decoding; trellis codes are searched through sketches.",
    FRUGAL: "in our measurements, trellis codes of this size kept 94 to 101% of nDCG@10, hybrid codes 93 to 100%.",
}
"""Measured retention of codes whose size is sufficient for each share of the variance."""
GOOD_PREFIX = 0.7
"""Minimum `Inspection.prefix_ratio` at which truncation kept as much nDCG@10 as PCA in our measurements."""
MANY_UNBALANCED = 0.15
"""Share of unbalanced dimensions above which one bit per dimension lost much nDCG@10 in our measurements."""
LARGE_MEAN = 0.1
"""Share of the mean in the squared length above which it is reported."""
ROWS_PER_DIMENSION = 10
"""With fewer rows, the largest and smallest variances have errors of half and more, (1 ± √(d/n))² (Marchenko and
Pastur 1967)."""


class Suggestion(NamedTuple):
    """Suggested codecs and the reason, or a note that holds for every codec.

    Attributes
    ----------
    codecs : tuple of str
        Specs of the codecs; empty for a note.
    because : str
        The reason or the note, in one or two sentences.
    """

    codecs: tuple[str, ...]
    because: str


def suggest(facts: Inspection) -> list[Suggestion]:
    """Return suggestions for vectors by fixed rules, the most important first."""
    rules = (_sizes, _bits, _mean, _fewer_dimensions, _outliers, _few_rows, _lengths, _duplicates)
    return [suggestion for rule in rules for suggestion in rule(facts)]


def _sizes(facts: Inspection) -> Iterator[Suggestion]:
    d = facts.dimensions
    sizes = {share: min(4 * max(math.ceil(facts.bytes_for(share) / 4), 1), d // 2) for share in (SAFE, FRUGAL)}
    for share, size in sizes.items():
        if size == 0 or (share == FRUGAL and size == sizes[SAFE]):
            continue
        least = facts.bytes_for(share)
        needed = f"{share:.0%} of the variance needs {least:.0f} bytes or more ({least / d / 4:.1%} of float32)"
        yield Suggestion((f"trellis{size}B", f"hybrid{size}B"), f"{needed}; {MEASURED_RETENTION[share]}")


def _bits(facts: Inspection) -> Iterator[Suggestion]:
    d = facts.dimensions
    share = facts.unbalanced / d
    if share > MANY_UNBALANCED and d >= 8:
        yield Suggestion(
            (f"itq{d // 8}B",),
            f"If bits are required, rather than binary: in {share:.0%} of the dimensions, three quarters of the rows "
            "have the same sign, so that its bit has little information. In the mean of six such sets, itq kept 4 "
            "points more than binary with float queries and 2 more by Hamming distance; median kept 6 less and "
            "1 more.",
        )
    else:
        yield Suggestion(
            ("binary",),
            "If nothing may be fitted, or a database supports only Hamming distance: the signs are balanced in "
            f"{1 - share:.0%} of the dimensions. Such vectors kept 91 to 97% with float queries, 79 to 94% by Hamming "
            "distance.",
        )


def _mean(facts: Inspection) -> Iterator[Suggestion]:
    if facts.mean_share > LARGE_MEAN:
        yield Suggestion(
            (),
            f"All vectors share a mean that has {facts.mean_share:.0%} of the squared length. trellis, hybrid and "
            "binary-autoencoder subtract it and encode the difference; binary spends bits on it.",
        )


def _fewer_dimensions(facts: Inspection) -> Iterator[Suggestion]:
    k = max(facts.dimensions // 2, 1)
    ratio = facts.prefix_ratio(k)
    if ratio >= GOOD_PREFIX:
        yield Suggestion(
            (f"truncate{k}",),
            f"For fewer dimensions: the first {k} dimensions have {ratio:.0%} of the variance of as many principal "
            "components, so the vectors can be truncated.",
        )
    elif facts.rows >= k:
        yield Suggestion(
            (f"pca{k}",),
            f"For fewer dimensions, rather than truncation: the first {k} dimensions have only {ratio:.0%} of the "
            "variance of as many principal components.",
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
            f"{facts.rows / facts.dimensions:.1f} rows per dimension are few: the spectrum of a small sample is too "
            "steep, and the sizes above may be too small for new vectors. Fit on more vectors if possible.",
        )


def _lengths(facts: Inspection) -> Iterator[Suggestion]:
    if not facts.normalised:
        yield Suggestion(
            (),
            "The vectors are not normalized. Codecs rank by cosine; if your index ranks by inner product and the "
            "lengths are meaningful, codecs lose this information.",
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
            f"{facts.near_duplicates:.0%} of the rows have another at a cosine of {NEAR_DUPLICATE_COSINE} or more, "
            "closer than the error of a short code: to distinguish them, rescore with the floats (--scoring rescored).",
        )


def counted(rows: int) -> str:
    """Return the number of rows with the verb "equal" in singular or plural."""
    return "1 row equals" if rows == 1 else f"{rows:,} rows equal"
