"""Studies: recipes that run an experiment and return what it finds."""

from vecsmith.studies.compare import compare
from vecsmith.studies.findings import Findings, Table, summary
from vecsmith.studies.promise import promise
from vecsmith.studies.quantization import quantization

STUDIES = {"quantization": quantization, "promise": promise}
"""What ``vecsmith study`` runs, by name."""

__all__ = ["STUDIES", "Findings", "Table", "compare", "promise", "quantization", "summary"]
