"""Measure the work on many files, by threads of one process and on Ray.

    python benchmarks/scale.py engines VECTORS [--rows 1000000,3000000,10000000] [--out FILE]
    python benchmarks/scale.py shards [--shards 100,1000,10000] [--out FILE]

`engines` writes benchmarks/results/scale.md: time and peak memory of fitting, encoding and searching Parquet files of
100,000 rows, by two threads and by Ray with two workers, in the same run. VECTORS is a folder with corpus.npy and
queries.npy of one model; documents are its rows with noise, of unit length, as float16. `shards` writes
results/scale-shards.md: how time and memory grow with the number of files of 10 rows. Everything runs on this machine.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from speed_harness import artificial, page, private_memory, unit_vectors

import vecsmith
from vecsmith.distributed import Index
from vecsmith.distributed.engines import Engine, LocalEngine, RayEngine, ray_session
from vecsmith.distributed.fitting import fit
from vecsmith.distributed.sources import open_source
from vecsmith.distributed.writing import encode

FILE_ROWS, QUERIES, K = 100_000, 1000, 10
CODECS = ("hybrid48B", "trellis48B")
PEAK_INTERVAL = 0.05
"""Seconds between two readings of the memory of all processes."""

Steps = Iterator[str]
"""Name of each step after it is done."""


def write_corpus(folder: Path, real: Any, rows: int) -> None:
    """Write artificial vectors (rows, d) as Parquet files of float16 with ids."""
    folder.mkdir(parents=True)
    for number, block in enumerate(artificial(real, rows, block=FILE_ROWS)):
        start = number * FILE_ROWS
        ids = pa.array(np.arange(start, start + len(block))).cast(pa.string())
        lists = pa.FixedSizeListArray.from_arrays(pa.array(block.astype(np.float16).ravel()), block.shape[1])
        pq.write_table(pa.table({"id": ids, "vector": lists}), folder / f"{number:05d}.parquet", compression="none")


def engine_steps(name: str, corpus: Path, folder: Path, queries: Any) -> Steps:
    """Fit, encode and search with an engine."""
    source, engine = open_source(corpus), LocalEngine()
    if name == "ray":
        with ray_session():
            yield "start"
            yield from _engine_steps(RayEngine(), source, folder, queries)
    else:
        yield from _engine_steps(engine, source, folder, queries)


def _engine_steps(engine: Engine, source: Any, folder: Path, queries: Any) -> Steps:
    for spec in CODECS:
        codec = fit(spec, source, engine=engine)
        yield f"fit {spec}"
        encode(codec, source, folder / spec, engine)
        yield f"encode {spec}"
        if isinstance(engine, RayEngine):
            with Index(folder / spec, actors=2) as index:
                index.search(queries[:1], K)
                yield f"load {spec}"
                index.search(queries, K)
        else:
            local = vecsmith.Index.load(folder / spec)
            local.search(queries[:1], K)
            yield f"load {spec}"
            local.search(queries, K)
            del local  # the next codec starts with the memory of a new process
        yield f"search {spec}"


def engines(options: argparse.Namespace) -> str:
    """Compare the engines for several numbers of rows."""
    real = unit_vectors(options.vectors, "corpus")
    queries = unit_vectors(options.vectors, "queries")
    queries = np.tile(queries, (-(-QUERIES // len(queries)), 1))[:QUERIES]
    measured: dict[str, list[tuple[float, int]]] = {}
    for rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="vecsmith-", dir=options.work) as temporary:
            os.environ["VECSMITH_CACHE"] = str(Path(temporary) / "cache")  # no sketches of a former run
            write_corpus(Path(temporary) / "corpus", real, rows)
            for name in ("local", "ray"):
                arguments = (name, Path(temporary) / "corpus", Path(temporary) / name, queries)
                for step, seconds, peak in measured_steps(engine_steps, arguments):
                    print(f"{rows:,} rows, {name}, {step}: {seconds:.1f} s, {peak / 1e6:,.0f} MB", flush=True)
                    measured.setdefault(f"{name}, {step}", []).append((seconds, peak))
            same = all(
                file.read_bytes() == (Path(temporary) / "ray" / spec / file.name).read_bytes()
                for spec in CODECS
                for file in (Path(temporary) / "local" / spec).glob("*.parquet")
            )
            print(f"The codes of both engines are {'equal' if same else 'DIFFERENT'}.", flush=True)
    lines = []
    for step, figures in measured.items():
        beside = measured.get(step.replace("ray, ", "local, "), [])
        ratios = [f"{a / b:.2f}" for (a, _), (b, _) in zip(figures, beside, strict=True)] if beside else []
        lines.append(
            [
                step,
                *(f"{seconds:.1f}" for seconds, _ in figures),
                *(ratios if step.startswith("ray") and ratios else ["–"] * len(figures)),
                *(f"{peak / 1e6:,.0f}" for _, peak in figures),
            ]
        )
    scales = [f"{rows / 1e6:g} M" for rows in options.rows]
    text = (
        f"MiniLM vectors with noise as float16, in Parquet files of {FILE_ROWS:,} rows; {QUERIES:,} queries in one "
        f"batch; two threads, and Ray {version('ray')} with two workers, one after the other. `s`: seconds. `ratio`: "
        "to the seconds of the threads. `MB`: largest peak of the private memory (RssAnon) of a process, the driver's "
        "or a worker's. `load`: until the first query is answered"
    )
    columns = ["", *(f"s, {each}" for each in scales), *(f"ratio, {each}" for each in scales)]
    return page("scale", text, [*columns, *(f"MB, {each}" for each in scales)], lines)


def measured_steps(steps: Callable[..., Steps], arguments: tuple[Any, ...]) -> Iterator[tuple[str, float, int]]:
    """Run steps in a process of their own; yield the name, the seconds and the largest memory of a process of each."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send_steps, args=(steps, arguments, sender))
    process.start()
    sender.close()
    peak = 0
    try:
        while True:
            peak = max(peak, *(memory_of(pid) for pid in (process.pid or 0, *workers())))
            if receiver.poll(PEAK_INTERVAL):
                yield *receiver.recv(), peak
                peak = 0
    except EOFError:
        process.join()
    if process.exitcode:
        raise SystemExit(f"A step failed with exit code {process.exitcode}.")


