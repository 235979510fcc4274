"""Specs of the retrievers that `compare` measures besides codecs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from vecsmith.errors import VecsmithError
from vecsmith.index import SHORTLIST
from vecsmith.index.bm25 import Bm25
from vecsmith.retrievers.reranking import CrossEncoderModel
from vecsmith.retrievers.stages import CrossEncoderStage, FusionStage, Stage, VectorStage
from vecsmith.retrievers.vector_sources import VectorSource

CROSS_ENCODER = "ce:"
"""Prefix of the spec of a cross-encoder."""


@dataclass(frozen=True)
class RetrieverSpecs:
    """Specs of the retrievers that `compare` measures besides codecs.

    Attributes
    ----------
    bm25 : str or None
        Spec of BM25 as a retriever by itself, such as ``bm25:stemmer=german,stopwords=german`` (see `Bm25`).
    hybrid : str or None
        Spec of BM25 with which every codec is fused.
    fusions : sequence of str
        Fusions to measure: ``rrf``, ``convex`` with a weight that is chosen on the ``dev`` or ``train`` queries, or
        ``convex:W`` with a given weight of the codec (see `Hybrid`).
    rerankers : sequence of str
        Rerankers to measure over every codec and over BM25: ``ce:MODEL``, or the spec of an encoder.
    depth : int
        Documents per query that are reranked.
    trust_remote_code : bool
        Whether a cross-encoder may run the Python code in its repository.
    """

    bm25: str | None = None
    hybrid: str | None = None
    fusions: Sequence[str] = ("rrf",)
    rerankers: Sequence[str] = ()
    depth: int = SHORTLIST
    trust_remote_code: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether only codecs are measured."""
        return self.bm25 is None and self.hybrid is None and not self.rerankers

    def check(self) -> None:
        """Check all specs, and that cross-encoders exist.

        Raises
        ------
        VecsmithError
            If a spec is invalid, a cross-encoder cannot be found, or `depth` is less than 1.
        """
        if self.depth < 1:
            raise VecsmithError(f"The number of documents that are reranked must be at least 1, not {self.depth}.")
        for stage in (*self.fusion_stages, *self._cross_encoders.values()):
            assert stage.settings
        assert self.lexical is None or self.lexical.spec

    @cached_property
    def lexical(self) -> Bm25 | None:
        """Parameters of BM25 as a retriever by itself."""
        return None if self.bm25 is None else Bm25.parse(self.bm25)

    @cached_property
    def fusion_stages(self) -> list[FusionStage]:
        """The fusions."""
        if self.hybrid is None:
            return []
        bm25 = Bm25.parse(self.hybrid)
        return [FusionStage.parse(fusion, bm25) for fusion in dict.fromkeys(self.fusions)]

    @property
    def encoders(self) -> list[str]:
        """Specs of the encoders whose vectors rerank."""
        return [spec for spec in dict.fromkeys(self.rerankers) if not spec.startswith(CROSS_ENCODER)]

    @cached_property
    def _cross_encoders(self) -> dict[str, CrossEncoderStage]:
        return {
            spec: CrossEncoderStage(cross_encoder(spec, self.trust_remote_code), self.depth)
            for spec in self.rerankers
            if spec.startswith(CROSS_ENCODER)
        }

    def reranking_stages(self, sources: Mapping[str, VectorSource]) -> Iterator[Stage]:
        """Yield the rerankers, with the vectors of each of `encoders`."""
        for spec in dict.fromkeys(self.rerankers):
            if spec in self._cross_encoders:
                yield self._cross_encoders[spec]
            else:
                yield VectorStage(spec, sources[spec], self.depth)


def cross_encoder(spec: str, trust_remote_code: bool = False) -> CrossEncoderModel:
    """Return the cross-encoder that a spec ``ce:MODEL`` names.

    Raises
    ------
    VecsmithError
        If the spec names no model.
    """
    name = spec.removeprefix(CROSS_ENCODER)
    if not name:
        raise VecsmithError("ce: names no cross-encoder; give ce:MODEL, a name on the Hugging Face hub or a folder.")
    return CrossEncoderModel(name, trust_remote_code)
