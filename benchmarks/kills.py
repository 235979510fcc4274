"""Stress test: kill a process that writes, at random moments, and check what it leaves on disk.

    python benchmarks/kills.py [--kills 1000] [--seed 0]

A child process repeats one step in one folder and acknowledges every completed step. It is killed (SIGKILL) up to 0.2 s
after it started. The next child checks the folder first: every acknowledged step must be there and right, and the
interrupted step must be there completely, or absent, or rejected by a `VecsmithError` of one line. Then it continues.
The first fault ends the run with status 1 and names the seed, scenario and kill.
"""

import multiprocessing
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import chromadb.config  # noqa: F401 - so that no child has to
import faiss
import lancedb  # noqa: F401
import numpy as np
import typer
import usearch.index  # noqa: F401
from soak import expect

import vecsmith
from vecsmith import EmbeddingSet, VecsmithError
from vecsmith.array_types import Floats
from vecsmith.embeddings import EmbeddingWriter, Provenance, Rows, normalize, writer
from vecsmith.index import CodeSet, Scoring
from vecsmith.stores import export_codes, store_named

LONGEST, SLOWER = 0.2, 2
"""Maximum seconds of work before a child is killed, and the factor for databases."""
PATIENCE = 120
"""Maximum seconds for a child to check the folder."""
DIMENSIONS, ROWS, TABLES = 32, 300, 8
ADDITIONS = 4
"""Additions to an index before a new one is started."""
SHARDS, SHARD_ROWS = 4, 64


def vectors(number: int, rows: int = ROWS) -> Floats:
    """Return the unit vectors of a step, which differ from step to step."""
    return normalize(np.random.default_rng(number).standard_normal((rows, DIMENSIONS)).astype(np.float32))


@cache
def codec(spec: str) -> vecsmith.Codec:
    """Return a fitted codec."""
    return vecsmith.codec(spec).fit(vectors(0))


def code_set(number: int) -> CodeSet:
    """Return the codes of a step, whose number depends on the step."""
    X, bits = vectors(number, ROWS + number % 7), codec("binary")
    return CodeSet(bits, bits.encode(X), Rows(len(X), [f"{number}-{row}" for row in range(len(X))]), Provenance())


def refused(action: Callable[[], Any]) -> bool:
    """Return whether an action is rejected in one line; any other exception is a fault."""
    try:
        action()
    except VecsmithError as error:
        expect("\n" not in str(error), f"a message of several lines: {error}")
        return True
    return False


class Save:
    """Save an index over the existing one: the existing one with rows added and deleted, or a new one of other length.

    Each addition deletes the last row of the addition before.
    """

    def __init__(self, spec: str, scoring: Scoring) -> None:
        self.spec, self.scoring = spec, scoring

    def content(self, number: int) -> tuple[list[str], Floats]:
        """Return the ids and vectors of the index after a step."""
        first = number - number % (ADDITIONS + 1)
        sizes = {step: ROWS + step % 7 - (step < number) for step in range(first, number + 1)}
        ids = [f"{step}-{row}" for step, rows in sizes.items() for row in range(rows)]
        return ids, np.concatenate([vectors(step, ROWS + step % 7)[:rows] for step, rows in sizes.items()])

    def found(self, folder: Path, acknowledged: int) -> int:
        if not (folder / "index").exists():
            return 0
        index = vecsmith.Index.load(folder / "index", mmap=False)
        number = int(index.rows.ids[-1].split("-")[0])
        ids, X = self.content(number)
        originals = len(X) if self.scoring != "rescored" else len(cast(Any, index.originals))
        expect(index.rows.ids == ids and originals == len(X), f"step {number} has other rows")
        codes = np.concatenate([part.codes for part in index.partitions])
        expect(np.array_equal(codes, codec(self.spec).encode(X)), f"step {number} has other codes")
        expect((index.search(X, 1)[1][:, 0] == range(len(X))).all(), f"step {number} finds other rows")
        # trellis codes are searched through sketches for a single query, and decoded for a batch
        expect(index.search(X[-1:], 1)[1][0, 0] == len(X) - 1, f"step {number} does not find its last row")
        return number

    def step(self, folder: Path, number: int) -> None:
        if number % (ADDITIONS + 1) and (folder / "index").exists():
            index = vecsmith.Index.load(folder / "index")
            X = vectors(number, ROWS + number % 7)
            index.add(X, [f"{number}-{row}" for row in range(len(X))])
            index.delete([f"{number - 1}-{ROWS + (number - 1) % 7 - 1}"])
        else:
            ids, X = self.content(number)
            index = vecsmith.Index(codec(self.spec), X, self.scoring, ids=ids)
        index.save(folder / "index")


class Write:
    """Write embedding sets in sequence; a step is a shard, or the manifest after the last shard."""

    def writer(self, folder: Path, which: int) -> EmbeddingWriter:
        ids = [f"{which}-{row}" for row in range(SHARDS * SHARD_ROWS)]
        return EmbeddingWriter(folder / f"set-{which}", ids, None, Provenance(content_hash=str(which)))

    def check(self, folder: Path, which: int) -> None:
        opened, X = EmbeddingSet.open(folder / f"set-{which}"), vectors(which, SHARDS * SHARD_ROWS)
        expect(np.array_equal(opened.vectors[:], X), f"set {which} has other vectors")
        expect(opened.ids == [f"{which}-{row}" for row in range(len(X))], f"set {which} has other ids")

    def found(self, folder: Path, acknowledged: int) -> int:
        which, shards = divmod(acknowledged, SHARDS + 1)
        if which:
            self.check(folder, which - 1)
            shutil.rmtree(folder / f"set-{which - 2}", ignore_errors=True)
        current = folder / f"set-{which}"
        if shards == SHARDS and (current / "manifest.json").exists():
            self.check(folder, which)
            return acknowledged + 1
        expect(refused(lambda: EmbeddingSet.open(current)), f"the unfinished set {which} is read")
        return acknowledged - shards + SHARDS - len(self.writer(folder, which).remaining)

    def step(self, folder: Path, number: int) -> None:
        which, shards = divmod(number - 1, SHARDS + 1)
        current = self.writer(folder, which)
        if shards < SHARDS:
            rows = current.remaining[0]
            current.write(vectors(which, SHARDS * SHARD_ROWS)[rows])
        else:
            current.finish()


