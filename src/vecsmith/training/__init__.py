"""Training: one seeded loop, its loss and its relaxation, for what is learned by gradients (extra ``train``)."""

from vecsmith.training.descent import Training, descend
from vecsmith.training.loop import split, train, unit_rows
from vecsmith.training.losses import listwise
from vecsmith.training.reduction import principal_directions, train_reducer
from vecsmith.training.relaxation import RELAXATIONS, hard_sign, straight_through

__all__ = [
    "RELAXATIONS",
    "Training",
    "descend",
    "hard_sign",
    "listwise",
    "principal_directions",
    "split",
    "straight_through",
    "train",
    "train_reducer",
    "unit_rows",
]
