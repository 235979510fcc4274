"""Studies: experiments that measure codecs or translators and return tables."""

from vecsmith.studies.autoencoder_dimensions import autoencoder_dimensions
from vecsmith.studies.binary_training import binary_training
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.draft import Draft
from vecsmith.studies.fusion import fusion
from vecsmith.studies.matryoshka import matryoshka
from vecsmith.studies.migration import migration
from vecsmith.studies.outline import OUTLINES, Outline, study_article
from vecsmith.studies.promise import promise
from vecsmith.studies.quantization import quantization
from vecsmith.studies.small_to_large import small_to_large
from vecsmith.studies.translators import translators

__all__ = [
    "OUTLINES",
    "STUDIES",
    "Draft",
    "Outline",
    "StudyConfig",
    "autoencoder_dimensions",
    "binary_training",
    "fusion",
    "matryoshka",
    "migration",
    "promise",
    "quantization",
    "small_to_large",
    "study_article",
    "translators",
]
