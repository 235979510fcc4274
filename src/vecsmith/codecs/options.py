"""Training options: what a spec may say in parentheses, such as ``autoencoder96:mlp1(learning_rate=0.001)``."""

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
        From the text to the value; raises `ValueError`.
    valid : callable
        Whether a value is allowed.
    allowed : str
        The allowed values, in words.
    """

    parse: Callable[[str], Any]
    valid: Callable[[Any], bool]
    allowed: str


RELAXATIONS = ("straight-through", "sigmoid", "saturating", "tanh", "gumbel")
"""Relaxations of the sign, by their names in `vecsmith.training.RELAXATIONS`."""

OPTIONS = {
    "steps": Option(int, lambda value: value >= 1, "a whole number of 1 or more"),
    "batch": Option(int, lambda value: value >= 2, "a whole number of 2 or more"),
    "learning_rate": Option(float, lambda value: 0 < value < math.inf, "a number above 0"),
    "weight_decay": Option(float, lambda value: 0 <= value < math.inf, "a number of 0 or more"),
    "starts": Option(int, lambda value: value >= 1, "a whole number of 1 or more"),
    "relaxation": Option(str, lambda value: value in RELAXATIONS, f"one of {', '.join(RELAXATIONS)}"),
}
"""Every option, in the order of canonical specs."""


def parse_options(stage: str, text: str, taken: Collection[str]) -> dict[str, Any]:
    """Return the options in ``"learning_rate=0.001,steps=2000"`` by name, in canonical order.

    Parameters
    ----------
    stage : str
        The stage that they are given to, for errors.
    text : str
        Names and values.
    taken : collection of str
        Names of the options that the stage takes.

    Raises
    ------
    VecsmithError
        If the stage does not take an option, or a value is not allowed.
    """
    if not taken:
        raise VecsmithError(f"{stage} takes no training options; leave out ({text}).")
    given: dict[str, Any] = {}
    for assignment in text.split(","):
        name, _, value = (part.strip() for part in assignment.partition("="))
        if name not in taken:
            raise unknown(f"option of {stage}", name, taken)
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
