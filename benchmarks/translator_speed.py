"""How long translating takes, beside the bare product of queries and weights, in one run on one core.

The minimum is what the code takes; where the median is far above, other processes had the core.

    OMP_NUM_THREADS=1 python benchmarks/translator_speed.py DATA > benchmarks/results/translator-speed.md
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np

import vecsmith
from vecsmith.translators.affine import Affine

SEED, PAIRS = 0, 4000
BATCHES = (1, 64)
ROUNDS, CALLS = 500, 40


def rounds(ways: list[Callable[[np.ndarray], object]], Q: np.ndarray, batch: int) -> list[list[float]]:
    """Return the microseconds a query of each way in every round; the ways take turns."""
    found: list[list[float]] = [[] for _ in ways]
    for number in range(ROUNDS):
        start = number * batch % (len(Q) - batch)
        queries = Q[start : start + batch].copy()
        for way, spent in zip(ways, found, strict=True):
            way(queries)  # its weights are in the processor's cache, as in a server's
            begin = time.perf_counter()
            for _ in range(CALLS):
                way(queries)
            spent.append((time.perf_counter() - begin) / CALLS / batch * 1e6)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    task = vecsmith.load_task(str(parser.parse_args().data / "scifact"))
    sides = {name: vecsmith.embed_task(task, f"vectors:{name}") for name in ("minilm", "mpnet")}
    print("# How long translating takes\n")
    print(
        f"Made by `benchmarks/translator_speed.py`, seed {SEED}, vecsmith {version('vecsmith')}, NumPy "
        f"{np.__version__}, Python {platform.python_version()}, {os.environ.get('OMP_NUM_THREADS', 'all')} thread(s): "
        f"`canonical` on queries of SciFact, microseconds a query, minimum / median of {ROUNDS} rounds of {CALLS} "
        "calls; `X @ W` takes turns with it.\n"
    )
    print("| models | dimensions | queries at once | transform | `X @ W` | ratio of minima | of medians |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for a, b in (("minilm", "mpnet"), ("mpnet", "minilm")):
        X, Y = (sides[name][0].unit[:PAIRS] for name in (a, b))
        fitted = vecsmith.translator("canonical", SEED).fit(X, Y)
        assert isinstance(fitted, Affine)
        W, Q = fitted.weights_, sides[a][1].unit[:]
        for batch in BATCHES:
            ours, bare = rounds([fitted.transform, partial(np.dot, b=W)], Q, batch)
            cells = [f"{min(each):.1f} / {median(each):.1f}" for each in (ours, bare)]
            ratios = [f"{min(ours) / min(bare):.2f}", f"{median(ours) / median(bare):.2f}"]
            shape = f"{X.shape[1]} → {Y.shape[1]}"
            print(f"| {a} → {b} | {shape} | {batch} | {' | '.join([*cells, *ratios])} |", flush=True)


if __name__ == "__main__":
    main()
