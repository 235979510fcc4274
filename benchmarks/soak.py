"""Soak test of concurrent searches and changes: every search result is compared with brute force.

    python benchmarks/soak.py [--minutes 10] [--seed 0]

A round uses one codec and takes some seconds. One thread adds and deletes rows, saves versions to one folder, and
sometimes replaces the index by the loaded version. Other threads search the index, with and without a filter, and one
thread loads the folder and searches it. Sometimes the index gets inverted lists, of which half of the searches then
probe all. A result must be entirely correct for one version that existed during the search. A folder must hold a
version that is not older than the last saved version. The first wrong result ends the run with status 1 and a message
with seed, round, version and query.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress, count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vecsmith
from vecsmith.embeddings import Provenance, normalize
from vecsmith.index import SHORTLIST, CodedVectors
from vecsmith.index.scoring import is_bit_code
from vecsmith.index.two_stages import first_stage

DIMENSIONS, POOL, QUERIES = 64, 3000, 64
MIN_ROWS, MAX_ROWS = 500, 4000
"""Bounds of the number of rows that are not deleted."""
SEARCHERS, SECONDS_PER_ROUND = 2, 5
COUNTS = ("searches", "loads", "changes")
TOLERANCE = 1e-4
ALL_LISTS = 1_000_000
"""Number of probes: more than there are lists, so that all documents are scanned."""
KINDS = {
    "binary, symmetric": ("binary", "symmetric", None),
    "binary": ("binary", "asymmetric", None),
    "hybrid16B": ("hybrid16B", "asymmetric", None),
    "int8": ("int8", "asymmetric", None),
    "trellis8B": ("trellis8B", "asymmetric", None),
    "float32": ("float32", "asymmetric", None),
    "hybrid8B, symmetric": ("hybrid8B", "symmetric", None),
    "binary, rescored by float16": ("binary", "rescored", "float16"),
    "hybrid8B, rescored by int8": ("hybrid8B", "rescored", "int8"),
    "hybrid4B+trellis4B": ("hybrid4B+trellis4B", "rescored", "both"),
}
"""Kinds of indexes: codec, scoring, and the vectors or codes that rescore a shortlist."""


@dataclass(frozen=True)
class Version:
    """Expected content of an index at one moment: n rows with their decoded vectors, deleted rows included."""

    number: int
    codes: NDArray[np.uint8]
    decoded: NDArray[np.float32]
    finer: NDArray[np.float32] | None
    ids: tuple[str, ...]
    alive: NDArray[np.bool_]
    by_id: bool

    @cached_property
    def group(self) -> NDArray[np.int64]:
        """Group number (n,) of each row; rows with equal codes share it."""
        return np.unique(self.codes, axis=0, return_inverse=True)[1].reshape(-1)

    @cached_property
    def better(self) -> NDArray[np.int64]:
        """Position (n,) of each row among rows with equal scores."""
        rows = np.arange(len(self.ids))
        return np.argsort(sorted(rows, key=lambda row: self.ids[row], reverse=True)) if self.by_id else rows

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row number of each id; for an id that was added again, the new row number."""
        return {id_: row for row, id_ in enumerate(self.ids)}

    def compacted(self, by_id: bool) -> "Version":
        """Return the content of a folder after `save`."""
        kept, finer = self.alive, None if self.finer is None else self.finer[self.alive]
        codes, decoded, ids = self.codes[kept], self.decoded[kept], tuple(compress(self.ids, kept))
        return Version(self.number + 1, codes, decoded, finer, ids, kept[kept], by_id)


def expect(condition: Any, text: str) -> None:
    """Raise AssertionError unless a condition holds."""
    if not condition:
        raise AssertionError(text)


