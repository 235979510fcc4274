"""Losses of the training of a model that sentence-transformers does not have, and its own."""

from typing import Any

from vecsmith.errors import require


def library() -> Any:
    """Return the module of sentence-transformers that has its losses.

    Raises
    ------
    VecsmithError
        If sentence-transformers is not installed, or older than 6.0.
    """
    return require("sentence_transformers.sentence_transformer.losses", "tune")
