"""Queries extracted from the text of a passage: its title, its first sentence, and other sentences."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecsmith.errors import VecsmithError, unknown
from vecsmith.plugins import Loader
from vecsmith.tune.generators.base import GENERATORS, Generator, Passage

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

    def generate(self, passages: Sequence[Passage], count: int, seed: int) -> list[list[str]]:
        rng = np.random.default_rng(seed)
        return [self._extract(passage, rng)[:count] for passage in passages]

    def positive(self, query: str, passage: Passage) -> str:
        """Return the passage without the query; without a title, only where the passage begins with it."""
        if query == passage.title:
            return _body(passage)
        return " ".join(passage.text.replace(query, " ").split())

    def _extract(self, passage: Passage, rng: np.random.Generator) -> list[str]:
        sentences = split_sentences(_body(passage))
        others = [sentences[place] for place in 1 + rng.permutation(max(len(sentences) - 1, 0))]
        queries = {"title": [passage.title] * bool(passage.title), "first": sentences[:1], "span": others}
        return [query for method in self.methods for query in queries[method]]


def _body(passage: Passage) -> str:
    """Return the text after the title, which some collections repeat there."""
    body = passage.text
    while passage.title and body.startswith(passage.title):
        body = body.removeprefix(passage.title).lstrip()
    return body


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text, each of `MIN_WORDS` words or more, with as many closed brackets as open ones.

    Shorter parts and parts inside brackets, such as the end of ``(e.g.``, stay with the sentence around them.
    """
    sentences: list[str] = []
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        part = text[start:end].strip()
        is_last = end == len(text)
        if part.count("(") > part.count(")") and not is_last:
            continue
        if len(part.split()) >= MIN_WORDS or (is_last and not sentences and part):
            sentences.append(part)
        elif part and sentences:
            sentences[-1] += f" {part}"
        else:
            continue  # a short beginning stays with the sentence after it
        start = end
    return sentences


GENERATORS["extract"] = Loader(
    "extract[:title,first,span]",
    "takes titles and sentences out of the passages, without a model",
    ExtractGenerator,
)
