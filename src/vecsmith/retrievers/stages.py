"""Second stages by their specs: the fusion with BM25, and rerankers; each turns a retriever into another."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any, ClassVar, Literal

from filelock import FileLock

from vecsmith.errors import VecsmithError, unknown
from vecsmith.files import cache_folder, fingerprint, remove, replacing_folder
from vecsmith.index import SHORTLIST
from vecsmith.index.bm25 import Bm25, LexicalIndex
from vecsmith.retrievers.base import LexicalRetriever, Retriever
from vecsmith.retrievers.fusion import Hybrid, check_weight
from vecsmith.retrievers.reranking import CrossEncoderModel, CrossEncoderScorer, Reranker, VectorScorer
from vecsmith.retrievers.vector_sources import VectorSource
from vecsmith.tasks import Texts

BM25_PACKAGES = ("bm25s", "PyStemmer")


class Stage(ABC):
    """A second stage of retrieval: a fusion or a reranker after the first retriever of a corpus.

    Attributes
    ----------
    label : str
        A short name for tables, such as ``rrf``.
    packages : tuple of str
        Packages whose versions the scores depend on.
    rescore_bytes_per_document : int
        Bytes per document of the vectors that rerank.
    """

    label: str
    packages: ClassVar[tuple[str, ...]] = ()
    rescore_bytes_per_document: int = 0

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """All settings that the scores depend on; JSON-serializable."""

    @abstractmethod
    def over(self, first: Retriever, corpus: Texts) -> Retriever:
        """Return the retriever that this stage makes of the first retriever of a corpus."""


@dataclass(frozen=True)
class FusionStage(Stage):
    """The fusion with BM25 (see `Hybrid`).

    Attributes
    ----------
    bm25 : Bm25
        Parameters of BM25.
    weight : float, "chosen" or None
        Weight of the first retriever in the convex combination; None for reciprocal rank fusion; ``"chosen"`` for a
        weight that `compare` chooses on the ``dev`` or ``train`` queries.
    chosen_on : str
        The split on whose queries the weight was chosen; empty for a given weight.

    Raises
    ------
    VecsmithError
        If the weight is not from 0 to 1.
    """

    packages = BM25_PACKAGES
    bm25: Bm25
    weight: float | Literal["chosen"] | None = None
    chosen_on: str = ""

    def __post_init__(self) -> None:
        if self.weight != "chosen":
            check_weight(self.weight)

    @classmethod
    def parse(cls, fusion: str, bm25: Bm25) -> "FusionStage":
        """Return the stage of a fusion by its spec: ``rrf``, ``convex``, or ``convex:W`` with a weight from 0 to 1.

        Raises
        ------
        VecsmithError
            If the fusion is unknown, or the weight is not a number from 0 to 1.
        """
        name, colon, weight = fusion.partition(":")
        if name not in ("rrf", "convex") or (colon and name == "rrf"):
            raise unknown("fusion", fusion, ["rrf", "convex", "convex:WEIGHT"])
        if not colon:
            return cls(bm25, None if name == "rrf" else "chosen")
        try:
            return cls(bm25, float(weight))
        except ValueError as error:
            raise VecsmithError(f"The weight of {fusion} must be a number from 0 to 1, not {weight!r}.") from error

    @property
    def label(self) -> str:  # type: ignore[override]
        """``rrf``, ``convex`` with a chosen weight, or ``convex:W`` with a given one."""
        if self.weight is None:
            return "rrf"
        return "convex" if self.weight == "chosen" or self.chosen_on else f"convex:{self.weight:g}"

    @property
    def settings(self) -> Mapping[str, Any]:
        fusion = self.label.partition(":")[0]
        return {"fusion": fusion, "weight": self.weight, "chosen_on": self.chosen_on, **asdict(self.bm25)}

    def with_weight(self, weight: float, chosen_on: str = "") -> "FusionStage":
        """Return the stage with another weight."""
        return replace(self, weight=weight, chosen_on=chosen_on)

    def over(self, first: Retriever, corpus: Texts) -> Retriever:
        if self.weight == "chosen":
            raise VecsmithError("The weight of the convex combination is not chosen yet; give a number from 0 to 1.")
        return Hybrid(first, self.lexical(first, corpus), self.weight)

    def lexical(self, first: Retriever, corpus: Texts) -> LexicalRetriever:
        """Return BM25 over a corpus, with the ties of the first retriever."""
        return LexicalRetriever(cached_lexical_index(corpus, self.bm25), first.rank_of)


@dataclass(frozen=True)
class CrossEncoderStage(Stage):
    """Reranking by a cross-encoder.

    Attributes
    ----------
    model : CrossEncoderModel
        The model.
    depth : int
        Documents per query that are reranked.
    """

    packages = ("sentence-transformers", "transformers", "torch")
    model: CrossEncoderModel
    depth: int = SHORTLIST

    @property
    def label(self) -> str:  # type: ignore[override]
        """The last part of the model's name."""
        return self.model.files.name.rstrip("/").rpartition("/")[2]

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"reranker": self.model.spec, "reranker_revision": self.model.files.revision, "depth": self.depth}

    def over(self, first: Retriever, corpus: Texts) -> Retriever:
        return Reranker(first, CrossEncoderScorer(self.model, corpus.texts), self.depth)


@dataclass(frozen=True)
class VectorStage(Stage):
    """Reranking by the float vectors of another encoder.

    Attributes
    ----------
    spec : str
        Spec of the encoder.
    source : VectorSource
        Its vectors.
    depth : int
        Documents per query that are reranked.
    """

    spec: str
    source: VectorSource
    depth: int = SHORTLIST

    @property
    def label(self) -> str:  # type: ignore[override]
        """The last part of the encoder's name."""
        return self.spec.partition(":")[2].rstrip("/").rpartition("/")[2] or self.spec

    @property
    def rescore_bytes_per_document(self) -> int:  # type: ignore[override]
        """Bytes of a float32 vector."""
        return 4 * self.source.dimensions

    @property
    def settings(self) -> Mapping[str, Any]:
        provenances = [asdict(self.source.provenance(side)) for side in ("query", "passage")]
        return {"reranker": self.spec, "reranker_revision": fingerprint(provenances), "depth": self.depth}

    def over(self, first: Retriever, corpus: Texts) -> Retriever:
        documents = self.source.embed(corpus, "passage")
        return Reranker(first, VectorScorer(documents, self.source.embed_queries), self.depth)


def cached_lexical_index(corpus: Texts, bm25: Bm25) -> LexicalIndex:
    """Return the lexical index of a corpus, memory-mapped, from the cache or built for it.

    Raises
    ------
    VecsmithError
        If no document has a term.
    """
    key = fingerprint([corpus.content_hash, asdict(bm25), [version(name) for name in BM25_PACKAGES]])
    path = cache_folder() / "lexical" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{key}.lock")):
        if path.is_dir():
            try:
                return LexicalIndex.open(path)
            except VecsmithError:  # damaged
                remove(path)
        with replacing_folder(path) as staging:
            LexicalIndex.build(corpus.texts, bm25).write(staging)
        return LexicalIndex.open(path)
