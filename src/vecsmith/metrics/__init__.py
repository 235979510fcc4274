"""Metrics: rankings → figures."""

from vecsmith.metrics.retrieval import DEPTH, Quality, evaluate
from vecsmith.metrics.significance import paired_p_value, stratified_p_value

__all__ = ["DEPTH", "Quality", "evaluate", "paired_p_value", "stratified_p_value"]
