"""BM25: its parameters, and a lexical index that scores documents by the terms that they share with a query."""

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from vecsmith.array_types import Floats, RowMask, RowNumbers
from vecsmith.errors import VecsmithError, VecsmithWarning, require, unknown
from vecsmith.index.tie_order import RankOf, best_first

VARIANTS = ("lucene", "robertson", "atire", "bm25l", "bm25+")
"""Variants of the formula (Kamphuis et al. 2020)."""
NONE = "none"
STOPWORDS = (
    *("english", "english_plus", "german", "dutch", "french", "spanish", "portuguese", "italian", "russian", "swedish"),
    *("norwegian", "danish", "turkish", "chinese", "korean", NONE),
)
"""Lists of stop words that bm25s has; ``none`` keeps all words."""
OPTIONS_FILE = "bm25.json"


@dataclass(frozen=True)
class Bm25:
    """Parameters of BM25, written ``bm25`` or ``bm25:k1=1.2,stemmer=german,stopwords=german``.

    Attributes
    ----------
    k1 : float
        Saturation of the term frequency.
    b : float
        Normalization by document length, from 0 to 1.
    variant : {"lucene", "robertson", "atire", "bm25l", "bm25+"}
        Variant of the formula.
    stopwords : str
        A language of `STOPWORDS`, whose stop words are left out; or ``none``.
    stemmer : str
        A Snowball stemmer by name, such as ``english``; or ``none``.

    Raises
    ------
    VecsmithError
        If a parameter is out of range or unknown, or bm25s or PyStemmer is not installed.

    References
    ----------
    Robertson and Zaragoza 2009, The probabilistic relevance framework. Kamphuis, de Vries, Boytsov and Lin 2020, Which
    BM25 do you mean?, ECIR. Lù 2024, BM25S, https://arxiv.org/abs/2407.03618.
    """

    k1: float = 1.5
    b: float = 0.75
    variant: str = "lucene"
    stopwords: str = "english"
    stemmer: str = "english"

    def __post_init__(self) -> None:
        if not (self.k1 >= 0 and math.isfinite(self.k1)):
            raise VecsmithError(f"k1 of BM25 must be a number from 0 on, not {self.k1:g}.")
        if not 0 <= self.b <= 1:
            raise VecsmithError(f"b of BM25 must be from 0 to 1, not {self.b:g}.")
        if self.variant not in VARIANTS:
            raise unknown("variant of BM25", self.variant, VARIANTS)
        for key, name, known in (
            ("stopwords", self.stopwords, STOPWORDS),
            ("stemmer", self.stemmer, [*require("Stemmer", "lexical").algorithms(), NONE]),
        ):
            if name not in known:
                raise VecsmithError(f"BM25 has no {key} {name!r}; give {key}=none, or one of {', '.join(known)}.")

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Return the parameters that a spec names.

        Raises
        ------
        VecsmithError
            If the spec does not start with ``bm25``, or a parameter is unknown, given twice or out of range.
        """
        name, _, rest = spec.partition(":")
        if name != "bm25":
            raise unknown("lexical retriever", name, ["bm25"])
        types = {field.name: field.type for field in fields(cls)}
        given: dict[str, Any] = {}
        for part in filter(None, rest.split(",")):
            key, _, value = (text.strip() for text in part.partition("="))
            if key not in types:
                raise unknown("parameter of BM25", key, types)
            if key in given:
                raise VecsmithError(f"{spec} gives {key} twice; give it once.")
            try:
                given[key] = float(value) if types[key] is float else value
            except ValueError as error:
                raise VecsmithError(f"{key} of BM25 must be a number, not {value!r}.") from error
        return cls(**given)

    @property
    def spec(self) -> str:
        """The spec with all parameters."""
        numbers = f"k1={self.k1:g},b={self.b:g},variant={self.variant}"
        return f"bm25:{numbers},stopwords={self.stopwords},stemmer={self.stemmer}"

    def tokenize(self, texts: Sequence[str]) -> Any:
        """Return bm25s' ``Tokenized`` of texts: lower case, without stop words, stemmed."""
        stemmer = None if self.stemmer == NONE else require("Stemmer", "lexical").Stemmer(self.stemmer)
        return require("bm25s", "lexical").tokenize(
            list(texts),
            stopwords=None if self.stopwords == NONE else self.stopwords,
            stemmer=stemmer,
            show_progress=False,
        )


