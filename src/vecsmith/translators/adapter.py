"""Adapters: maps of a space into itself that are trained on relevance judgements."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError, require
from vecsmith.translators.affine import hold_out
from vecsmith.translators.base import Translator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vecsmith.training import Candidates

    Parameters = Mapping[str, Tensor]

RATE = 0.05
"""Learning rate times the dimensions, so that a step turns vectors of any dimensions by about the same angle."""
STEPS, BATCH = 300, 64
"""Training steps, and queries per batch."""
NEGATIVES = 100
"""Candidates per query: its relevant documents and the hardest negatives."""


@dataclass(frozen=True)
class AdapterTraining:
    """Settings of the training of an adapter.

    Attributes
    ----------
    loss : str
        One of `vecsmith.training.RANKING_LOSSES`.
    strength : float
        λ of the penalty λ E‖y − x‖², where y is the adapted vector of x.
    both : bool
        Whether documents are adapted too, not only queries.
    steps : int
        Maximum number of steps.
    """

    loss: str = "infonce"
    strength: float = 0.0
    both: bool = False
    steps: int = STEPS


class Adapter(Translator):
    """y = xW + ‖x‖ tanh(xF/‖x‖)O from a space into itself, trained to rank relevant documents first.

    Training starts at the identity: W = I and O = 0. Without `rank` and `hidden`, W is trained. With `rank`,
    W = I + FO of that rank, where F starts at random. With `hidden`, W = I, and F and O are trained. There is no
    offset, because ⟨c, d⟩ would be the same for all queries: a prior of the documents, not of their relevance.

    `fit` takes pairs: row i of Y is the document that is relevant to query i. `tune` takes judgements.

    Parameters
    ----------
    rank : int, optional
        Rank of W − I.
    hidden : int, optional
        Hidden units of the network.

    Attributes
    ----------
    weights_ : ndarray of shape (a, a)
        W.
    first_, out_ : ndarray of shape (a, h) and (h, a)
        F and O; empty without `hidden`.
    """

    usage = "adapter[:rankR|:mlpH]"
    pattern = r"adapter(?::rank(?P<rank>[1-9]\d*)|:mlp(?P<hidden>[1-9]\d*))?"
    example = "adapter"
    summary = "queries toward their relevant documents in one space; full rank, rank R, or H hidden units (needs torch)"
    state: ClassVar = {"weights_": ("a", "b"), "first_": ("a", "*"), "out_": ("*", "b")}

    weights_: Floats
    first_: Floats
    out_: Floats

    def __init__(self, rank: int | None = None, hidden: int | None = None) -> None:
        self.rank = rank
        self.hidden = hidden

    def _fit(self, X: Floats, Y: Floats) -> None:
        if X.shape[1] != Y.shape[1]:
            raise VecsmithError(
                f"An adapter maps a space into itself, but the source has {X.shape[1]} dimensions and the target "
                f"{Y.shape[1]}; use another translator between two models."
            )
        from vecsmith.training import Candidates, JudgedPairs

        rows = np.arange(len(X))
        candidates = Candidates.mine(JudgedPairs(normalize(X), normalize(Y), np.stack([rows, rows], axis=1)), NEGATIVES)
        training, held_out = hold_out(len(X), self.seed)
        self._train(candidates.of(training), AdapterTraining(), lambda: self.loss(candidates.of(held_out)))

    def tune(
        self,
        candidates: "Candidates",
        settings: AdapterTraining,
        validate: Callable[[], float],
    ) -> "Adapter":
        """Train on judgements, and return the adapter with the parameters of lowest validation loss.

        Parameters
        ----------
        candidates : Candidates
            Queries with relevant documents and negatives, unit vectors.
        settings : AdapterTraining
            Loss, strength of the penalty, sides and steps.
        validate : callable
            Returns the validation loss of this adapter, at first the identity, and again at every check.

        Raises
        ------
        VecsmithError
            If torch is not installed, or the rank is out of range.
        """
        self.input_dimensions_ = self.output_dimensions_ = candidates.pairs.queries.shape[1]
        self.normalised_, self.pairs_ = True, int(candidates.relevant.sum())
        self._train(candidates, settings, validate)
        return self

    def _train(
        self,
        candidates: "Candidates",
        settings: AdapterTraining,
        validate: Callable[[], float],
    ) -> None:
        torch = require("torch", "train")
        from vecsmith.training import RANKING_LOSSES, Training, train, unit_rows
        from vecsmith.training.loop import CHECKS

        rng = np.random.default_rng(self.seed)
        parameters = {name: torch.tensor(array, requires_grad=True) for name, array in self._start(rng).items()}
        loss, relevant = RANKING_LOSSES[settings.loss].function, torch.from_numpy(candidates.relevant)

        def batch_loss(left: float) -> "Tensor":
            rows: RowNumbers = rng.permutation(len(candidates))[:BATCH]
            queries, documents = map(torch.from_numpy, candidates.vectors(rows))
            adapted = unit_rows(self._forward(parameters, queries, torch.tanh))
            moved = torch.square(adapted - queries).sum(dim=1).mean()
            if settings.both:
                shape = documents.shape
                flat = documents.reshape(-1, shape[2])
                mapped = unit_rows(self._forward(parameters, flat, torch.tanh))
                moved = moved + torch.square(mapped - flat).sum(dim=1).mean()
                documents = mapped.reshape(shape)
            cosines = torch.einsum("bd,bkd->bk", adapted, documents)
            taught = None if candidates.teacher is None else torch.from_numpy(candidates.teacher[rows])
            total: Tensor = loss(cosines, relevant[rows], taught) + settings.strength * moved
            return total

        def check() -> float:
            self._set({name: tensor.detach().numpy() for name, tensor in parameters.items()})
            return validate()

        rate = RATE / self.input_dimensions_
        loop = Training(steps=settings.steps, batch=BATCH, learning_rate=rate, patience=CHECKS)
        best, _ = train(parameters, torch.zeros(()), batch_loss, check, loop, settings.steps, self.spec)
        self._set(best)

    def _start(self, rng: np.random.Generator) -> dict[str, Floats]:
        """Return the trained parameters at the identity."""
        d, width = self.input_dimensions_, self.rank or self.hidden
        if width is None:
            return {"weights": np.eye(d, dtype=np.float32)}
        if self.rank is not None and self.rank > d:
            raise VecsmithError(f"The rank of {self.spec} is out of range; choose from 1 to {d}.")
        return {"first": rng.standard_normal((d, width), np.float32), "out": np.zeros((width, d), np.float32)}

    def _forward(self, p: "Mapping[str, Any]", x: Any, tanh: Callable[[Any], Any]) -> Any:
        """Return the adapted vectors (n, d), without normalization, as torch or NumPy arrays."""
        if "weights" in p:
            return x @ p["weights"]
        hidden = x @ p["first"]
        # of unit length for unit vectors, so that a step has the same size for all widths
        return x + (hidden if self.rank else tanh(hidden)) @ p["out"] / p["out"].shape[0] ** 0.5

    def _set(self, p: "Mapping[str, Floats]") -> None:
        """Set the fitted arrays; a map of low rank becomes W."""
        d = self.input_dimensions_
        identity, none = np.eye(d, dtype=np.float32), np.zeros((d, 0), np.float32)
        self.first_, self.out_ = none, none.T.copy()
        if self.hidden:
            self.weights_, self.first_ = identity, p["first"].copy()
            self.out_ = p["out"] / np.float32(self.hidden**0.5)
        else:
            self.weights_ = np.asarray(self._forward(p, identity, np.tanh), np.float32)

    def _map(self, X: Floats) -> Floats:
        mapped: Floats = X @ self.weights_
        if self.first_.shape[1]:
            lengths = np.linalg.norm(X, axis=1, keepdims=True)
            mapped += lengths * (np.tanh(normalize(X) @ self.first_) @ self.out_)
        return mapped

    def loss(self, candidates: "Candidates", name: str = "infonce") -> float:
        """Return a loss of `RANKING_LOSSES` of adapted queries and candidates that are not adapted."""
        torch = require("torch", "train")
        from vecsmith.training import RANKING_LOSSES

        queries, documents = candidates.vectors(np.arange(len(candidates)))
        cosines = np.einsum("bd,bkd->bk", normalize(self._map(queries)), documents)
        taught = None if candidates.teacher is None else torch.from_numpy(candidates.teacher)
        return float(
            RANKING_LOSSES[name].function(torch.from_numpy(cosines), torch.from_numpy(candidates.relevant), taught)
        )