class Export:
    """Export decoded vectors to a store: to a file over the previous one, or to further tables of a database."""

    def __init__(self, store: str) -> None:
        self.store, self.is_file = store, store_named(store).location == "file"

    def where(self, folder: Path, number: int) -> str:
        return str(folder / ("exported.npy" if self.is_file else f"database-{number // TABLES}"))

    def holds(self, folder: Path, number: int) -> bool:
        """Return whether the store holds a step; a table is rejected, or it is complete."""
        where, codes = self.where(folder, number), code_set(number)
        if refused(lambda: store_named(self.store).read(where, f"step-{number}")):
            return False
        collection = store_named(self.store).read(where, f"step-{number}")
        X, decoded = np.concatenate(list(collection.blocks)), codes.codec.decode(codes.codes)
        if self.is_file:
            return len(X) == len(decoded) and np.allclose(X, decoded, atol=1e-3)
        expect(sorted(collection.ids) == sorted(codes.ids), f"step {number} has {len(collection.ids)} rows")
        row_of = {id_: row for row, id_ in enumerate(collection.ids)}
        found = X[[row_of[id_] for id_ in codes.ids]]
        expect(np.allclose(found, decoded, atol=1e-3), f"step {number} has other vectors")
        return True

    def found(self, folder: Path, acknowledged: int) -> int:
        if self.holds(folder, acknowledged + 1):
            return acknowledged + 1
        first = acknowledged if self.is_file else acknowledged - acknowledged % TABLES
        for number in range(max(first, 1), acknowledged + 1):
            expect(self.holds(folder, number), f"step {number} is lost")
        for old in range(acknowledged // TABLES - 1):
            shutil.rmtree(folder / f"database-{old}", ignore_errors=True)
        return acknowledged

    def step(self, folder: Path, number: int) -> None:
        export_codes(code_set(number), self.store, self.where(folder, number), f"step-{number}", decoded=True)


SCENARIOS: dict[str, Any] = {
    "Index.save": Save("hybrid8B", "rescored"),
    "Index.save of trellis codes": Save("trellis8B", "asymmetric"),
    "EmbeddingWriter": Write(),
    **{f"export to {store}": Export(store) for store in ("faiss", "npy", "usearch", "lancedb", "chroma")},
}


def child(name: str, folder: Path, acknowledged: int, pipe: Any) -> None:
    """Check the folder, and continue until killed."""
    writer.SHARD_ROWS = SHARD_ROWS
    try:
        number = SCENARIOS[name].found(folder, acknowledged)
        expect(number in (acknowledged, acknowledged + 1), f"step {number} is there after {acknowledged}")
        pipe.send(number)
        while True:
            number += 1
            SCENARIOS[name].step(folder, number)
            pipe.send(number)
    except BaseException:
        pipe.send(traceback.format_exc())


def look(name: str, folder: Path, acknowledged: int, seconds: float) -> int:
    """Start a child, kill it some seconds after its check, and return its last step.

    Raises
    ------
    AssertionError
        If the child found a fault.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(name, folder, acknowledged, theirs))
    process.start()
    theirs.close()
    messages: list[Any] = []
    if ours.poll(PATIENCE):
        messages.append(ours.recv())
        time.sleep(seconds)
    process.kill()
    process.join()
    with suppress(EOFError):
        while True:
            messages.append(ours.recv())
    expect(messages, "the child does not answer")
    faults = [text for text in messages if isinstance(text, str)]
    expect(not faults, "".join(faults))
    return int(messages[-1])


def kills(kills: int = 1000, seed: int = 0) -> None:
    """Kill processes that write, and check what they leave on disk; exit with the first fault."""
    rng = np.random.default_rng(seed)
    warnings.filterwarnings("ignore", "lancedb fork support")
    faiss.omp_set_num_threads(1)  # no child has the threads of its parent
    acknowledged, names = dict.fromkeys(SCENARIOS, 0), list(SCENARIOS)
    codec("hybrid8B"), codec("trellis8B"), codec("binary")
    with tempfile.TemporaryDirectory() as temporary:
        # each scenario is checked once more after its last kill
        for kill in range(kills + len(names)):
            name = names[kill % len(names)]
            folder = Path(temporary) / name
            folder.mkdir(exist_ok=True)
            longest = LONGEST * (SLOWER if name in ("export to lancedb", "export to chroma") else 1)
            try:
                acknowledged[name] = look(name, folder, acknowledged[name], rng.uniform(0, longest))
            except AssertionError as fault:
                sys.exit(f"seed {seed}, kill {kill}, {name}: {fault}")
            if kill % 100 == 99:
                print(f"{kill + 1} kills", flush=True)
        for name, steps in acknowledged.items():
            left = len(list((Path(temporary) / name).glob(".*")))
            print(f"{name}: {steps} steps, {left} temporary files and folders left")
    print(f"nothing lost in {kills} kills, seed {seed}, vecsmith {vecsmith.__version__}")


if __name__ == "__main__":
    typer.run(kills)
