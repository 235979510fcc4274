"""Queries extracted from the text of a passage: its title, its first sentence, and other sentences."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecsmith.errors import VecsmithError, unknown
from vecsmith.plugins import Loader
from vecsmith.tune.generators.base import GENERATORS, GeneratedPair, Generator, Passage

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+")
METHODS = ("title", "first", "span")
"""Methods of extraction, in the order in which they are used."""
MIN_WORDS = 4
"""Minimum number of words of a sentence; shorter parts, such as the end of ``e.g.``, stay with the sentence before."""


class ExtractGenerator(Generator):
    """Takes queries out of the passages; the positive is the passage without the query.

    The methods are ``title``; ``first``, the first sentence after the title; and ``span``, other sentences, drawn at
    random. The last two are the inverse cloze task.

    Parameters
    ----------
    methods : str
        Names of the methods, joined by commas; all by default.

    Raises
    ------
    VecsmithError
        If a method is unknown or given twice.

    References
    ----------
    Lee, Chang and Toutanova 2019, Latent retrieval for weakly supervised open domain question answering,
    https://arxiv.org/abs/1906.00300
    """

    block_passages = 256
    is_stored = False

    def __init__(self, methods: str = "") -> None:
        self.methods = methods.split(",") if methods else list(METHODS)
        for method in self.methods:
            if method not in METHODS:
                raise unknown("method of extraction", method, METHODS)
        if len(set(self.methods)) < len(self.methods):
            raise VecsmithError(f"extract:{methods} gives a method twice; give it once.")
        self.spec = f"extract:{','.join(self.methods)}"

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"spec": self.spec}

    def generate(self, passages: Sequence[Passage], count: int, seed: int) -> list[list[GeneratedPair]]:
        rng = np.random.default_rng(seed)
        return [self._extract(passage, count, rng) for passage in passages]

    def _extract(self, passage: Passage, count: int, rng: np.random.Generator) -> list[GeneratedPair]:
        body = passage.text
        while passage.title and body.startswith(passage.title):  # some collections repeat the title in the text
            body = body.removeprefix(passage.title).lstrip()
        sentences = split_sentences(body)
        others = [sentences[place] for place in 1 + rng.permutation(max(len(sentences) - 1, 0))]
        queries = {"title": [passage.title] * bool(passage.title), "first": sentences[:1], "span": others}
        return [
            GeneratedPair(query, body if method == "title" else _without(query, passage.text))
            for method in self.methods
            for query in queries[method]
        ][:count]


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text, each of `MIN_WORDS` words or more; a shorter rest stays with the one before."""
    sentences: list[str] = []
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        part = text[start:end].strip()
        if len(part.split()) >= MIN_WORDS or (end == len(text) and not sentences and part):
            sentences.append(part)
        elif part and sentences:
            sentences[-1] += f" {part}"
        else:
            continue  # a short beginning stays with the sentence after it
        start = end
    return sentences


def _without(query: str, text: str) -> str:
    """Return a text without every occurrence of the query."""
    return " ".join(text.replace(query, " ").split())


GENERATORS["extract"] = Loader(
    "extract[:title,first,span]",
    "takes titles and sentences out of the passages, without a model",
    ExtractGenerator,
)
