"""Retrievers: an index, BM25, a fusion of two retrievers, and a reranker over one."""

from vecsmith.index.bm25 import Bm25, LexicalIndex
from vecsmith.retrievers.base import IndexRetriever, LexicalRetriever, Retriever
from vecsmith.retrievers.fusion import Hybrid
from vecsmith.retrievers.reranking import (
    CrossEncoderModel,
    CrossEncoderScorer,
    EncoderScorer,
    Reranker,
    VectorScorer,
)
from vecsmith.retrievers.specs import RetrieverSpecs
from vecsmith.retrievers.stages import CrossEncoderStage, FusionStage, Stage, VectorStage

__all__ = [
    "Bm25",
    "CrossEncoderModel",
    "CrossEncoderScorer",
    "CrossEncoderStage",
    "EncoderScorer",
    "FusionStage",
    "Hybrid",
    "IndexRetriever",
    "LexicalIndex",
    "LexicalRetriever",
    "Reranker",
    "Retriever",
    "RetrieverSpecs",
    "Stage",
    "VectorScorer",
    "VectorStage",
]