def check_result(world: "World", version: Version, q: Any, k: int, allowed: Any, scores: Any, rows: Any) -> None:
    """Raise AssertionError with the first error in the result of one query for a version."""
    may = version.alive.copy()
    if allowed is not None:
        chosen = np.zeros(len(may), np.bool_)
        chosen[[version.row_of[name] if isinstance(name, str) else name for name in allowed]] = True
        may &= chosen
    expect(len(rows) == min(k, may.sum()), f"{len(rows)} documents rather than {min(k, may.sum())}")
    if not len(rows):
        return
    inside = rows.min() >= 0 and rows.max() < len(may) and may[rows].all()
    expect(inside and len(set(rows.tolist())) == len(rows), "rows that may not be found, or twice")
    if world.scoring == "symmetric" and is_bit_code(world.codec):
        exact = -np.unpackbits(version.codes ^ world.codec.encode(q[None])[0], axis=1).sum(axis=1).astype(np.float64)
        best = np.flatnonzero(may)
        best = best[np.lexsort((version.better[best], -exact[best]))][:k]
        expect(np.array_equal(rows, best) and np.array_equal(scores, exact[best]), "another ranking")
        return
    if world.scoring == "symmetric":
        q = world.codec.decode(world.codec.encode(q[None]))[0]
    # in double precision, and exactly equal for rows with equal codes
    first = np.unique(version.group, return_index=True)[1]
    exact = (version.decoded[first].astype(np.float64) @ q.astype(np.float64))[version.group]
    finer = version.decoded if version.finer is None else version.finer
    final = finer.astype(np.float64) @ q.astype(np.float64) if world.scoring == "rescored" else exact
    error = np.abs(scores - final[rows]).max()
    expect(error <= TOLERANCE and (np.diff(scores) <= 0).all(), f"other scores, by {error:.2g}")
    if world.scoring != "rescored":
        missed = np.abs(scores + np.sort(-exact[may])[:k]).max()
        expect(missed <= TOLERANCE, f"a missing document, better by {missed:.2g}")
        check_ties(version.group, version.better, may, rows)
        return
    cut = -np.sort(-exact[may])[min(SHORTLIST, may.sum()) - 1]
    expect((exact[rows] >= cut - TOLERANCE).all(), "a document from beyond the shortlist")
    missing = may & (exact > cut + TOLERANCE) & (final > scores[-1] + TOLERANCE)
    missing[rows] = False
    expect(not missing.any(), "a missing document")
    # the codes decide which of the equal documents are on the shortlist
    equals = np.unique(finer, axis=0, return_inverse=True)[1].reshape(-1)
    check_ties(equals, version.better, np.isin(np.arange(len(may)), rows), rows)


def check_ties(group: Any, better: Any, may: Any, rows: Any) -> None:
    """Raise AssertionError if rows of one group are missing or out of order."""
    for number in np.unique(group[rows]):
        equals = np.flatnonzero(may & (group == number))
        ours = rows[group[rows] == number]
        right = np.array_equal(ours, equals[np.argsort(better[equals])][: len(ours)])
        expect(right, f"equal documents {ours} out of order")


class Live:
    """An index and its versions: a search may return the version numbered `done` at its start, or a later one.

    A version is appended before the index changes, and counted in `done` after the change.
    """

    def __init__(self, index: vecsmith.Index, version: Version) -> None:
        self.index, self.versions, self.done = index, [version], 0

    @contextmanager
    def becoming(self, version: Version) -> Iterator[None]:
        """Record a version while the index changes to it."""
        self.versions.append(version)
        yield
        self.done += 1


