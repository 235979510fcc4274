"""Retrievers: an index, BM25, a fusion of two retrievers, and a reranker over one."""

from vecsmith.retrievers.base import IndexRetriever, LexicalRetriever, Retriever
from vecsmith.retrievers.fusion import Hybrid
from vecsmith.retrievers.reranking import CrossEncoderScorer, Reranker, VectorScorer
from vecsmith.retrievers.stages import CrossEncoderStage, FusionStage, Stage, VectorStage

__all__ = [
    "CrossEncoderScorer",
    "CrossEncoderStage",
    "FusionStage",
    "Hybrid",
    "IndexRetriever",
    "LexicalRetriever",
    "Reranker",
    "Retriever",
    "Stage",
    "VectorScorer",
    "VectorStage",
]
