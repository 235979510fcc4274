"""Rerankers: the first documents of a retriever, reordered by a cross-encoder or by the vectors of another encoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from vecsmith.array_types import Floats, RowMask, RowNumbers
from vecsmith.encoders import Encoder
from vecsmith.encoders.model_files import LOADING_ERRORS, ModelFiles, first_line
from vecsmith.errors import VecsmithError, require
from vecsmith.index import SHORTLIST, score_shortlist
from vecsmith.index.tie_order import ROUNDING, sort_by_score
from vecsmith.retrievers.base import Embed, Retriever

Scale = Literal["logit", "probability"]
SCALES: dict[Scale, str] = {"logit": "Identity", "probability": "Sigmoid"}
"""Modules of torch that turn a cross-encoder's output into a score of each scale."""


class Scorer(ABC):
    """Scores the candidates of queries.

    Attributes
    ----------
    bytes_per_document : int
        Bytes per document that the scorer stores, besides the texts.
    tolerance : float
        Maximum difference of equal scores due to rounding.
    """

    bytes_per_document: int = 0
    tolerance: float = 0.0

    @abstractmethod
    def score(self, queries: Sequence[str], rows: RowNumbers) -> Floats:
        """Return the scores (m, c) of the candidates `rows` (m, c) of m queries; −inf where a row is −1."""

    def content_of(self, row: int) -> object:
        """Return the content that determines the score of a document, besides the query."""
        return row


