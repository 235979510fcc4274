"""Objects whose cached properties are computed again after pickling and copying."""

from functools import cached_property
from typing import Any


class DropsCache:
    """Leaves its cached properties out of pickles and copies: they may hold FAISS indexes and functions."""

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in vars(self).items()
            if not isinstance(getattr(type(self), name, None), cached_property)
        }
