"""Experiments on quantizers and reducers."""

from collections.abc import Callable
from functools import partial
from itertools import product
from unittest.mock import patch

import numpy as np
from quality_data import ALL, MODELS, Data, Floats, by_task, standard_split, table

import vecsmith
from vecsmith.advise.inspection import Inspection, inspect
from vecsmith.codecs.options import RELAXATIONS
from vecsmith.codecs.quantizers import trellis as trellis_module
from vecsmith.codecs.quantizers import unit_length
from vecsmith.embeddings import normalize
from vecsmith.evaluation.compare import compare
from vecsmith.evaluation.results import Result
from vecsmith.report.findings import Findings
from vecsmith.studies import StudyConfig
from vecsmith.studies.quantization import findings, measurements
from vecsmith.training import principal_directions

SIZES = (96, 48, 24, 12)
FRACTIONS = (2, 4)
POWERS = (0, 1 / 16, 1 / 8, 1 / 6, 1 / 5, 1 / 4)
"""Exponents p of the weights λ⁻ᵖ of principal components."""
UNSHRINK_POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
MINILM = ["vectors:minilm"]


def measure(data: Data, codecs: list[str], **options: object) -> list[Result]:
    """Compare codecs on MiniLM's vectors of every task."""
    found: list[Result] = []
    for task, seed in product(data.tasks(), data.seeds):
        found += compare([task], MINILM, codecs, split=standard_split(task), seed=seed, **options)  # type: ignore[arg-type]
    return found


def quantizers(data: Data) -> Findings:
    """Measure every learned code and the codes of FAISS."""
    measured = []
    for task, path in zip(data.tasks(), data.paths(), strict=True):
        setting = StudyConfig([path], MINILM, standard_split(task), seeds=data.seeds)
        measured += measurements(setting)
    return findings(measured)


def relaxations(data: Data) -> Findings:
    """Measure thresholds with other relaxations of the sign, and with fewer starts."""
    options = [*(f"relaxation={name}" for name in RELAXATIONS[1:]), "starts=1"]
    specs = ["binary", "median", "thresholds", *(f"thresholds({option})" for option in options)]
    return by_task("Retention of nDCG@10, cross-fitted, float queries", measure(data, specs))


def trellis(data: Data) -> Findings:
    """Measure the trellis code with and without normalization, for powers of the correction of shrinkage."""
    rows = []
    for normalized, power in product((False, True), UNSHRINK_POWERS):
        unit = normalize if normalized else partial(np.asarray, dtype=np.float32)
        with patch.object(trellis_module, "UNSHRINKING_POWER", power), patch.object(unit_length, "normalize", unit):
            # the key of the cache does not contain the patches
            results = measure(data, [f"trellis{size}B" for size in SIZES], force=True)
        shares: dict[tuple[str, str], list[float]] = {}
        for result in results:
            shares.setdefault((result.task, result.codec), []).append(result.retention)
        for task in data.tasks():
            means = [float(np.mean(shares[task.name, f"trellis{size}B"])) for size in SIZES]
            rows.append([task.name, "normalized" if normalized else "raw", f"{power:g}", *means])
    columns = ["task", "decoded vector", "p", *(f"{size} B" for size in SIZES)]
    title = f"Retention of nDCG@10, cross-fitted, float queries, mean of seeds {', '.join(map(str, data.seeds))}"
    return Findings([table(title, columns, rows)])


def transfer(data: Data) -> Findings:
    """Measure codecs that were fitted on HotpotQA-2k, as they are and re-centered, on the other tasks."""
    training = str(data.folder / "hotpotqa-2k/vectors/minilm/corpus.npy")
    codecs = [f"{name}{size}B" for name in ("trellis", "hybrid", "binary-autoencoder", "additive") for size in (48, 24)]
    tables, results = [], []
    for recenter in (False, True):
        tasks = data.tasks("scifact", "cranfield")
        found = compare(tasks, MINILM, codecs, fit_on=training, seed=data.seed, recenter=recenter)
        tables += by_task("Re-centered" if recenter else "As fitted on HotpotQA-2k", found).tables
        results += found
    return Findings(tables, results)


