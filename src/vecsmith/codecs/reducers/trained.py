"""Reducers that are trained by gradients."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

from vecsmith.codecs.stages import Floats, Reducer

if TYPE_CHECKING:
    from vecsmith.training import Training


class Trained(Reducer):
    """A reducer that learns from some vectors, and by others, held out, from which state of its training to take."""

    takes: tuple[str, ...] = ("steps", "batch", "learning_rate", "weight_decay")

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

    def _how(self, **defaults: Any) -> "Training":
        """Return how it is trained: by defaults other than those of `Training`, and the options of the spec."""
        from vecsmith.training import Training

        # the steps that a user gives are not lowered for few vectors
        epochs = {"epochs": None} if "steps" in self.options else {}
        return Training(**{**defaults, **epochs, **self.options})

    @abstractmethod
    def _train(self, X: Floats, training: Floats, held_out: Floats, seed: int) -> None:
        """Set the attributes of `state`; directions may be those of all of X."""
