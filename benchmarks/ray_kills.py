"""Stress test: kill workers of Ray, and drivers, while they encode and embed files, and compare the output.

    python benchmarks/ray_kills.py MODEL [--workers 200] [--drivers 50] [--seed 0]

MODEL is the folder of a sentence-transformers model. A job is killed at random moments and started again until it is
done. Its output must equal that of a run without kills, byte for byte. The first difference ends the run with status 1.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scale import workers

import vecsmith
from vecsmith.distributed.engines import RayEngine
from vecsmith.distributed.sources import open_source
from vecsmith.distributed.writing import embed, encode
from vecsmith.embeddings import Columns
from vecsmith.encoders import load_encoder

KILLS_PER_JOB = 20


def killed_run(job: str, folder: Path, out: Path, model: str) -> None:
    """Encode or embed on Ray; the process of a driver that may be killed."""
    if job == "encode":
        encode(vecsmith.load_codec(folder / "codec"), open_source(folder / "corpus"), out, RayEngine())
    else:
        source = open_source(folder / "texts", Columns(), texts=True)
        embed(load_encoder(f"st:{model}"), source, out, RayEngine())


def write_kill_input(folder: Path) -> None:
    """Write a codec, vectors in 60 files, and texts in 24 files."""
    X = np.random.default_rng(0).standard_normal((60_000, 64)).astype(np.float32)
    vecsmith.codec("trellis16B").fit(X).save(folder / "codec")
    for name, count, rows in (("corpus", 60, 1000), ("texts", 24, 30)):
        (folder / name).mkdir()
        for number in range(count):
            ids = [f"{number}-{row}" for row in range(rows)]
            lists = pa.FixedSizeListArray.from_arrays(pa.array(X[number * 1000 :][:rows].ravel()), 64)
            texts = {"text": [f"The text number {row} of file {number}." for row in range(rows)]}
            columns = texts if name == "texts" else {"vector": lists}
            pq.write_table(pa.table({"id": ids} | columns), folder / name / f"{number}.parquet")


def run(job: str, folder: Path, out: Path, model: str) -> None:
    """Run a job in a process to its end."""
    if code := start(job, folder, out, model).wait():
        raise SystemExit(f"{job} failed with exit code {code}.")


def start(job: str, folder: Path, out: Path, model: str) -> "subprocess.Popen[bytes]":
    """Start the process of a driver, which heads a group of processes, so that Ray's processes end with it."""
    command = [sys.executable, __file__, model, "--job", job, "--folder", str(folder), "--out", str(out)]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)


def disturb(kind: str, job: str, folder: Path, out: Path, model: str, rng: Any, wanted: int) -> int:
    """Run a job while workers or the driver are killed, until it is done; return the number of kills."""
    killed, process = 0, start(job, folder, out, model)
    while True:
        with suppress(subprocess.TimeoutExpired):
            if code := process.wait(rng.uniform(0.2, 2) if kind == "worker" else rng.uniform(2, 20)):
                raise SystemExit(f"{job} failed with exit code {code}.")
            return killed
        if kind == "driver" and killed < wanted:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed, process = killed + 1, start(job, folder, out, model)
        elif kind == "worker" and killed < wanted and (found := workers("MapWorker")):
            os.kill(int(rng.choice(found)), signal.SIGKILL)
            killed += 1


def compare(expected: Path, out: Path) -> None:
    """End the program unless two folders have the same files."""
    files = {file.relative_to(expected) for file in expected.rglob("*") if file.is_file()}
    found = {file.relative_to(out) for file in out.rglob("*") if file.is_file()}
    if files != found or any((expected / name).read_bytes() != (out / name).read_bytes() for name in files):
        raise SystemExit(f"{out} differs from {expected}.")


def main() -> None:
    """Kill workers and drivers at random moments, and compare the result with that of a run without kills."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    for name, default in (("workers", 200), ("drivers", 50), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name in ("--job", "--folder", "--out"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        killed_run(options.job, Path(options.folder), Path(options.out), options.model)
        return
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory(prefix="vecsmith-") as temporary:
        folder = Path(temporary)
        write_kill_input(folder)
        for job in ("encode", "embed"):
            run(job, folder, folder / f"{job}-expected", options.model)
        done, jobs = {"worker": 0, "driver": 0}, 0
        for kind, wanted in (("worker", options.workers), ("driver", options.drivers)):
            while done[kind] < wanted:
                jobs += 1
                job = ("encode", "embed")[jobs % 2]
                out = folder / f"{job}-{jobs}"
                limit = min(KILLS_PER_JOB, wanted - done[kind])
                done[kind] += disturb(kind, job, folder, out, options.model, rng, limit)
                compare(folder / f"{job}-expected", out)
                print(f"{done[kind]} of {wanted} {kind}s killed, the output of {job} is equal", flush=True)
    print(f"Killed {done['worker']} workers and {done['driver']} drivers; every output is equal, byte for byte.")


if __name__ == "__main__":
    main()
