"""The conventions of scikit-learn's estimators, without a dependency on it."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np

from vecsmith.codecs.stages import Floats
from vecsmith.embeddings import VectorsLike
from vecsmith.errors import VecsmithError


class Estimator(ABC):
    """Base class that makes a codec a scikit-learn transformer, for `clone`, pipelines and parameter searches.

    References
    ----------
    https://scikit-learn.org/stable/developers/develop.html
    """

    spec: str
    seed: int

    def __init__(self, spec: str, seed: int = 0) -> None:
        self.spec = spec
        self.seed = seed

    @abstractmethod
    def fit(self, X: VectorsLike, y: object = None) -> Self:
        """Learn from vectors (n, d) and return the estimator."""

    @abstractmethod
    def transform(self, X: VectorsLike) -> Floats:
        """Reduce vectors (n, d) to (n, k)."""

    def fit_transform(self, X: VectorsLike, y: object = None) -> Floats:
        """Fit to vectors (n, d) and return the reduced vectors (n, k), float32; `y` is ignored."""
        return self.fit(X).transform(X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the constructor by name; `deep` is ignored."""
        return {"spec": self.spec, "seed": self.seed}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters of the constructor and return the estimator, which loses its fitted attributes.

        Raises
        ------
        VecsmithError
            If there is no such parameter, or the spec is invalid.
        """
        unknown = set(parameters) - {"spec", "seed"}
        if unknown:
            raise VecsmithError(f"{self!r} has no parameter {min(unknown)!r}; it has spec and seed.")
        new = type(self)(**{**self.get_params(), **parameters})
        vars(self).clear()
        vars(self).update(vars(new))
        return self

    @abstractmethod
    def __sklearn_is_fitted__(self) -> bool: ...

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[np.dtype(np.float32).name]),
            input_tags=InputTags(),
        )
