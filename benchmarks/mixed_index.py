"""What an index keeps in which some documents are embedded by the new model, and the rest translated to it.

    python benchmarks/mixed_index.py DATA > benchmarks/results/mixed-index.md

DATA has hotpotqa-2k, scifact and cranfield in BEIR's layout, with ready vectors of minilm, mpnet, potion and wordllama.
"""

import argparse
from collections.abc import Iterator
from importlib.metadata import version
from itertools import permutations
from pathlib import Path

import numpy as np

import vecsmith
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.translation import cross_translate
from vecsmith.tasks import Task
from vecsmith.translators.calibration import ScoreCalibration

SEEDS = (0, 1, 2)
METHOD, STATIC, MODELS = "canonical", "wordllama", ("minilm", "mpnet", "potion")
EMBEDDED = {"scifact": (1000, 2500, 4000), "cranfield": (250, 500, 1000), "hotpotqa-2k": (1000, 4000, 10_000)}
"""Documents that the new model embeds, by task; the translator is fitted on them."""


def kept(task: Task, split: str, models: tuple[str, str], n: int, seed: int) -> Iterator[float]:
    """Yield what is kept by three indices, and with the static model's scores added: to both."""
    (old, _), (new, queries), (static, asked) = (
        vecsmith.embed_task(task, f"vectors:{name}") for name in (*models, STATIC)
    )
    judged = JudgedQueries(task, split, queries.ids)
    X, Y, C = old.unit[:], new.unit[:], static.unit[:]
    Q, also = queries.unit[judged.rows], asked.unit[judged.rows]
    rows = np.random.default_rng(seed).permutation(len(X))[:n]
    translated = vecsmith.translator(METHOD, seed).fit(X[rows], Y[rows]).transform(X)
    level = ScoreCalibration.fit(Y[rows], cross_translate(METHOD, X[rows], Y[rows], seed)[0], seed)
    indices = [translated]
    for own in (Y[rows], level.transform(Y[rows])):
        indices.append(translated.copy())
        indices[-1][rows] = own
    for vectors, beside in ((Q, C[:, :0]), (np.hstack([Q, also]), C)):
        reference = judged.search_exactly(vectors, np.hstack([Y, beside])).mean_ndcg_at_10
        for D in indices:
            yield judged.search_exactly(vectors, np.hstack([D, beside])).mean_ndcg_at_10 / reference
    yield level.ratio


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    parser.add_argument("--split", default="test", help="judgements that count; train is what choices were made on")
    arguments = parser.parse_args()
    print("# Documents of the new model among translated ones\n")
    print(
        f"Made by `benchmarks/mixed_index.py`, `{METHOD}`, means of seeds {SEEDS[0]} to {SEEDS[-1]}, split "
        f"{arguments.split}, vecsmith {version('vecsmith')}, NumPy {np.__version__}: nDCG@10 over that of an index of "
        "the new model alone; of both with the static model's scores added in the last three columns of shares. “All "
        "translated”: those that the translator was fitted on, too. “As embedded”: these have the new model's vectors. "
        "“Levelled”: turned by `ScoreCalibration`; r is its ratio.\n"
    )
    names = ["all translated", "as embedded", "levelled"]
    columns = [*names, *(f"{name}, + static" for name in names), "r"]
    print("| task | documents | embedded | models | " + " | ".join(columns) + " |")
    print("|---|---:|---:|---" + "|---:" * len(columns) + "|")
    found: list[list[float]] = []
    for name, counts in EMBEDDED.items():
        task = vecsmith.load_task(str(arguments.data / name))
        if arguments.split not in task.qrels:
            continue
        for models in permutations(MODELS, 2):
            for n in counts:
                shares = np.mean([list(kept(task, arguments.split, models, n, seed)) for seed in SEEDS], axis=0)
                found.append(list(shares))
                cells = [*(f"{share:.1%}" for share in shares[:-1]), f"{shares[-1]:.2f}"]
                start = [name, f"{len(task.corpus):,}", f"{n:,}", " → ".join(models)]
                print("| " + " | ".join([*start, *cells]) + " |", flush=True)
    means = np.mean(found, axis=0)
    print("| mean | | | | " + " | ".join([*(f"{share:.1%}" for share in means[:-1]), f"{means[-1]:.2f}"]) + " |")


if __name__ == "__main__":
    main()
