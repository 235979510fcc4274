"""Studies: experiments that measure codecs or translators and return tables."""

from vecsmith.studies.autoencoder_dimensions import autoencoder_dimensions
from vecsmith.studies.config import StudyConfig
from vecsmith.studies.fusion import fusion
from vecsmith.studies.matryoshka import matryoshka
from vecsmith.studies.migration import migration
from vecsmith.studies.promise import promise
from vecsmith.studies.quantization import quantization
from vecsmith.studies.small_to_large import small_to_large
from vecsmith.studies.translators import translators

STUDIES = {
    "quantization": quantization,
    "promise": promise,
    "autoencoder-dimensions": autoencoder_dimensions,
    "fusion": fusion,
    "small-to-large": small_to_large,
    "matryoshka-versus-autoencoder": matryoshka,
    "translators": translators,
    "migration": migration,
}
"""The studies of ``vecsmith study``, by name."""

__all__ = [
    "STUDIES",
    "StudyConfig",
    "autoencoder_dimensions",
    "fusion",
    "matryoshka",
    "migration",
    "promise",
    "quantization",
    "small_to_large",
    "translators",
]
