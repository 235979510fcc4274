"""Evaluation: protocols, measurement of codecs and translators on tasks, metrics and significance tests."""

from vecsmith.evaluation.metrics import DEPTH, Quality, evaluate
from vecsmith.evaluation.significance import paired_p_value, stratified_p_value

__all__ = ["DEPTH", "Quality", "evaluate", "paired_p_value", "stratified_p_value"]
