"""Experiments on principal components and the facts of `vecsmith inspect`."""

from functools import partial
from itertools import product

import numpy as np
from quality_data import ALL, MODELS, Data, Floats, Side, table

import vecsmith
from vecsmith.advise.inspection import inspect
from vecsmith.embeddings import normalize
from vecsmith.evaluation.compare import compare
from vecsmith.report.findings import Findings
from vecsmith.training import principal_directions

FRACTIONS = (2, 4)
POWERS = (0, 1 / 16, 1 / 8, 1 / 6, 1 / 5, 1 / 4)
"""Exponents p of the weights λ⁻ᵖ of principal components."""
CENTERINGS = {
    "centered": (True, False, True),
    "centered lost mean": (True, True, False),
    "uncentered": (False, False, False),
    "uncentered normalized": (False, True, False),
}
"""Whether principal components are centered, then normalized, and get the mean back."""


def components(train: Floats, X: Floats, k: int, center: bool, unit: bool, restore_mean: bool) -> Floats:
    """Return vectors X (n, d) decoded from their k principal components, which are fitted on other vectors."""
    mean = train.mean(axis=0) if center else np.zeros(X.shape[1], np.float32)
    moments = (train - mean).T.astype(np.float64) @ (train - mean)
    W = np.linalg.eigh(moments)[1][:, ::-1][:, :k].astype(np.float32)
    Z = (X - mean) @ W
    return np.asarray((normalize(Z) if unit else Z) @ W.T + (mean if restore_mean else 0), np.float32)


def weighted(train: Floats, X: Floats, k: int, power: float) -> Floats:
    """Return vectors X (n, d) decoded from k components weighted by λ⁻ᵖ."""
    V, weights = principal_directions(train, power)
    W = V[:, :k] * weights[:k]
    return np.asarray(normalize(X @ W) @ W.T)


def truncated(train: Floats, X: Floats, k: int) -> Floats:
    """Return the first k dimensions, normalized, as `truncateK` does."""
    return normalize(np.where(np.arange(X.shape[1]) < k, X, np.float32(0)))


def by_reducer(data: Data, reducers: dict[str, partial[Floats]], fractions: tuple[int, ...]) -> Findings:
    """Measure functions that fit a reducer and decode, at fractions of the width."""
    rows, means = [], []
    for task, model in product(data.tasks(), MODELS):
        side = Side(task, model)
        d = side.documents.shape[1]
        for fraction in fractions:
            shares = [side.cross_fitted(partial(each, k=d // fraction), data.seed) for each in reducers.values()]
            rows.append([task.name, model, f"{d} → {d // fraction}", *shares])
            means.append((fraction, shares))
    for fraction in fractions:
        rows.append(["mean", "", f"1/{fraction}", *map(float, np.mean([s for f, s in means if f == fraction], axis=0))])
    title = "nDCG@10 over that of the whole vectors, cross-fitted, float queries, all judged queries"
    return table(title, ["task", "model", "dimensions", *reducers], rows)


def pca(data: Data) -> Findings:
    """Measure ways to compute principal components: centered or not, normalized or not."""
    ways = {
        name: partial(components, center=center, unit=unit, restore_mean=restore_mean)
        for name, (center, unit, restore_mean) in CENTERINGS.items()
    }
    return by_reducer(data, {**ways, "truncated": partial(truncated)}, FRACTIONS)


def component_weights(data: Data) -> Findings:
    """Measure powers of the weights of principal components."""
    return by_reducer(data, {f"{power:.3f}": partial(weighted, power=power) for power in POWERS}, (1, *FRACTIONS))


def inspection(data: Data) -> Findings:
    """Compare the facts of `vecsmith inspect` with the retention of the codecs that they suggest."""
    sizes, balance, prefixes = [], [], []
    shares = np.linspace(0, 0.9999, 10_000)
    for task, model in product(data.tasks(), MODELS):
        encoder, name = f"vectors:{model}", [task.name, model]
        facts = inspect(vecsmith.embed_task(task, encoder)[0])
        d = facts.dimensions
        codecs = ["binary", "median", f"itq{d // 8}B"]
        codecs += [f"{codec}{d // part}B" for part in (4, 8, 16, 32) for codec in ("trellis", "hybrid")]
        codecs += [f"{codec}{d // part}" for part in FRACTIONS for codec in ("truncate", "pca")]
        results = compare([task], [encoder], codecs, ["asymmetric"], task.present(ALL))
        results += compare([task], [encoder], codecs[:3], ["symmetric"], task.present(ALL))
        kept = {(result.codec, result.scoring == "symmetric"): result.retention for result in results}
        bounds = [facts.bytes_for(share) for share in shares]
        for size in (d // part for part in (4, 8, 16, 32)):
            share = float(shares[np.searchsorted(bounds, size) - 1])
            sizes.append([*name, size, share, kept[f"trellis{size}B", False], kept[f"hybrid{size}B", False]])
        bits = [kept[bit, symmetric] for bit in codecs[:3] for symmetric in (False, True)]
        balance.append([*name, f"{facts.unbalanced / d:.0%}", f"{facts.mean_share:.0%}", *bits])
        for k in (d // part for part in FRACTIONS):
            both = [kept[f"{codec}{k}", False] for codec in ("truncate", "pca")]
            prefixes.append([*name, f"{d} → {k}", f"{facts.prefix_ratio(k):.2f}", *both])
    signs = [cell for bit in ("`binary`", "`median`", "`itqNB`") for cell in (bit, "Hamming")]
    titles = {
        "Share of the variance that N bytes can hold": (["N", "share", "`trellisNB`", "`hybridNB`"], sizes),
        "Unbalanced dimensions, and bit codes": (["unbalanced", "mean's share", *signs], balance),
        "Variance of the first k dimensions over that of k principal components": (
            ["dimensions", "ratio", "`truncateK`", "`pcaK`"],
            prefixes,
        ),
    }
    tables = [table(title, ["task", "model", *columns], rows) for title, (columns, rows) in titles.items()]
    return Findings([each.tables[0] for each in tables])
