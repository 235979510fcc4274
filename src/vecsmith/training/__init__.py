"""Training by gradients with PyTorch (extra ``train``): one loop, its losses, schedules and data splits."""

from vecsmith.training.candidates import Candidates
from vecsmith.training.codes import train_codes
from vecsmith.training.loop import Training, train
from vecsmith.training.losses import LOSSES, contrastive, listwise, similarity_preservation
from vecsmith.training.pairs import JudgedPairs
from vecsmith.training.pseudo_queries import unit_rows
from vecsmith.training.ranking_losses import RANKING_LOSSES
from vecsmith.training.reduction import principal_directions, train_reducer
from vecsmith.training.relaxation import RELAXATIONS, hard_sign, straight_through
from vecsmith.training.validation import split

__all__ = [
    "LOSSES",
    "RANKING_LOSSES",
    "RELAXATIONS",
    "Candidates",
    "JudgedPairs",
    "Training",
    "contrastive",
    "hard_sign",
    "listwise",
    "principal_directions",
    "similarity_preservation",
    "split",
    "straight_through",
    "train",
    "train_codes",
    "train_reducer",
    "unit_rows",
]
