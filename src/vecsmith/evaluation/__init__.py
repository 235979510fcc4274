"""Evaluation: what may be fitted on what, the measurement of codecs on tasks, metrics and significance."""

from vecsmith.evaluation.metrics import DEPTH, Quality, evaluate
from vecsmith.evaluation.significance import paired_p_value, stratified_p_value

__all__ = ["DEPTH", "Quality", "evaluate", "paired_p_value", "stratified_p_value"]
