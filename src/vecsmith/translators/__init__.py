"""Translators map the vectors of one embedding model into the space of another."""

from vecsmith.embeddings import Pairs, join
from vecsmith.translators.base import TRANSLATORS, Translator
from vecsmith.translators.calibration import ScoreCalibration
from vecsmith.translators.sets import (
    complete_set,
    fit_sets,
    query_encoder,
    translate_queries,
    translate_set,
)
from vecsmith.translators.spec import is_translator, load_translator, translator

__all__ = [
    "TRANSLATORS",
    "Pairs",
    "ScoreCalibration",
    "Translator",
    "complete_set",
    "fit_sets",
    "is_translator",
    "join",
    "load_translator",
    "query_encoder",
    "translate_queries",
    "translate_set",
    "translator",
]
