"""Tune vectors on relevance judgements, and measure the gain before it is saved."""

from vecsmith.tune.adapter import TunedAdapter, tune_adapter
from vecsmith.tune.distillation import DistilledAdapter, distill_adapter
from vecsmith.tune.examples import TrainingExamples
from vecsmith.tune.model import TunedModel, tune_model
from vecsmith.tune.model_options import ModelTuning
from vecsmith.tune.verdict import Verdict

__all__ = [
    "DistilledAdapter",
    "ModelTuning",
    "TrainingExamples",
    "TunedAdapter",
    "TunedModel",
    "Verdict",
    "distill_adapter",
    "tune_adapter",
    "tune_model",
]
