"""Quantizers to bits whose parameters are trained by gradients, from one or several initial values."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs.quantizers.bits import BitQuantizer
from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from torch import Tensor

    from vecsmith.training import JudgedPairs
    from vecsmith.training.codes import Reconstruct

Parameters = Mapping[str, "Tensor"]


class Start(NamedTuple):
    """Initial values of a training.

    Attributes
    ----------
    name : str
        Name of the values, for the progress bar.
    parameters : dict of str to ndarray
        The initial parameters; parameter ``x`` becomes the attribute ``x_``.
    units : mapping of str to float or ndarray
        Numbers by which the parameters are divided in training, so that their entries have a size of about 1.
    reconstruct : callable
        As `vecsmith.training.train_codes` takes it, for the divided parameters.
    """

    name: str
    parameters: dict[str, Floats]
    units: Mapping[str, "float | Floats"]
    reconstruct: "Reconstruct"


class TrainedQuantizer(BitQuantizer):
    """Base class of quantizers that are trained from several starts, of which the validation loss selects the best."""

    takes: tuple[str, ...] = ("steps", "batch", "learning_rate", "weight_decay", "starts", "relaxation", "loss")
    default_starts: ClassVar[int] = 1
    """Number of starts without the option ``starts``."""
    default_learning_rate: ClassVar[float]
    """Initial learning rate without the option ``learning_rate``."""

    pairs: "JudgedPairs | None" = None

    @property
    def uses_pairs(self) -> bool:
        """Whether the loss of the training uses judged query–document pairs."""
        return self.options.get("loss") == "contrastive"

    def fit(self, X: Floats, seed: int = 0, pairs: "JudgedPairs | None" = None) -> Self:
        """Learn from the vectors `X` (n, d) and return the stage.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32
            Training vectors, a tenth of which are held out for validation.
        seed : int
            Seed of the validation split and of the trainings.
        pairs : JudgedPairs, optional
            Judged queries for ``loss=contrastive``, which otherwise uses pseudo-queries.

        Raises
        ------
        VecsmithError
            If the parameters do not suit n or d, no pair is left, or torch is not installed.
        """
        if pairs is not None and not len(pairs.relevant):
            raise VecsmithError(
                f"{self.spec} is trained on judged pairs, but no training vector is judged relevant; choose a split "
                "with more judgements, or leave out the pairs."
            )
        self.pairs = pairs
        try:
            return super().fit(X, seed)
        finally:
            self.pairs = None

    def _train(self, starts: Iterator[Start], training: Floats, validation: Floats, seed: int) -> None:
        """Train from each start, and keep the attributes with the lowest validation loss."""
        # codecs must be importable without torch and the training package
        from vecsmith.training import train_codes

        settings = {"learning_rate": self.default_learning_rate, **self.options}
        count = settings.pop("starts", self.default_starts)
        settings.pop("rule", None)
        lowest = np.inf
        for start in islice(starts, count):
            trained, loss = train_codes(
                {name: array / start.units[name] for name, array in start.parameters.items()},
                start.reconstruct,
                training,
                validation,
                seed,
                f"{self.spec} from {start.name}",
                pairs=self.pairs,
                **settings,
            )
            if loss < lowest:
                lowest = loss
                for name, array in trained.items():
                    setattr(self, f"{name}_", np.asarray(array * start.units[name], dtype=np.float32))
