"""Stress test: kill a process that writes, at random moments, and check what it leaves on disk.

    python benchmarks/kills.py [--kills 1000] [--seed 0]

A child process repeats one step in one folder and acknowledges every completed step. It is killed (SIGKILL) up to 0.2 s
after it started. The next child checks the folder first: every acknowledged step must be there and right, and the
interrupted step must be there completely, or absent, or rejected by a `VecsmithError` of one line. Then it continues.
The first fault ends the run with status 1 and names the seed, scenario and kill.
"""

import argparse
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
import usearch.index
from numpy.typing import NDArray
from soak import expect

import vecsmith
from vecsmith import EmbeddingSet, VecsmithError
from vecsmith.embeddings import EmbeddingWriter, Provenance, Rows, writer
from vecsmith.index import CodeSet
from vecsmith.stores import export_codes, store_named

LONGEST, SLOWER = 0.2, 2
"""Maximum seconds of work before a child is killed, and the factor for databases."""
PATIENCE = 120
"""Maximum seconds for a child to check the folder."""
DIMENSIONS, ROWS, ADDED, TABLES = 32, 300, 20, 8
SHARDS, SHARD_ROWS = 4, 64
MAX_ROWS = 1500
"""Rows of an index before a new one is started."""
Floats = NDArray[np.float32]


def vectors(number: int, rows: int = ROWS) -> Floats:
    """Return the vectors of a step, which differ from step to step."""
    X = np.random.default_rng(number).standard_normal((rows, DIMENSIONS)).astype(np.float32)
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True))


@cache
def codec() -> vecsmith.Codec:
    """Return the codec of the indexes."""
    return vecsmith.codec("hybrid8B").fit(vectors(0))


@cache
def bits() -> vecsmith.Codec:
    """Return the codec of the exported codes."""
    return vecsmith.codec("binary").fit(vectors(0))


def code_set(number: int) -> CodeSet:
    """Return the codes of a step, whose number depends on the step."""
    X = vectors(number, ROWS + number % 7)
    return CodeSet(bits(), bits().encode(X), Rows(len(X), [f"{number}-{row}" for row in range(len(X))]), Provenance())


def refused(action: Callable[[], Any]) -> bool:
    """Return whether an action is rejected in one line; any other exception is a fault."""
    try:
        action()
    except VecsmithError as error:
        expect("\n" not in str(error), f"a message of several lines: {error}")
        return True
    return False