def hamming(data: Data) -> Findings:
    """Measure bit codes with Hamming distance and with float queries."""
    results = measure(data, ["binary", "median", "itq48B"], scorings=["symmetric", "asymmetric"])
    return by_task("Retention of nDCG@10, cross-fitted; symmetric: Hamming distance", results)


def reducers(data: Data) -> Findings:
    """Measure reducers of every width, cross-fitted and fitted on HotpotQA-2k."""
    tables, results = [], []
    for model in MODELS:
        [task, *others] = data.tasks()
        d = vecsmith.embed_task(task, f"vectors:{model}")[0].dimensions
        half, quarter = d // 2, d // 4
        widths = [f"{name}{k}" for k in (3 * d // 4, half, quarter) for name in ("autoencoder", "pca")]
        presets = [f"autoencoder{quarter}:{preset}" for preset in ("linear", "mlp1", "mlp1-mse")]
        cuts = [f"adaptor{quarter}", f"pca{half},truncate{quarter}", f"adaptor{half},truncate{quarter}"]
        cross = [f"autoencoder{d}", *widths, *presets, *cuts]
        moved = [*widths[2:], f"autoencoder{quarter}:linear", f"adaptor{quarter}"]
        training = str(data.folder / f"hotpotqa-2k/vectors/{model}/corpus.npy")
        for title, tasks, codecs, fit_on in (
            ("cross-fitted", [task, *others], cross, "cross"),
            ("fitted on HotpotQA-2k", others, moved, training),
        ):
            found = [
                result
                for each in tasks
                for result in compare(
                    [each], [f"vectors:{model}"], codecs, split=each.present(ALL), fit_on=fit_on, seed=data.seed
                )
            ]
            tables += by_task(f"{model}, {title}", found).tables
            results += found
    return Findings(tables, results)


def directions(X: Floats, k: int) -> Floats:
    """Return the k directions (d, k) of largest second moment."""
    return np.linalg.eigh(X.T.astype(np.float64) @ X)[1][:, ::-1][:, :k].astype(np.float32)


def centered(train: Floats, X: Floats, k: int) -> Floats:
    """Return x̂ = μ + WᵀW(x − μ), as in textbooks."""
    mean = train.mean(axis=0)
    W = directions(train - mean, k)
    return np.asarray(mean + (X - mean) @ W @ W.T)


def centered_lost_mean(train: Floats, X: Floats, k: int) -> Floats:
    """Return z = W(x − μ), normalized: the mean is lost."""
    mean = train.mean(axis=0)
    W = directions(train - mean, k)
    return normalize((X - mean) @ W) @ W.T


def uncentered(train: Floats, X: Floats, k: int) -> Floats:
    """Return x̂ = WᵀWx."""
    W = directions(train, k)
    return np.asarray(X @ W @ W.T)


def uncentered_normalized(train: Floats, X: Floats, k: int) -> Floats:
    """Return WᵀWx, normalized, as `pcaK` does."""
    return normalize(uncentered(train, X, k))


def truncated(train: Floats, X: Floats, k: int) -> Floats:
    """Return the first k dimensions, normalized, as `truncateK` does."""
    return normalize(np.where(np.arange(X.shape[1]) < k, X, np.float32(0)))


def weighted(power: float, train: Floats, X: Floats, k: int) -> Floats:
    """Return what k components, weighted by λ⁻ᵖ, decode to."""
    V, weights = principal_directions(train, power)
    W = V[:, :k] * weights[:k]
    return normalize(X @ W) @ W.T


def by_reducer(data: Data, reducers: dict[str, Callable[..., Floats]], fractions: tuple[int, ...]) -> Findings:
    """Measure functions that fit a reducer and decode, at fractions of the width."""
    rows, means = [], []
    for task, model, side in data.sides():
        d = side.documents.shape[1]
        for fraction in fractions:
            k = d // fraction
            shares = [side.cross_fitted(partial(reduce, k=k), data.seed) for reduce in reducers.values()]
            rows.append([f"{task.name} ({side.split})", model, f"{d} → {k}", *shares])
            means.append((fraction, shares))
    for fraction in fractions:
        rows.append(["mean", "", f"1/{fraction}", *map(float, np.mean([s for f, s in means if f == fraction], axis=0))])
    title = f"nDCG@10 over that of the whole vectors, cross-fitted, float queries, seed {data.seed}"
    return Findings([table(title, ["task", "model", "dimensions", *reducers], rows)])


def pca(data: Data) -> Findings:
    """Measure ways to compute principal components: centered or not, normalized or not."""
    methods = (centered, centered_lost_mean, uncentered, uncentered_normalized, truncated)
    return by_reducer(data, {method.__name__.replace("_", " "): method for method in methods}, FRACTIONS)


def component_weights(data: Data) -> Findings:
    """Measure powers of the weights of principal components."""
    return by_reducer(data, {f"{power:.3f}": partial(weighted, power) for power in POWERS}, (1, *FRACTIONS))


def variance_share(facts: Inspection, size: int) -> float:
    """Return the share of the variance that a number of bytes can hold."""
    shares = np.linspace(0, 0.9999, 10_000)
    return float(shares[np.searchsorted([facts.bytes_for(share) for share in shares], size) - 1])


def inspection(data: Data) -> Findings:
    """Compare the facts of `vecsmith inspect` with the retention of the codecs that they suggest."""
    sizes, balance, prefixes = [], [], []
    for task, model in product(data.tasks(), MODELS):
        encoder, split = f"vectors:{model}", task.present(ALL)
        facts = inspect(vecsmith.embed_task(task, encoder)[0])
        d, name = facts.dimensions, [f"{task.name} ({split})", model]
        parts, bits = [d // part for part in (4, 8, 16, 32)], ["binary", "median", f"itq{d // 8}B"]
        sized = [f"{codec}{size}B" for size in parts for codec in ("trellis", "hybrid")]
        cuts = [f"{codec}{d // part}" for part in FRACTIONS for codec in ("truncate", "pca")]
        results = compare([task], [encoder], [*sized, *cuts, *bits], ["asymmetric"], split)
        results += compare([task], [encoder], bits, ["symmetric"], split)
        kept = {(result.codec, result.scoring == "symmetric"): result.retention for result in results}
        for size in parts:
            codes = [kept[f"{codec}{size}B", False] for codec in ("trellis", "hybrid")]
            sizes.append([*name, str(size), variance_share(facts, size), *codes])
        shares = [kept[bit, symmetric] for bit in bits for symmetric in (False, True)]
        balance.append([*name, f"{facts.unbalanced / d:.0%}", f"{facts.mean_share:.0%}", *shares])
        for part in FRACTIONS:
            both = [kept[f"{codec}{d // part}", False] for codec in ("truncate", "pca")]
            prefixes.append([*name, f"{d} → {d // part}", f"{facts.prefix_ratio(d // part):.2f}", *both])
    names = ["task", "model"]
    signs = [cell for bit in ("`binary`", "`median`", "`itqNB`") for cell in (bit, "Hamming")]
    return Findings(
        [
            table(
                "Share of the variance that N bytes can hold",
                [*names, "N", "share", "`trellisNB`", "`hybridNB`"],
                sizes,
            ),
            table("Unbalanced dimensions, and bit codes", [*names, "unbalanced", "mean's share", *signs], balance),
            table(
                "Variance of the first k dimensions over that of k principal components",
                [*names, "dimensions", "ratio", "`truncateK`", "`pcaK`"],
                prefixes,
            ),
        ]
    )