class World:
    """An index of one kind, and the threads of one round."""

    def __init__(self, name: str, folder: Path, seed: int, number: int) -> None:
        self.name, self.folder, self.seed = name, folder, (seed, number)
        spec, self.scoring, finer = KINDS[name]
        rng = self.rng = np.random.default_rng(self.seed)
        spread = 1 / np.sqrt(np.arange(1, DIMENSIONS + 1))
        self.pool = (rng.standard_normal((POOL, DIMENSIONS)) * spread + 0.1).astype(np.float32)
        self.pool /= np.linalg.norm(self.pool, axis=1, keepdims=True)
        self.pool[rng.integers(POOL, size=POOL // 5)] = self.pool[rng.integers(POOL // 100, size=POOL // 5)]
        noise = rng.standard_normal((QUERIES, DIMENSIONS)) * spread
        # the index compares by cosine, so the exact scores need queries of unit length
        self.Q = normalize((self.pool[:QUERIES] + (np.arange(QUERIES) % 2)[:, None] * noise).astype(np.float32))
        self.codec = vecsmith.codec(spec).fit(self.pool)
        self.finer = None if finer != "int8" else vecsmith.codec("int8").fit(self.pool)
        self.whole = self.codec if finer == "both" else None
        if self.whole and (first := first_stage(self.whole)):
            self.codec, self.finer = first, self.whole
        self.stop, self.failure, self.counts = threading.Event(), "", dict.fromkeys(COUNTS, 0)
        self.counting, self.fresh = threading.Lock(), count()
        self.saved: dict[int, Version] = {}
        self.acknowledged = 0
        X = self.pool[rng.integers(POOL, size=MIN_ROWS)]
        empty = np.empty((0, DIMENSIONS), np.float32)
        no_codes = np.empty((0, self.codec.bytes_per_vector), np.uint8)
        nothing = Version(0, no_codes, empty, empty if finer else None, (), np.empty(0, np.bool_), by_id=True)
        self.live = self.started(self.grown(nothing, X, self.new_ids(len(X))), X)

    def started(self, version: Version, X: NDArray[np.float32]) -> Live:
        """Return a new index of vectors (n, d)."""
        originals: Any = None
        if self.scoring == "rescored":
            originals = X.astype(np.float16) if self.finer is None else CodedVectors(self.finer, self.finer.encode(X))
        if self.whole:
            return Live(vecsmith.Index(self.whole, self.whole.encode(X), "rescored", ids=version.ids), version)
        codes = self.codec.encode(X)
        return Live(vecsmith.Index(self.codec, codes, self.scoring, originals, version.ids), version)  # type: ignore[arg-type]

    def grown(self, version: Version, X: NDArray[np.float32], ids: list[str]) -> Version:
        """Return the version after vectors (n, d) are added."""
        codes = self.codec.encode(X)
        finer = version.finer
        if finer is not None:
            rounded = X.astype(np.float16).astype(np.float32)
            finer = np.vstack([finer, self.finer.decode(self.finer.encode(X)) if self.finer else rounded])
        decoded = np.vstack([version.decoded, self.codec.decode(codes)])
        alive = np.append(version.alive, np.ones(len(X), np.bool_))
        codes, all_ids = np.vstack([version.codes, codes]), (*version.ids, *ids)
        return Version(version.number + 1, codes, decoded, finer, all_ids, alive, version.by_id)

    def new_ids(self, number: int) -> list[str]:
        return [f"{next(self.fresh) * 7919 % 100_003}-{next(self.fresh)}" for _ in range(number)]

    def change(self) -> None:
        """Add, delete, or save and load until the round ends."""
        rng = self.rng
        while not self.stop.is_set():
            live = self.live
            version, action = live.versions[-1], rng.random()
            alive = np.flatnonzero(version.alive)
            if action < 0.02:
                live.index.build_lists(int(rng.integers(1, 50)))
            elif action < 0.15:
                self.switch(live)
            elif len(alive) > MAX_ROWS or (action < 0.55 and len(alive) > MIN_ROWS):
                gone = rng.choice(alive, int(rng.integers(1, min(300, len(alive) - 50))), replace=False)
                still = version.alive.copy()
                still[gone] = False
                with live.becoming(replace(version, number=version.number + 1, alive=still)):
                    live.index.delete([version.ids[row] for row in gone] if rng.random() < 0.5 else gone)
            else:
                X = self.pool[rng.integers(POOL, size=int(rng.integers(1, 200)))]
                dead = [id_ for id_, row in version.row_of.items() if not version.alive[row]]
                ids = [*dead[: len(X) // 3], *self.new_ids(len(X) - len(dead[: len(X) // 3]))]
                with live.becoming(self.grown(version, X, ids)):
                    live.index.add(X, ids)
            self.count("changes")
            time.sleep(rng.random() * 0.02)

    def switch(self, live: Live) -> None:
        """Save the index, and replace it by the loaded index or by an index of the same codes with ids."""
        kept = live.versions[-1].compacted(by_id=False)
        self.saved[kept.number] = kept
        live.index.provenance = Provenance(dataset=str(kept.number))
        live.index.save(self.folder)
        self.acknowledged = kept.number
        loaded = vecsmith.Index.load(self.folder, mmap=bool(self.rng.integers(2)))
        if self.rng.random() < 0.5:
            codes = np.concatenate([part.codes for part in loaded.partitions])
            loaded = vecsmith.Index(self.codec, codes, self.scoring, loaded.originals, kept.ids)  # type: ignore[arg-type]
            kept = replace(kept, by_id=True)
        self.live = Live(loaded, kept)

    def search(self, seed: int) -> None:
        """Search the index until the round ends."""
        rng = np.random.default_rng([*self.seed, seed])
        while not self.stop.is_set():
            live = self.live
            first = live.done
            self.answer(rng, live.index, live.versions[first], lambda: live.versions[first:])  # noqa: B023
            self.count("searches")

    def load(self, seed: int) -> None:
        """Load the folder and search it until the round ends."""
        rng = np.random.default_rng([*self.seed, seed])
        while not self.stop.wait(0 if self.acknowledged else 0.01):
            if not (known := self.acknowledged):
                continue
            index = vecsmith.Index.load(self.folder, mmap=bool(rng.integers(2)))
            number = int(index.provenance.dataset)
            if number < known:
                self.fail(f"the folder holds version {number} after version {known} was saved")
            version = self.saved[number]
            if tuple(index.rows.ids) != version.ids:
                self.fail(f"the folder of version {number} has other ids")
            self.answer(rng, index, version, lambda: [version])  # noqa: B023
            self.count("loads")

    def answer(self, rng: np.random.Generator, index: vecsmith.Index, version: Version, versions: Any) -> None:
        """Search once, and check the result against the versions that existed during the search."""
        chosen = rng.choice(QUERIES, int(rng.choice([1, 1, 3, 30])), replace=False)
        k, allowed = int(rng.choice([1, 10, 100])), self.filter(rng, version)
        probes = ALL_LISTS if index._snapshot.centroids is not None and rng.random() < 0.5 else None
        scores, rows = index.search(self.Q[chosen], k, allowed, probes)
        wrong = []
        for candidate in versions():
            try:
                for query, *line in zip(chosen, scores, rows, strict=True):
                    check_result(self, candidate, self.Q[query], k, allowed, *line)
                return
            except AssertionError as error:
                wrong.append(f"version {candidate.number}, query {query} of {len(chosen)}: {error}")
        few = "all" if allowed is None else len(allowed)
        self.fail(f"{'; '.join(wrong)} (k = {k}, {few} allowed)")

    def filter(self, rng: np.random.Generator, version: Version) -> Any:
        """Return a random filter: None, row numbers or ids."""
        kind, share = rng.integers(4), rng.choice([0.001, 0.03, 0.3, 0.9])
        if kind < 2:
            return None
        rows = np.flatnonzero(rng.random(len(version.ids)) < share)
        return rows if kind == 2 else [version.ids[row] for row in rows]

    def count(self, what: str) -> None:
        with self.counting:
            self.counts[what] += 1

    def fail(self, text: str) -> None:
        self.failure = self.failure or f"seed {self.seed[0]}, round {self.seed[1]}, {self.name}: {text}"
        self.stop.set()

    def run(self, seconds: float) -> None:
        """Run the threads for some seconds; an exception in one of them is raised here."""
        jobs: list[tuple[Any, ...]] = [(self.change,), *((self.search, n) for n in range(SEARCHERS)), (self.load, 99)]
        with ThreadPoolExecutor(len(jobs)) as threads:
            running = [threads.submit(*job) for job in jobs]
            for job in running:
                job.add_done_callback(lambda _: self.stop.set())
            self.stop.wait(seconds)
            self.stop.set()
        for job in running:
            job.result()


def soak(minutes: float, seed: int) -> str:
    """Run rounds for some minutes, and return a description of the first error; empty if there was none."""
    end, totals = time.monotonic() + 60 * minutes, dict.fromkeys(COUNTS, 0)
    for number in count():
        if time.monotonic() >= end:
            break
        with tempfile.TemporaryDirectory() as folder:
            world = World(list(KINDS)[number % len(KINDS)], Path(folder) / "index", seed, number)
            world.run(min(SECONDS_PER_ROUND, 60 * minutes))
        totals = {what: total + world.counts[what] for what, total in totals.items()}
        print(f"round {number}, {world.name}: {world.counts}", flush=True)
        if world.failure:
            return world.failure
    print(f"nothing wrong in {totals}, {minutes} minutes, seed {seed}, vecsmith {vecsmith.__version__}")
    return ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    found = soak(**vars(parser.parse_args()))
    sys.exit(found or None)
