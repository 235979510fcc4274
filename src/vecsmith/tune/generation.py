"""Generate queries for the passages of a corpus, keep them across interrupted runs, and filter unusable ones."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import BinaryIO, NamedTuple

import numpy as np
from filelock import FileLock

from vecsmith.errors import VecsmithError
from vecsmith.files import cache_folder, fingerprint
from vecsmith.progress import steps
from vecsmith.tasks import Texts
from vecsmith.tune.examples import listed
from vecsmith.tune.generators import Generator, Passage

VERSION = 1
"""Version of the work file."""
TRIAL_PASSAGES = 50
"""Passages after which generation stops if none of them has a query."""
MAX_WORDS = 64
"""Maximum words of a query."""
MIN_DISTINCT = 0.5
"""Minimum share of distinct words in a query of `LOOP_WORDS` words or more; models repeat words when they fail."""
LOOP_WORDS = 6

Block = list[list[str]]
"""Queries of each passage of a block."""


class GeneratedPair(NamedTuple):
    """A generated query, the text that it is trained to find, and the passage of the corpus."""

    query: str
    positive: str
    passage: str


def generate_pairs(
    generator: Generator, corpus: Texts, count: int, seed: int = 0, limit: int | None = None
) -> tuple[list[GeneratedPair], Counter[str]]:
    """Generate queries for passages, and return the usable ones.

    The queries are kept in the cache by generator, passage and seed, so that an interrupted run continues, and no
    passage is sent to a model twice.

    Parameters
    ----------
    generator : Generator
        The generator.
    corpus : Texts
        The passages.
    count : int
        Queries per passage.
    seed : int
        Random seed.
    limit : int, optional
        Number of passages, drawn at random; all by default.

    Returns
    -------
    pairs : list of GeneratedPair
        Queries with their passages.
    left_out : Counter of str
        Number of unusable queries, and of passages without a query, by reason.

    Raises
    ------
    VecsmithError
        If no usable query is left, or none of the first `TRIAL_PASSAGES` passages has a query.
    """
    if count < 1:
        raise VecsmithError(f"The number of queries per passage must be at least 1, not {count}.")
    passages, left_out = _passages(corpus, limit, seed)
    size = generator.block_passages
    blocks = [passages[start : start + size] for start in range(0, len(passages), size)]
    generated: Block = []
    with steps(f"Generating queries with {generator.spec}", len(passages)) as advance:
        for block in _blocks(generator, blocks, count, seed):
            generated += block
            advance(len(block))
            if len(generated) >= TRIAL_PASSAGES and not any(generated):
                raise VecsmithError(
                    f"{generator.spec} returns no query for the first {len(generated)} passages; check the model."
                )
    pairs, unusable = usable(
        [
            [GeneratedPair(query, generator.positive(query, passage), passage.text) for query in queries]
            for queries, passage in zip(generated, passages, strict=True)
        ]
    )
    left_out += unusable
    if not pairs:
        raise VecsmithError(f"{generator.spec} generates no usable query ({listed(left_out)}); use another generator.")
    return pairs, left_out


def usable(generated: Sequence[Sequence[GeneratedPair]]) -> tuple[list[GeneratedPair], Counter[str]]:
    """Return the usable pairs of all passages, and the number of the others by reason.

    A query of several passages is left out everywhere, because it does not tell them apart; refusals of a chat model
    are of this kind.
    """
    owners = defaultdict[str, set[int]](set)
    for number, pairs in enumerate(generated):
        for pair in pairs:
            owners[normal(pair.query)].add(number)
    kept, left_out = list[GeneratedPair](), Counter[str]()
    for pairs in generated:
        left_out["passage without a query"] += not pairs
        seen = set[str]()
        for pair in pairs:
            query = normal(pair.query)
            reason = "repeated" if query in seen else _fault(query, normal(pair.positive), len(owners[query]))
            seen.add(query)
            if reason:
                left_out[reason] += 1
            else:
                kept.append(pair._replace(query=" ".join(pair.query.split())))
    return kept, +left_out


def normal(text: str) -> str:
    """Return a text in lower case with single spaces; texts that are equal then are treated as equal."""
    return " ".join(text.lower().split())


def _fault(query: str, positive: str, passages: int) -> str:
    """Return why a query is unusable; empty for a usable one."""
    words = query.split()
    if not any(map(str.isalpha, query)):
        return "query without words"
    if len(words) > MAX_WORDS:
        return f"query of more than {MAX_WORDS} words"
    if len(words) >= LOOP_WORDS and len(set(words)) < MIN_DISTINCT * len(words):
        return "query that repeats its words"
    if not positive:
        return "passage without further text"
    if query == positive:
        return "copy of the passage"
    return "query of several passages" if passages > 1 else ""


def _passages(corpus: Texts, limit: int | None, seed: int) -> tuple[list[Passage], Counter[str]]:
    """Return the passages with a text, or a sample of them in the order of the corpus."""
    titles = corpus.titles or [""] * len(corpus)
    passages = [Passage(*each) for each in zip(titles, corpus.texts, strict=True) if each[1].strip()]
    left_out = +Counter({"passage without a text": len(corpus) - len(passages)})
    if limit is not None and limit < len(passages):
        rows = np.random.default_rng(seed).permutation(len(passages))[:limit]
        passages = [passages[row] for row in sorted(rows)]
    return passages, left_out


def _blocks(generator: Generator, blocks: Sequence[Sequence[Passage]], count: int, seed: int) -> Iterator[Block]:
    """Yield the queries of each block of passages, from the work file or from the generator."""
    keys = [fingerprint(block) for block in blocks]

    def generate(number: int) -> Block:
        # the seed depends on the passages alone, so that a resumed run draws the same queries
        own_seed = int(fingerprint([seed, keys[number]])[:8], 16) >> 1
        return generator.generate(blocks[number], count, own_seed)

    if not generator.is_stored:
        yield from map(generate, range(len(blocks)))
        return
    path = cache_folder() / "generated" / f"{fingerprint([VERSION, generator.settings, count, seed])}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = Lock()
    with FileLock(path.with_suffix(".lock")), path.open("a+b") as file, _pool(generator.workers) as pool:
        known = _read(file)

        def known_or_generated(number: int) -> Block:
            key = keys[number]
            if key in known:
                return known[key]
            block = generate(number)
            if any(block):  # a block without any query is not kept, so that the next run asks again
                with writing:
                    file.write(json.dumps([key, block]).encode() + b"\n")
                    file.flush()
            return block

        yield from pool.map(known_or_generated, range(len(blocks)))


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads whose waiting calls are cancelled at the end of the block."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _read(file: BinaryIO) -> dict[str, Block]:
    """Return the blocks in a work file by key, and cut off a last line that a killed process left incomplete."""
    file.seek(0)
    known: dict[str, Block] = {}
    whole = 0
    for line in file:
        try:
            key, block = json.loads(line)
        except (ValueError, TypeError):
            break
        if not line.endswith(b"\n"):
            break
        known[key] = block
        whole += len(line)
    file.truncate(whole)
    file.seek(0, os.SEEK_END)
    return known
