"""Reducers that are trained by gradients."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

from vecsmith.array_types import Floats
from vecsmith.codecs.stages import Reducer

if TYPE_CHECKING:
    from vecsmith.training import Training


class Trained(Reducer):
    """Base class of reducers that are trained by gradients and selected by the loss on a validation set."""

    takes: tuple[str, ...] = ("steps", "batch", "learning_rate", "weight_decay")

    @property
    def trains(self) -> bool:
        """Whether `fit` trains by gradients, and so uses validation vectors."""
        return True

    def fit(self, X: Floats, seed: int = 0, validation: Floats | None = None) -> Self:
        """Learn from the vectors `X` (n, d) and return the stage.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32
            Training vectors.
        seed : int
            Seed of the validation split and the training.
        validation : ndarray of shape (m, d), float32, optional
            Validation vectors. Without them, a tenth of `X` is held out.

        Raises
        ------
        VecsmithError
            If the parameters do not suit n or d, or torch is not installed.
        """
        # codecs must be importable without torch and the training package
        from vecsmith.training import split

        self.input_dimensions_ = X.shape[1]
        self._train(X, *split(X, seed, validation), seed)
        return self

    def _fit(self, X: Floats, seed: int) -> None:
        self.fit(X, seed)

    def _training_settings(self, **defaults: Any) -> "Training":
        """Return the training settings: the options of the spec, then `defaults`, then those of `Training`."""
        from vecsmith.training import Training

        # an explicit number of steps is not lowered for small training sets
        epochs = {"epochs": None} if "steps" in self.options else {}
        return Training(**{**defaults, **epochs, **self.options})

    @abstractmethod
    def _train(self, X: Floats, training: Floats, validation: Floats, seed: int) -> None:
        """Set the attributes of `state`. Principal directions may be computed from all of `X`."""
