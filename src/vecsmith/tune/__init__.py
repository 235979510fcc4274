"""Tune vectors on relevance judgements, and measure the gain before it is saved."""

from vecsmith.tune.adapter import TunedAdapter, tune_adapter
from vecsmith.tune.verdict import Verdict

__all__ = ["TunedAdapter", "Verdict", "tune_adapter"]