class Reranker(Retriever):
    """Reorders the first documents of a retriever.

    The order of the other documents does not change; their scores are shifted below the scores of the reranked ones.

    Parameters
    ----------
    first : Retriever
        The retriever of the candidates.
    scorer : Scorer
        Scores the candidates.
    depth : int
        Documents per query that are reordered.

    Raises
    ------
    VecsmithError
        If `depth` is less than 1. A search raises it if the scorer returns NaN.
    """

    def __init__(self, first: Retriever, scorer: Scorer, depth: int = SHORTLIST) -> None:
        if depth < 1:
            raise VecsmithError(f"The number of documents that are reranked must be at least 1, not {depth}.")
        self.first, self.scorer, self.depth = first, scorer, depth
        self.rank_of = first.rank_of
        self.lexical_bytes_per_document = first.lexical_bytes_per_document
        self.rescore_bytes_per_document = first.rescore_bytes_per_document + scorer.bytes_per_document

    def _search(self, queries: Sequence[str], k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        scores, rows = self.first.search(queries, max(k, self.depth), allowed)
        if not rows.shape[1]:
            return scores, rows
        candidates = rows[:, : self.depth]
        exact = self.scorer.score(queries, candidates)
        exact, candidates = sort_by_score(
            exact, candidates, self.rank_of, self.scorer.content_of, self.scorer.tolerance
        )
        with np.errstate(invalid="ignore"):  # −inf minus −inf at empty places
            shifted = scores[:, self.depth :] - scores[:, :1] + exact[:, -1:]
        rest = np.where(rows[:, self.depth :] >= 0, shifted, -np.inf)
        scores, rows = np.hstack([exact, rest]), np.hstack([candidates, rows[:, self.depth :]])
        return scores[:, :k].astype(np.float32), rows[:, :k]


class TextScorer(Scorer):
    """Scores the candidates of queries by their texts.

    Queries are scored one at a time, so that a score does not depend on the batch. Equal texts are scored once.

    Parameters
    ----------
    texts : sequence of str, or None
        Texts of all documents, row by row, such as ``index.rows.texts``.

    Raises
    ------
    VecsmithError
        If `texts` is None: the documents have no texts.
    """

    def __init__(self, texts: Sequence[str] | None) -> None:
        if texts is None:
            raise VecsmithError("The documents have no texts, which a reranker reads; embed texts and encode them.")
        self.texts = texts

    def score(self, queries: Sequence[str], rows: RowNumbers) -> Floats:
        scores = np.full(rows.shape, -np.inf, np.float32)
        for place, query in enumerate(queries):
            found = rows[place] >= 0
            texts = [self.texts[row] for row in rows[place][found].tolist()]
            if texts:
                distinct = list(dict.fromkeys(texts))
                score_of = dict(zip(distinct, self.score_texts(query, distinct), strict=True))
                scores[place, found] = [score_of[text] for text in texts]
        return scores

    @abstractmethod
    def score_texts(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Return the score of each text for a query."""


class CrossEncoderScorer(TextScorer):
    """A cross-encoder of sentence-transformers, which reads a query and a document together.

    Parameters
    ----------
    model : CrossEncoderModel
        The model.
    texts : sequence of str, or None
        As for `TextScorer`.

    References
    ----------
    Nogueira and Cho 2019, Passage re-ranking with BERT, https://arxiv.org/abs/1901.04085
    """

    def __init__(self, model: "CrossEncoderModel", texts: Sequence[str] | None) -> None:
        super().__init__(texts)
        self.model = model

    def score_texts(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        return self.model.score(query, texts)


class EncoderScorer(TextScorer):
    """Cosines with the vectors of another encoder, which embeds the candidates of each query.

    No vectors are stored, unlike for `VectorScorer`.

    Parameters
    ----------
    encoder : Encoder
        The encoder.
    texts : sequence of str, or None
        As for `TextScorer`.
    """

    def __init__(self, encoder: Encoder, texts: Sequence[str] | None) -> None:
        super().__init__(texts)
        self.encoder = encoder

    def score_texts(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        (vector,) = self.encoder.encode([query], "query")
        cosines: list[float] = (self.encoder.encode(texts, "passage") @ vector).tolist()
        return cosines


class CrossEncoderModel:
    """A cross-encoder from the Hugging Face hub or a folder, which is loaded when it scores the first pair.

    Parameters
    ----------
    name : str
        A name on the hub (a name without an organization means ``cross-encoder/NAME``), or a folder.
    trust_remote_code : bool
        Whether the model may run the Python code in its repository.
    """

    def __init__(self, name: str, trust_remote_code: bool = False) -> None:
        self.files = ModelFiles(name, "cross-encoder")
        self.trust_remote_code = trust_remote_code

    @property
    def spec(self) -> str:
        """The spec, ``ce:NAME``."""
        return f"ce:{self.files.name}"

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return the score of each text for a query.

        Raises
        ------
        VecsmithError
            If the model fails, or returns a score that is not finite.
        """
        return self.score_pairs([(query, text) for text in texts])

    def score_pairs(self, pairs: Sequence[tuple[str, str]], scale: Scale | None = None) -> list[float]:
        """Return the score of each pair of a query and a text.

        Parameters
        ----------
        pairs : sequence of (str, str)
            The pairs.
        scale : {"logit", "probability"}, optional
            Return the model's output as it is, or its sigmoid; by default what the model's configuration says.

        Raises
        ------
        VecsmithError
            If the model fails, or returns a score that is not finite.
        """
        activation = {} if scale is None else {"activation_fn": getattr(require("torch", "models").nn, SCALES[scale])()}
        try:
            scores = self._model.predict(list(pairs), show_progress_bar=False, **activation)
        except (RuntimeError, IndexError) as error:
            raise VecsmithError(f"{self.spec} failed ({first_line(error)}); score fewer texts.") from error
        bad = np.flatnonzero(~np.isfinite(scores))
        if len(bad):
            query, text = pairs[bad[0]]
            raise VecsmithError(
                f"{self.spec} returned {scores[bad[0]]} for the query {query!r} and the text {text[:40]!r}; use "
                "another cross-encoder."
            )
        return [float(score) for score in scores]

    @cached_property
    def _model(self) -> Any:
        library = require("sentence_transformers", "models")
        try:
            model = library.CrossEncoder(
                self.files.name, revision=self.files.hub_revision, trust_remote_code=self.trust_remote_code
            )
        except LOADING_ERRORS as error:
            raise VecsmithError(
                f"The cross-encoder {self.files.name} cannot be loaded ({first_line(error)}); check that its files are "
                "complete."
            ) from error
        if model.num_labels != 1:
            raise VecsmithError(
                f"{self.spec} returns {model.num_labels} scores per pair of texts; use a cross-encoder with one score."
            )
        return model


class VectorScorer(Scorer):
    """Inner products with the vectors of another encoder.

    Parameters
    ----------
    documents : ndarray of shape (n, e), float32
        Unit vectors of all documents, which may be memory-mapped.
    embed : callable
        Returns the unit vectors (m, e) of the texts of m queries, by the same encoder.
    """

    tolerance = ROUNDING

    def __init__(self, documents: Floats, embed: Embed) -> None:
        self.documents, self.embed = documents, embed
        self.bytes_per_document = 4 * documents.shape[1]

    def score(self, queries: Sequence[str], rows: RowNumbers) -> Floats:
        return score_shortlist(self.embed(queries), rows, lambda chosen: self.documents[chosen])

    def content_of(self, row: int) -> object:
        return self.documents[max(row, 0)].tobytes()
