"""Soak test of concurrent searches and changes: every search result is compared with brute force.

    python benchmarks/soak.py [--minutes 10] [--seed 0]

A round uses one codec and takes some seconds. One thread adds and deletes rows, saves versions to one folder, and
sometimes replaces the index by the loaded version. Other threads search the index, with and without a filter, and one
thread loads the folder and searches it. Sometimes the index gets inverted lists, of which half of the searches then
probe all. A result must be entirely correct for one version that existed during the search. A folder must hold a
version that is not older than the last saved version. The first wrong result ends the run with status 1 and a message
with seed, round, version and query.
"""

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress, count
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

import vecsmith
from vecsmith.codecs import scan, stages
from vecsmith.embeddings import Provenance, normalize
from vecsmith.index import SHORTLIST, CodedVectors, Scoring
from vecsmith.index.scoring import is_bit_code
from vecsmith.index.two_stages import first_stage

Rows = NDArray[np.int64]
DIMENSIONS, POOL, QUERIES = 64, 3000, 64
MIN_ROWS, MAX_ROWS = 500, 4000
"""Bounds of the number of rows that are not deleted."""
BLOCK_ROWS = 256
"""Rows that are encoded or decoded at a time, so that even a few thousand rows are many blocks."""
SEARCHERS, SECONDS_PER_ROUND = 2, 5
TOLERANCE = 1e-4
ROUNDING = 1e-6
"""Relative error of the arithmetic; the codes of a vector may depend on errors of this size."""
SKETCH_MISSES = 0.1
"""Share of the results of a query, beyond one document, that a search through sketches may miss; about 0.0001 are."""
ALL_LISTS = 1_000_000
"""Number of probes: more than there are lists, so that all documents are scanned."""
KINDS: dict[str, tuple[str, Scoring, str | None]] = {
    "binary, symmetric": ("binary", "symmetric", None),
    "binary": ("binary", "asymmetric", None),
    "hybrid16B": ("hybrid16B", "asymmetric", None),
    "int8": ("int8", "asymmetric", None),
    "trellis8B": ("trellis8B", "asymmetric", None),
    "float32": ("float32", "asymmetric", None),
    "hybrid8B, symmetric": ("hybrid8B", "symmetric", None),
    "binary, rescored by float32": ("binary", "rescored", "float32"),
    "hybrid8B, rescored by int8": ("hybrid8B", "rescored", "int8"),
    "hybrid4B+trellis4B": ("hybrid4B+trellis4B", "rescored", None),
    "hybrid4B+trellis4B, decoded": ("hybrid4B+trellis4B", "asymmetric", None),
}
"""Kinds of indexes: codec, scoring, and the codec of the vectors that rescore a shortlist."""


def expect(condition: Any, text: str) -> None:
    """Raise AssertionError unless a condition holds."""
    if not condition:
        raise AssertionError(text)