class LexicalIndex:
    """BM25 scores of every term in every document, as a sparse matrix that bm25s makes.

    The statistics are those of all its documents. A search that allows only some of them does not change these.

    Parameters
    ----------
    options : Bm25
        The parameters.
    scorer : bm25s.BM25
        bm25s' index.
    """

    def __init__(self, options: Bm25, scorer: Any) -> None:
        self.options = options
        self._scorer = scorer

    def __len__(self) -> int:
        return int(self._scorer.scores["num_docs"])

    def __repr__(self) -> str:
        return f"LexicalIndex({len(self)} documents, {self.options.spec})"

    @classmethod
    def build(cls, texts: Sequence[str], options: Bm25) -> Self:
        """Index the texts of all documents, row by row.

        Raises
        ------
        VecsmithError
            If no text has a term.
        """
        tokenized = options.tokenize(texts)
        if not tokenized.vocab:
            raise VecsmithError(f"No document has a term for {options.spec}; give other stop words, or other texts.")
        # bm25s numbers the terms in the order of a set, which differs from process to process
        vocabulary = {term: number for number, term in enumerate(sorted(tokenized.vocab))}
        number_of = {old: vocabulary[term] for term, old in tokenized.vocab.items()}
        documents = [[number_of[term] for term in terms] for terms in tokenized.ids]
        scorer = require("bm25s", "lexical").BM25(k1=options.k1, b=options.b, method=options.variant)
        scorer.index((documents, vocabulary), create_empty_token=False, show_progress=False)
        return cls(options, scorer)

    @property
    def bytes_per_document(self) -> float:
        """Bytes of the sparse matrix, divided by the number of documents."""
        return float(sum(self._scorer.scores[name].nbytes for name in ("data", "indices", "indptr")) / len(self))

    def search(
        self, queries: Sequence[str], k: int, allowed: RowMask | None = None, rank_of: RankOf = np.asarray
    ) -> tuple[Floats, RowNumbers]:
        """Return the best k documents of each query that share a term with it.

        Parameters
        ----------
        queries : sequence of str
            Texts of m queries.
        k : int
            Documents per query.
        allowed : ndarray of shape (n,), bool, optional
            Mask of the documents that may be returned.
        rank_of : callable
            Returns the position of each row number among documents with equal scores; the row number by default.

        Returns
        -------
        scores, rows : ndarray of shape (m, k), float32 and int64
            Best first; −inf and −1 where fewer than k documents share a term with the query.
        """
        k = min(k, len(self))
        scores, rows = np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        without_terms = 0
        tokenized = self.options.tokenize(queries)
        terms = {number: self._scorer.vocab_dict.get(term) for term, number in tokenized.vocab.items()}
        for place, query in enumerate(tokenized.ids):
            known = [terms[number] for number in query if terms[number] is not None]
            without_terms += not known
            matching = self._matching(known)
            if allowed is not None:
                matching &= allowed
            found = np.flatnonzero(matching)
            if len(found):
                values = self._scorer.get_scores_from_ids(known)[found]
                best, which = best_first(values, found, rank_of, k)
                scores[place, : len(best)], rows[place, : len(best)] = best, which
        if without_terms:
            warnings.warn(
                f"BM25 finds nothing for {without_terms} of {len(queries)} queries: no document has a term of them.",
                VecsmithWarning,
                stacklevel=2,
            )
        return scores, rows

    def _matching(self, terms: Sequence[int]) -> RowMask:
        """Return the mask (n,) of the documents that have one of these terms."""
        matrix = self._scorer.scores
        mask = np.zeros(len(self), np.bool_)
        for term in terms:
            mask[matrix["indices"][matrix["indptr"][term] : matrix["indptr"][term + 1]]] = True
        return mask

    def write(self, folder: Path) -> list[str]:
        """Write the index to a new folder, and return the names of its files."""
        self._scorer.save(folder, show_progress=False)
        (folder / OPTIONS_FILE).write_text(json.dumps(asdict(self.options)), encoding="utf-8")
        return sorted(path.name for path in folder.iterdir())

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a folder that `write` wrote; the matrix stays on disk, and the vocabulary is read.

        Raises
        ------
        VecsmithError
            If the folder is incomplete, or bm25s is not installed.
        """
        try:
            options = Bm25(**json.loads((folder / OPTIONS_FILE).read_text(encoding="utf-8")))
            scorer = require("bm25s", "lexical").BM25.load(folder, mmap=True, show_progress=False)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise VecsmithError(f"{folder} does not hold a lexical index ({error}); write it again.") from error
        return cls(options, scorer)
