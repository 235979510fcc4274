"""Reducers that are trained by gradients."""

from abc import abstractmethod
from typing import Self

from vecsmith.codecs.base import Floats, Reducer


class Trained(Reducer):
    """A reducer that learns from some vectors, and by others, held out, from which state of its training to take."""

    @property
    def trains(self) -> bool:
        """Whether it is trained at all; if not, no vectors are held out, and those for validation are not looked at."""
        return True

    def fit(self, X: Floats, seed: int = 0, validation: Floats | None = None) -> Self:
        """Learn from the vectors `X` (n, d) and return the stage.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32
        seed : int
        validation : ndarray of shape (m, d), float32, optional
            Held out, instead of a tenth of `X`.

        Raises
        ------
        VecsmithError
            If the parameters do not suit n or d.
        """
        # training is to the right of codecs and needs torch: imported for fitting alone
        from vecsmith.training import split

        self.input_dimensions_ = X.shape[1]
        self._train(X, *split(X, seed, validation), seed)
        return self

    def _fit(self, X: Floats, seed: int) -> None:
        self.fit(X, seed)

    @abstractmethod
    def _train(self, X: Floats, training: Floats, held_out: Floats, seed: int) -> None:
        """Set the attributes of `state`; directions may be those of all of X."""
