"""`study quantization`: learned codes, what they start from, and their rivals, at the same bytes."""

from collections.abc import Iterator, Sequence

from vecsmith.encoders import embed_task
from vecsmith.results import Result
from vecsmith.studies.compare import compare
from vecsmith.tasks import load_task

SHARES = (4, 8, 16, 32)
"""Sizes of codes: d/4, d/8, d/16 and d/32 bytes, which are 2, 1, ½ and ¼ bits a dimension."""
OPQ_SHARES = (8, 16)
"""Sizes at which FAISS's optimised product quantiser, which takes minutes to fit, is measured."""


def quantization(
    tasks: Sequence[str],
    encoders: Sequence[str],
    split: str = "test",
    fit_on: str = "cross",
    seeds: Sequence[int] = (0, 1, 2),
) -> list[Result]:
    """Measure every code of bits, and FAISS's of the same bytes, over several seeds.

    Parameters
    ----------
    tasks, encoders : sequence of str
        Specs, as of `compare`.
    split : str
        Judgements to use; those of several splits joined by ``+`` count where a task has them.
    fit_on : {"cross", "corpus"} or str
        What codecs are fitted on.
    seeds : sequence of int
        Seeds of codecs and halves.

    Returns
    -------
    list of Result
        As of `compare`, for every seed.
    """
    results = []
    for spec in tasks:
        task = load_task(spec)
        present = "+".join(name for name in split.split("+") if name in task.qrels) or split
        for encoder in encoders:
            dimensions = embed_task(task, encoder)[0].dimensions
            for seed in seeds:
                codecs = list(specs(dimensions))
                results += compare([task], [encoder], codecs, split=present, fit_on=fit_on, seed=seed)
    return results


def specs(dimensions: int) -> Iterator[str]:
    """Yield the codecs for vectors of d dimensions."""
    yield from ("int8", "int4", "levels4", "levels3", "faiss:RaBitQ", "binary", "median")
    for share in SHARES:
        size = dimensions // share
        if size:
            yield from (f"trellis{size}B", f"hybrid{size}B", f"binary-autoencoder{size}B", f"additive{size}B")
        if 0 < size <= dimensions // 8:
            yield f"itq{size}B"
        # FAISS's product quantisers take equal parts of the dimensions
        if size and dimensions % (2 * size) == 0:
            yield f"faiss:PQ{2 * size}x4"
    for share in OPQ_SHARES:
        if dimensions % share == 0:
            yield f"faiss:OPQ{dimensions // share},PQ{dimensions // share}"
