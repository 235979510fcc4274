"""Time, memory and bytes of every step on large sets of vectors on disk, and how they grow with the number of rows."""

import argparse
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from speed_harness import FUSED, QUERIES, K, artificial, page, private_memory, unit_vectors

import vecsmith
from vecsmith.advise.inspection import inspect
from vecsmith.advise.migration import apply
from vecsmith.embeddings import EmbeddingSet, EmbeddingWriter, Provenance, fuse
from vecsmith.index import CodeSet
from vecsmith.translators import fit_sets, translate_set

ROWS = [1_000_000, 3_000_000, 10_000_000]
CODECS = ("hybrid48B", "trellis48B", "binary-autoencoder48B")
MODELS = ("minilm", "wordllama")
PAIRS = 100_000
"""Documents that the new model of a migration embeds."""
PEAK_INTERVAL = 0.02
"""Seconds between two readings of the memory of a process."""

Steps = Iterator[tuple[str, Path | None]]
"""Name of each step after it is done, and the file or folder that it wrote."""


def codec_steps(spec: str, folder: Path, queries: Any) -> Steps:
    """Fit a codec on the vectors of one model, or of all for a fusion; encode, load, search, group and save."""
    sets = [EmbeddingSet.open(folder / name) for name in (MODELS if spec == FUSED else MODELS[:1])]
    yield "open", None
    codec = vecsmith.codec(spec).fit(sets if len(sets) > 1 else sets[0])
    yield "fit", None
    CodeSet.encode(codec, fuse(sets), folder / "codes")
    yield "encode", folder / "codes"
    index = vecsmith.Index.load(folder / "codes")
    yield "load", None
    index.search(queries[:1], K)
    yield "first search", None
    for q in queries:
        index.search(q[None], K)
    yield f"{len(queries)} searches", None
    index.build_lists()
    yield "build lists", None
    index.save(folder / "index")
    yield "save", folder / "index"


def set_steps(folder: Path) -> Steps:
    """Inspect the vectors of the first model, and translate and migrate them to the second."""
    old, new = (EmbeddingSet.open(folder / name) for name in MODELS)
    yield "open both", None
    inspect(old)
    yield "inspect", None
    fitted = vecsmith.translator("canonical")
    fit_sets(fitted, old, new)
    yield "fit a translator", None
    translate_set(fitted, old, folder / "translated")
    yield "translate", folder / "translated"
    sample = EmbeddingSet(new.stored(0, PAIRS), [str(row) for row in range(min(PAIRS, len(new)))])
    yield "read a sample", None
    apply(old, sample, folder / "migrated")
    yield "migrate apply", folder / "migrated"


def ten_million(options: argparse.Namespace) -> str:
    """Measure every step for several numbers of rows, each codec in a process of its own."""
    counts = options.rows or ROWS
    real = {name: unit_vectors(options.vectors.parent / name, "corpus") for name in MODELS}
    queries = [unit_vectors(options.vectors.parent / name, "queries")[:QUERIES] for name in MODELS]
    works: dict[str, Callable[[Path], Steps]] = {
        spec: partial(codec_steps, spec, queries=queries[0]) for spec in CODECS
    }
    works[FUSED] = partial(codec_steps, FUSED, queries=np.hstack(queries))
    works["sets"] = set_steps
    measured: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for rows in counts:
        with tempfile.TemporaryDirectory(prefix="vecsmith-") as temporary:
            folder = Path(temporary)
            os.environ["VECSMITH_CACHE"] = str(folder / "cache")  # no sketches of a former run
            for seed, (name, vectors) in enumerate(real.items()):
                write_vectors(folder / name, vectors, rows, seed)
            for name, steps in works.items():
                if re.search(options.only, name):
                    for step, *figures in measured_steps(partial(steps, folder)):
                        print(f"{rows:,} rows, {name}, {step}: {figures[0]:.3g} s", flush=True)
                        measured.setdefault((name, step), []).append((figures[0], figures[1], figures[2]))
    lines = []
    for (name, step), rounds in measured.items():
        seconds, peaks, written = (list(each) for each in zip(*rounds, strict=True))
        cells = [f"{seconds_:.3g}" for seconds_ in seconds] + [slope(counts, seconds)]
        cells += [f"{peak / 1e6:,.0f}" for peak in peaks] + [slope(counts, peaks)]
        lines.append([f"`{name}`", step, *cells, f"{written[-1] / counts[-1]:.1f}" if written[-1] else "–"])
    text = (
        f"{', '.join(f'{rows:,}' for rows in counts)} rows (M: million) of MiniLM and WordLlama vectors with noise, as "
        "float16 on disk, one core. `s`: seconds of processor time. `MB`: peak of private memory (RssAnon) during the "
        "step, that of Python and its libraries included. `slope`: of the logarithm over that of the rows, by least "
        "squares; 1 is proportional, 0 is constant. `bytes`: bytes per vector of the files that the step writes"
    )
    scales = [f"{rows / 1e6:g} M" for rows in counts]
    columns = ["", "step", *(f"s, {each}" for each in scales), "slope", *(f"MB, {each}" for each in scales), "slope"]
    return page("ten-million", text, [*columns, "bytes"], lines)


def write_vectors(folder: Path, real: Any, rows: int, seed: int) -> None:
    """Write artificial vectors (rows, d) as an embedding set."""
    writer = EmbeddingWriter(folder, [str(row) for row in range(rows)], None, Provenance(encoder=folder.name))
    shards = [min(shard.stop, rows) - shard.start for shard in writer.remaining]
    for block in artificial(real, rows, seed, shards[0]):
        writer.write(block.astype(np.float16))
    writer.finish()


def slope(counts: list[int], values: list[float]) -> str:
    """Return the slope of values over counts on logarithmic axes."""
    if len(counts) < 2 or min(values) <= 0:
        return "–"
    return f"{np.polyfit(np.log(counts), np.log(values), 1)[0]:.2f}"


def measured_steps(steps: Callable[[], Steps]) -> Iterator[tuple[str, float, int, int]]:
    """Run steps in a process of their own, and yield the name, seconds, peak memory and bytes written of each."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send_steps, args=(steps, sender))
    process.start()
    sender.close()
    peak = 0
    try:
        while True:
            peak = max(peak, private_memory(process.pid or 0))
            if receiver.poll(PEAK_INTERVAL):
                name, seconds, written = receiver.recv()
                yield name, seconds, peak, written
                peak = 0
    except EOFError:
        process.join()
    if process.exitcode:
        raise SystemExit(f"A step failed with exit code {process.exitcode}.")


def send_steps(steps: Callable[[], Steps], sender: Connection) -> None:
    """Send the name of each step, its seconds of processor time, and the bytes that it wrote."""
    start = time.process_time()
    for name, path in steps():
        seconds = time.process_time() - start
        files = path.rglob("*") if path else []
        sender.send((name, seconds, sum(file.stat().st_size for file in files if file.is_file())))
        start = time.process_time()
    sender.close()