def send_steps(steps: Callable[..., Steps], arguments: tuple[Any, ...], sender: Connection) -> None:
    """Send the name and the seconds of each step."""
    faiss.omp_set_num_threads(2)
    start = time.perf_counter()
    for name in steps(*arguments):
        sender.send((name, time.perf_counter() - start))
        start = time.perf_counter()
    sender.close()


def workers(name: str = "") -> list[int]:
    """Return the process ids of Ray's workers on this machine whose names begin with a text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(f"ray::{name}".encode()):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def memory_of(pid: int) -> int:
    """Return the private memory of a process; 0 if it has ended."""
    try:
        return private_memory(pid)
    except OSError:
        return 0


def shard_steps(corpus: Path, out: Path) -> Steps:
    """Open and encode many small files on Ray."""
    with ray_session():
        yield "start Ray"
        source = open_source(corpus)
        yield "open"
        codec = fit("hybrid8B", source, engine=RayEngine())
        yield "fit"
        encode(codec, source, out, RayEngine())
        yield "encode"
        vecsmith.Index.load(out)
        yield "load"


def shards(options: argparse.Namespace) -> str:
    """Measure how time and memory grow with the number of files."""
    measured: dict[str, list[tuple[float, int]]] = {}
    for count in options.shards:
        with tempfile.TemporaryDirectory(prefix="vecsmith-", dir=options.work) as temporary:
            corpus = Path(temporary) / "corpus"
            corpus.mkdir()
            X = np.random.default_rng(0).standard_normal((10, 32)).astype(np.float32)
            lists = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 32)
            for number in range(count):
                table = pa.table({"id": [f"{number}-{row}" for row in range(10)], "vector": lists})
                pq.write_table(table, corpus / f"{number}.parquet")
            for step, seconds, peak in measured_steps(shard_steps, (corpus, Path(temporary) / "codes")):
                print(f"{count:,} files, {step}: {seconds:.1f} s, {peak / 1e6:,.0f} MB", flush=True)
                measured.setdefault(step, []).append((seconds, peak))
    counts = [f"{count:,}" for count in options.shards]
    lines = []
    for step, figures in measured.items():
        times, memory = np.array(figures).T
        slope, growth = (np.polyfit(options.shards, values, 1)[0] for values in (times, memory))
        cells = [f"{each:.1f}" for each in times], [f"{each / 1e6:,.0f}" for each in memory]
        lines.append([step, *cells[0], f"{1e3 * slope:.1f}", *cells[1], f"{growth / 1e3:.1f}"])
    text = (
        f"Parquet files of 10 rows of 32 dimensions, on Ray {version('ray')} with two workers. `s`: seconds, by the "
        "number of files. `MB`: largest peak of the private memory (RssAnon) of a process. `ms` and `kB a file`: slopes"
    )
    columns = ["", *(f"s, {each}" for each in counts), "ms a file", *(f"MB, {each}" for each in counts), "kB a file"]
    return page("scale-shards", text, columns, lines)


def numbers(text: str) -> list[int]:
    """Parse numbers that are separated by commas."""
    return [int(each) for each in text.split(",")]


def main() -> None:
    """Run the chosen measurement, and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = parser.add_subparsers(dest="name", required=True)
    for name, work, table in (("engines", engines, "scale"), ("shards", shards, "scale-shards")):
        one = chosen.add_parser(name)
        one.set_defaults(function=work, page=table)
        one.add_argument("--out", type=Path)
        one.add_argument("--work", type=Path, help="folder for temporary files")
    chosen.choices["engines"].add_argument("vectors", type=Path)
    chosen.choices["engines"].add_argument("--rows", type=numbers, default=[1_000_000, 3_000_000, 10_000_000])
    chosen.choices["shards"].add_argument("--shards", type=numbers, default=[100, 1000, 10_000])
    options = parser.parse_args()
    text = options.function(options)
    path = options.out or Path(__file__).parent / "results" / f"{options.page}.md"
    path.write_text(text.replace(f"speed.py {options.page}", f"scale.py {options.name}"), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
