"""Training options in the parentheses of a spec, such as ``autoencoder96:mlp1(learning_rate=0.001)``."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from vecsmith.errors import VecsmithError, unknown


@dataclass(frozen=True)
class Option:
    """A training option.

    Attributes
    ----------
    parse : callable
        Converts the text to a value, or raises `ValueError`.
    valid : callable
        Returns whether a value is allowed.
    allowed : str
        Description of the allowed values, for errors.
    """

    parse: Callable[[str], Any]
    valid: Callable[[Any], bool]
    allowed: str


RULES = ("or", "sum")
"""Rules for the bit of a group: one dimension is above its threshold, or the sum is above the sum of thresholds."""
LOSSES = ("listwise", "similarity", "contrastive")
"""Keys of `vecsmith.training.LOSSES`, repeated for the same reason as `RELAXATIONS`."""
RELAXATIONS = ("straight-through", "sigmoid", "saturating", "tanh", "gumbel")
"""Keys of `vecsmith.training.RELAXATIONS`, repeated because codecs do not import the training package."""

OPTIONS = {
    "steps": Option(int, lambda value: value >= 1, "a whole number of 1 or more"),
    "batch": Option(int, lambda value: value >= 2, "a whole number of 2 or more"),
    "learning_rate": Option(float, lambda value: 0 < value < math.inf, "a number above 0"),
    "weight_decay": Option(float, lambda value: 0 <= value < math.inf, "a number of 0 or more"),
    "starts": Option(int, lambda value: value >= 1, "a whole number of 1 or more"),
    "relaxation": Option(str, lambda value: value in RELAXATIONS, f"one of {', '.join(RELAXATIONS)}"),
    "loss": Option(str, lambda value: value in LOSSES, f"one of {', '.join(LOSSES)}"),
    "rule": Option(str, lambda value: value in RULES, f"one of {', '.join(RULES)}"),
}
"""All options, in the order of canonical specs."""


def parse_options(stage: str, text: str, accepted: Collection[str]) -> dict[str, Any]:
    """Parse options such as ``"learning_rate=0.001,steps=2000"`` to values by name, in canonical order.

    Parameters
    ----------
    stage : str
        Name of the stage, for errors.
    text : str
        The options, ``name=value``, separated by commas.
    accepted : collection of str
        Names of the options that the stage accepts.

    Raises
    ------
    VecsmithError
        If the stage does not accept an option, or a value is not allowed.
    """
    if not accepted:
        raise VecsmithError(f"{stage} takes no training options; leave out ({text}).")
    given: dict[str, Any] = {}
    for assignment in text.split(","):
        name, _, value = (part.strip() for part in assignment.partition("="))
        if name not in accepted:
            raise unknown(f"option of {stage}", name, accepted)
        if name in given:
            raise VecsmithError(f"{stage} is given the option {name} twice; give it once.")
        option = OPTIONS[name]
        try:
            given[name] = option.parse(value)
            valid = option.valid(given[name])
        except ValueError:
            valid = False
        if not valid:
            raise VecsmithError(f"The option {name} of {stage} must be {option.allowed}, not {value!r}.")
    return {name: given[name] for name in OPTIONS if name in given}
