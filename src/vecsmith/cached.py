"""A base class that leaves cached properties out of pickles and copies."""

from functools import cached_property
from typing import Any


class DropsCache:
    """Omits cached properties from pickles and copies, since they may hold FAISS indexes and functions."""

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in vars(self).items()
            if not isinstance(getattr(type(self), name, None), cached_property)
        }
