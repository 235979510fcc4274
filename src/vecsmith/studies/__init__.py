"""Studies: recipes that run an experiment and return Results."""

from vecsmith.studies.compare import compare
from vecsmith.studies.quantization import quantization

STUDIES = {"quantization": quantization}
"""What ``vecsmith study`` runs, by name."""

__all__ = ["STUDIES", "compare", "quantization"]
