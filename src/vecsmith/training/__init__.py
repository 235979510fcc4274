"""Training: one seeded loop, its loss and its relaxation, for codecs whose signs are learned (extra ``train``)."""

from vecsmith.training.loop import split, train, unit_rows
from vecsmith.training.losses import listwise
from vecsmith.training.relaxation import hard_sign, straight_through

__all__ = ["hard_sign", "listwise", "split", "straight_through", "train", "unit_rows"]