@dataclass(frozen=True)
class Version:
    """Expected content of an index at one moment: vectors of the pool, ids, and whether a row is not deleted.

    Ties break by descending id if `by_id` is set, and by ascending row number otherwise.
    """

    number: int
    vectors: Rows
    ids: tuple[str, ...]
    alive: NDArray[np.bool_]
    by_id: bool = True

    @cached_property
    def tie_rank(self) -> Rows:
        """Position (n,) of each row among rows with equal scores."""
        rows = np.arange(len(self.ids))
        return np.argsort(sorted(rows, key=lambda row: self.ids[row], reverse=True)) if self.by_id else rows

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row number of each id; for an id that was added again, the new row number."""
        return {id_: row for row, id_ in enumerate(self.ids)}

    def grown(self, vectors: Rows, ids: Sequence[str]) -> "Version":
        """Return the version after vectors of the pool are added."""
        alive = np.append(self.alive, np.ones(len(ids), np.bool_))
        return Version(self.number + 1, np.append(self.vectors, vectors), (*self.ids, *ids), alive, self.by_id)

    def compacted(self) -> "Version":
        """Return the content of a folder after `save`."""
        ids, alive = tuple(compress(self.ids, self.alive)), self.alive[self.alive]
        return Version(self.number + 1, self.vectors[self.alive], ids, alive, by_id=False)


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
        X = normalize((rng.standard_normal((POOL, DIMENSIONS)) * spread + 0.1).astype(np.float32))
        X[rng.integers(POOL, size=POOL // 5)] = X[rng.integers(POOL // 100, size=POOL // 5)]
        noise = rng.standard_normal((QUERIES, DIMENSIONS)) * spread
        # the index compares by cosine, so the exact scores need queries of unit length
        self.Q = normalize((X[:QUERIES] + (np.arange(QUERIES) % 2)[:, None] * noise).astype(np.float32))
        whole = vecsmith.codec(spec).fit(X)
        final = vecsmith.codec(finer).fit(X) if finer else whole
        # the index encodes the vectors in other batches, where another rounding must not change a code
        noisy = (X * (1 + ROUNDING * rng.standard_normal(X.shape))).astype(np.float32)
        for codec in (whole, final):
            decoded, again = (codec.decode(codec.encode(each)) for each in (X, noisy))
            same = np.isclose(decoded, again, atol=TOLERANCE).all(axis=1)
            X, noisy = X[same], noisy[same]
        first = first_stage(whole) if self.scoring == "rescored" else None
        self.pool, self.codec = X, first or whole
        self.codes, final_codes = self.codec.encode(X), final.encode(X)
        self.sketched = getattr(self.codec.quantizer.index(self.codes), "sketched", False)
        self.decoded, self.final = self.codec.decode(self.codes), final.decode(final_codes)
        self.groups = np.unique(final_codes, axis=0, return_inverse=True)[1].reshape(-1)
        self.stop, self.failure, self.counts = threading.Event(), "", Counter[str]()
        self.counting, self.fresh = threading.Lock(), count()
        self.saved: dict[int, Version] = {}
        self.acknowledged = 0
        rows = rng.integers(len(X), size=MIN_ROWS)
        version = Version(1, rows, tuple(self.new_ids(MIN_ROWS)), np.ones(MIN_ROWS, np.bool_))
        originals = CodedVectors(final, final_codes[rows]) if finer == "int8" else None
        self.live = Live(vecsmith.Index(whole, X[rows], self.scoring, originals, version.ids), version)

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
                added = rng.integers(len(self.pool), size=int(rng.integers(1, 200)))
                dead = [id_ for id_, row in version.row_of.items() if not version.alive[row]][: len(added) // 3]
                ids = [*dead, *self.new_ids(len(added) - len(dead))]
                with live.becoming(version.grown(added, ids)):
                    live.index.add(self.pool[added], ids)
            self.count("changes")
            time.sleep(rng.random() * 0.02)

    def switch(self, live: Live) -> None:
        """Save the index, and replace it by the loaded index or by an index of the same codes with ids."""
        version = live.versions[-1].compacted()
        self.saved[version.number] = version
        live.index.provenance = Provenance(dataset=str(version.number))
        live.index.save(self.folder)
        self.acknowledged = version.number
        loaded = vecsmith.Index.load(self.folder, mmap=bool(self.rng.integers(2)))
        if self.rng.random() < 0.5:
            codes = np.concatenate([part.codes for part in loaded.partitions])
            loaded = vecsmith.Index(self.codec, codes, self.scoring, loaded.originals, version.ids)
            version = replace(version, by_id=True)
        self.live = Live(loaded, version)

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

    def answer(
        self, rng: np.random.Generator, index: vecsmith.Index, version: Version, versions: Callable[[], list[Version]]
    ) -> None:
        """Search once, and check the result against the versions that existed during the search."""
        chosen = rng.choice(QUERIES, int(rng.choice([1, 1, 3, 30])), replace=False)
        k, allowed = int(rng.choice([1, 10, 100])), random_filter(rng, version)
        probes = ALL_LISTS if index._snapshot.centroids is not None and rng.random() < 0.5 else None
        scores, rows = index.search(self.Q[chosen], k, allowed, probes)
        wrong = []
        for candidate in versions():
            try:
                for query, *line in zip(chosen, scores, rows, strict=True):
                    self.check(candidate, self.Q[query], k, allowed, *line)
                return
            except AssertionError as error:
                wrong.append(f"version {candidate.number}, query {query} of {len(chosen)}: {error}")
        few = "all" if allowed is None else len(allowed)
        self.fail(f"{'; '.join(wrong)} (k = {k}, {few} allowed)")

    def check(self, version: Version, q: Any, k: int, allowed: Any, scores: Any, rows: Any) -> None:
        """Raise AssertionError with the first error in the result of one query for a version."""
        may = version.alive.copy()
        if allowed is not None:
            numbers = [version.row_of[name] if isinstance(name, str) else name for name in allowed]
            may &= np.isin(np.arange(len(may)), numbers)
        expect(len(rows) == min(k, may.sum()), f"{len(rows)} documents rather than {min(k, may.sum())}")
        if not len(rows):
            return
        inside = rows.min() >= 0 and rows.max() < len(may) and may[rows].all()
        expect(inside and len(set(rows.tolist())) == len(rows), "rows that may not be found, or twice")
        first, final, groups = (each[version.vectors] for each in self.exact_scores(q))
        error = np.abs(scores - final[rows]).max()
        expect(error <= TOLERANCE and (np.diff(scores) <= 0).all(), f"other scores, by {error:.2g}")
        cut = -np.inf
        if self.scoring == "rescored":
            cut = -np.sort(-first[may])[min(SHORTLIST, may.sum()) - 1]
            expect((first[rows] >= cut - TOLERANCE).all(), "a document from beyond the shortlist")
        missing = may & (first > cut + TOLERANCE) & (final > scores[-1] + TOLERANCE)
        missing[rows] = False
        most = 1 + int(SKETCH_MISSES * k) if self.sketched else 0
        expect(missing.sum() <= most, f"{missing.sum()} missing documents")
        if self.scoring == "rescored":
            # the first stage decides which of the documents with equal final scores are on the shortlist
            may = np.isin(np.arange(len(may)), rows)
        for group in np.unique(groups[rows]):
            equal, found = np.flatnonzero(may & (groups == group)), rows[groups[rows] == group]
            ordered = equal[np.argsort(version.tie_rank[equal])][: len(found)]
            expect(np.array_equal(found, ordered), f"equal documents {found} out of order")

    def exact_scores(self, q: Any) -> tuple[Any, Any, Any]:
        """Return the scores of the pool in the first stage and in the last, and the numbers of its groups of ties."""
        if self.scoring == "symmetric":
            code = self.codec.encode(q[None])
            if is_bit_code(self.codec):
                scores = -np.unpackbits(self.codes ^ code, axis=1).sum(axis=1).astype(np.float64)
                return scores, scores, scores
            q = self.codec.decode(code)[0]
        q = q.astype(np.float64)
        return self.decoded @ q, self.final @ q, self.groups

    def count(self, name: str) -> None:
        with self.counting:
            self.counts[name] += 1

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


def random_filter(rng: np.random.Generator, version: Version) -> Any:
    """Return a random filter: None, row numbers or ids."""
    kind, share = rng.integers(4), rng.choice([0.001, 0.03, 0.3, 0.9])
    if kind < 2:
        return None
    rows = np.flatnonzero(rng.random(len(version.ids)) < share)
    return rows if kind == 2 else [version.ids[row] for row in rows]


def soak(minutes: float = 10, seed: int = 0) -> None:
    """Check searches that are concurrent with changes, for some minutes; exit with the first error."""
    scan.SEARCH_BLOCK_ROWS = stages.CODE_BLOCK_ROWS = BLOCK_ROWS
    end, totals = time.monotonic() + 60 * minutes, Counter[str]()
    for number in count():
        if time.monotonic() >= end:
            break
        with tempfile.TemporaryDirectory() as folder:
            world = World(list(KINDS)[number % len(KINDS)], Path(folder) / "index", seed, number)
            world.run(min(SECONDS_PER_ROUND, 60 * minutes))
        totals += world.counts
        print(f"round {number}, {world.name}: {dict(world.counts)}", flush=True)
        if world.failure:
            sys.exit(world.failure)
    print(f"nothing wrong in {dict(totals)}, {minutes} minutes, seed {seed}, vecsmith {vecsmith.__version__}")


if __name__ == "__main__":
    typer.run(soak)
