"""Studies: recipes that run an experiment and return Results."""

from vecsmith.studies.compare import compare

__all__ = ["compare"]