class Save:
    """Save an index over the existing one: a new one of other length, or the existing one with rows added and deleted.

    Each addition deletes the last row of the addition before. A new index is started after `MAX_ROWS` rows.
    """

    def __init__(self, add: bool) -> None:
        self.add = add

    def content(self, number: int) -> tuple[list[str], Floats]:
        """Return the ids and vectors of the index after a step."""
        first = number - number % (MAX_ROWS // ADDED) if self.add else number
        sizes = {step: ADDED - (step < number) if self.add else ROWS + step % 7 for step in range(first, number + 1)}
        blocks = [vectors(step, ADDED if self.add else rows)[:rows] for step, rows in sizes.items()]
        return [f"{step}-{row}" for step, rows in sizes.items() for row in range(rows)], np.concatenate(blocks)

    def found(self, folder: Path, acknowledged: int) -> int:
        if not (folder / "index").exists():
            return 0
        index = vecsmith.Index.load(folder / "index", mmap=False)
        number = int(index.rows.ids[-1].split("-")[0])
        ids, X = self.content(number)
        expect(index.rows.ids == ids and len(cast(Any, index.originals)) == len(X), f"step {number} has other rows")
        codes = np.concatenate([part.codes for part in index.partitions])
        expect(np.array_equal(codes, codec().encode(X)), f"step {number} has other codes")
        expect((index.search(X, 1)[1][:, 0] == range(len(X))).all(), f"step {number} finds other rows")
        return number

    def step(self, folder: Path, number: int) -> None:
        if self.add and number % (MAX_ROWS // ADDED) and (folder / "index").exists():
            index = vecsmith.Index.load(folder / "index")
            index.add(vectors(number, ADDED), [f"{number}-{row}" for row in range(ADDED)])
            index.delete([f"{number - 1}-{ADDED - 1}"])
        else:
            ids, X = self.content(number)
            index = vecsmith.Index(codec(), codec().encode(X), "rescored", X, ids)
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
    """Export to a file of a store, over the previous file."""

    def __init__(self, store: str) -> None:
        self.store = store

    def found(self, folder: Path, acknowledged: int) -> int:
        where = folder / "exported"
        if not where.exists():
            return 0
        found = self.read(str(where))
        for number in (acknowledged, acknowledged + 1):
            if np.array_equal(found, code_set(number).codes):
                return number
        raise AssertionError(f"neither step {acknowledged} nor the next one is in the file")

    def read(self, where: str) -> Any:
        if self.store == "npy":
            return np.load(where)
        if self.store == "faiss":
            whole: Any = faiss.read_index(where)
            rescored: Any = faiss.downcast_index(whole.index)
            exact: Any = faiss.downcast_index(rescored.refine_index)
            return faiss.vector_to_array(exact.codes).reshape(whole.ntotal, -1)
        graph = usearch.index.Index.restore(where)
        return graph.get(np.arange(len(graph)))

    def step(self, folder: Path, number: int) -> None:
        export_codes(code_set(number), self.store, str(folder / "exported"))


class Tables:
    """Export to further tables of an embedded database."""

    def __init__(self, store: str) -> None:
        self.store = store

    def where(self, folder: Path, number: int) -> str:
        return str(folder / f"database-{number // TABLES}")

    def whole(self, folder: Path, number: int) -> bool:
        codes, store = code_set(number), store_named(self.store)
        if refused(lambda: store.read(self.where(folder, number), f"step-{number}")):
            return False
        collection = store.read(self.where(folder, number), f"step-{number}")
        expect(sorted(collection.ids) == sorted(codes.ids), f"step {number} has {len(collection.ids)} rows")
        found = dict(zip(collection.ids, np.concatenate(list(collection.blocks)), strict=True))
        decoded = codes.codec.decode(codes.codes)
        expect(np.allclose([found[id_] for id_ in codes.ids], decoded, atol=1e-5), f"step {number} has other vectors")
        return True

    def found(self, folder: Path, acknowledged: int) -> int:
        for number in range(acknowledged - acknowledged % TABLES, acknowledged + 1):
            expect(number == 0 or self.whole(folder, number), f"step {number} is lost")
        for old in range(acknowledged // TABLES - 1):
            shutil.rmtree(folder / f"database-{old}", ignore_errors=True)
        return acknowledged + self.whole(folder, acknowledged + 1)

    def step(self, folder: Path, number: int) -> None:
        export_codes(code_set(number), self.store, self.where(folder, number), f"step-{number}", decoded=True)


SCENARIOS: dict[str, Any] = {
    "Index.save": Save(add=False),
    "Index.add and save": Save(add=True),
    "EmbeddingWriter": Write(),
    **{f"export to {store}": Export(store) for store in ("faiss", "npy", "usearch")},
    **{f"export to {store}": Tables(store) for store in ("lancedb", "chroma")},
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


def kills(number: int, seed: int) -> str:
    """Kill processes, and return a description of the first fault; empty if there was none."""
    rng = np.random.default_rng(seed)
    warnings.filterwarnings("ignore", "lancedb fork support")
    faiss.omp_set_num_threads(1)  # no child has the threads of its parent
    acknowledged, names = dict.fromkeys(SCENARIOS, 0), list(SCENARIOS)
    codec(), bits()
    with tempfile.TemporaryDirectory() as temporary:
        # each scenario is checked once more after its last kill
        for kill in range(number + len(names)):
            name = names[kill % len(names)]
            folder = Path(temporary) / name
            folder.mkdir(exist_ok=True)
            longest = LONGEST * (SLOWER if isinstance(SCENARIOS[name], Tables) else 1)
            try:
                acknowledged[name] = look(name, folder, acknowledged[name], rng.uniform(0, longest))
            except AssertionError as fault:
                return f"seed {seed}, kill {kill}, {name}: {fault}"
            if kill % 100 == 99:
                print(f"{kill + 1} kills", flush=True)
        for name, steps in acknowledged.items():
            left = len(list((Path(temporary) / name).glob(".*")))
            print(f"{name}: {steps} steps, {left} temporary files and folders left")
    print(f"nothing lost in {number} kills, seed {seed}, vecsmith {vecsmith.__version__}")
    return ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    sys.exit(kills(chosen.kills, chosen.seed) or None)
