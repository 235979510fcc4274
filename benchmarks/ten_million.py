"""Memory and speed of fitting and encoding ten million vectors that lie on disk.

    python benchmarks/ten_million.py --vectors FILE [--rows 10000000] [--folder DIR]

writes benchmarks/results/ten-million.md. The vectors are made up: rows of FILE with noise, of unit length, as float16,
in a temporary folder (7.7 GB for 384 dimensions) that is removed in the end. Every codec is fitted on all of them (that
is, on the sample that `Codec.fit` draws) and encodes them, or as many as its line says, in a process of its own, on one
core. Its memory is the highest RssAnon of /proc/PID/status, seen every 20 ms: private memory, without the pages of
mapped files, which the kernel may drop at any time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from vecsmith import Codec, EmbeddingSet
from vecsmith.embeddings import EmbeddingWriter, Provenance, normalize, read_vectors
from vecsmith.index import CodeSet

CODECS = {"hybrid48B": 1.0, "trellis48B": 0.1, "binary-autoencoder48B": 0.1}
"""What is measured, and the share of the vectors that it encodes."""
NOISE = 0.5
"""Norm of the noise that makes a new vector of a unit vector."""
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def make_up(file: Path, rows: int, folder: Path) -> None:
    """Write `rows` vectors like those of `file` as an embedding set."""
    real, rng = normalize(read_vectors(file)[0]), np.random.default_rng(0)
    writer = EmbeddingWriter(folder, [str(row) for row in range(rows)], None, Provenance(dataset="made up"))
    for shard in writer.remaining:
        chosen = real[rng.integers(len(real), size=min(shard.stop, rows) - shard.start)]
        noise = rng.standard_normal(chosen.shape, dtype=np.float32) * np.float32(NOISE / chosen.shape[1] ** 0.5)
        writer.write(normalize(chosen + noise).astype(np.float16))
    writer.finish()


def fit_and_encode(spec: str, folder: Path) -> None:
    """Do what is measured, and print how long the processor worked for it."""
    times = [time.process_time()]
    embedded = EmbeddingSet.open(folder / "vectors")
    times.append(time.process_time())
    codec = Codec(spec).fit(embedded.unit)
    times.append(time.process_time())
    if CODECS[spec] < 1:
        shards = embedded.shards[: max(1, round(CODECS[spec] * len(embedded.shards)))]
        embedded = EmbeddingSet(shards, provenance=embedded.provenance)
        times[-1] = time.process_time()
    encoded = CodeSet.encode(codec, embedded, folder / spec)
    times.append(time.process_time())
    seconds = dict(zip(("open", "fit", "encode"), np.diff(times).tolist(), strict=True))
    print(json.dumps({"encoded": len(encoded), **seconds}))


def measure(spec: str, folder: Path) -> str:
    """Run `fit_and_encode` in a process of its own, and return a line of the table."""
    command = [sys.executable, __file__, "--fit-and-encode", spec, "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_CORE}) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, private_bytes(process.pid))
            time.sleep(0.02)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        sys.exit(f"{spec} failed.")
    found = json.loads(output)
    cells = (
        f"`{spec}`",
        f"{found['open']:.0f}",
        f"{found['fit']:.0f}",
        f"{found['encoded']:,}",
        f"{found['encode']:.0f}",
        f"{found['encoded'] / found['encode']:,.0f}",
        f"{peak / 1e9:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def private_bytes(process: int) -> int:
    """Return the RssAnon of a process; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--fit-and-encode", metavar="SPEC", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fit_and_encode:
        fit_and_encode(arguments.fit_and_encode, arguments.folder)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        make_up(arguments.vectors, arguments.rows, folder / "vectors")
        size = sum(file.stat().st_size for file in (folder / "vectors").iterdir())
        versions = f"vecsmith {version('vecsmith')}, NumPy {version('numpy')}, PyArrow {version('pyarrow')}"
        lines = [
            f"# {arguments.rows:,} vectors on disk",
            "",
            f"Made by `benchmarks/ten_million.py`: {arguments.rows:,} made-up float16 vectors, {size / 1e9:.1f} GB.",
            "`open` reads all of it, to check hashes and values; `fit` learns from a sample; `encode` reads, encodes",
            "and writes codes. Seconds are those that one core worked, on a machine that others used too. The peak is",
            "that of private memory (RssAnon) over all three, without the pages of mapped files.",
            f"{versions}.",
            "",
            "| codec | open s | fit s | encoded | encode s | vectors/s | peak GB |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        for spec in CODECS:
            lines.append(measure(spec, folder))
            print(lines[-1], flush=True)
    (Path(__file__).parent / "results" / "ten-million.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
