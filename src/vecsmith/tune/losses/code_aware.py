"""Code-aware training: a loss is also computed on documents that a codec has encoded and decoded."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch

from vecsmith.array_types import Floats
from vecsmith.codecs import Codec
from vecsmith.training import unit_rows
from vecsmith.tune.recipes.base import Preset

if TYPE_CHECKING:
    from torch import Tensor

RISE = 0.1
"""Share of the steps in which the weight of the codes rises from zero to its highest value."""
DOCUMENTS = "vecsmith_documents"
"""Key of the features that marks the texts of documents."""


class TrainedCodes:
    """A codec that follows the model during training, and the weight of its loss.

    The codec is fitted on the present model's vectors of a sample of documents. The weight is zero at first, then rises
    linearly, because codes from the first step harm the float vectors.

    Parameters
    ----------
    spec : str
        Spec of the codec.
    embed : callable
        Embeds texts of documents as unit vectors (n, d).
    texts : sequence of str
        Sample of documents.
    preset : Preset
        Schedule of the weight, and interval of the checks, at each of which the codec is fitted again.
    seed : int
        Seed of the codec.
    """

    def __init__(
        self, spec: str, embed: Callable[[Sequence[str]], Floats], texts: Sequence[str], preset: Preset, seed: int
    ) -> None:
        self.spec, self.embed, self.texts, self.preset, self.seed = spec, embed, texts, preset, seed
        self.weight = 0.0
        self.codec: Codec | None = None
        self._fitted_at = -1

    def begin(self, step: int) -> None:
        """Set the weight of a step, and fit the codec at a check."""
        preset = self.preset
        risen = (step / preset.steps - preset.code_start) / RISE
        self.weight = preset.code_weight * min(max(risen, 0.0), 1.0)
        # a resumed training starts at a check, and fits the same codec
        self.fit(step - step % preset.interval)

    def fit(self, step: int) -> Codec:
        """Return the codec of the model at a step, which is fitted once."""
        if self.codec is None or step != self._fitted_at:
            self.codec, self._fitted_at = Codec(self.spec, self.seed).fit(self.embed(self.texts)), step
        return self.codec

    def __call__(self, x: "Tensor") -> "Tensor":
        """Return decoded unit vectors (n, d) with the gradient of the vectors themselves (straight-through).

        References
        ----------
        Bengio, Léonard and Courville 2013, Estimating or propagating gradients through stochastic neurons,
        https://arxiv.org/abs/1308.3432.
        """
        assert self.codec is not None
        unit = unit_rows(x)
        decoded = self.codec.decode(self.codec.encode(unit.detach().float().cpu().numpy()))
        return unit + (torch.from_numpy(decoded).to(unit) - unit).detach()


class CodeAwareLoss(torch.nn.Module):
    """(1 − w) loss(queries, documents) + w loss(queries, decoded documents), with one forward pass of the model.

    Queries stay float, as in asymmetric search.

    Parameters
    ----------
    model : SentenceTransformer
        The model.
    floats : Module
        Loss of the float vectors, such as a `MatryoshkaLoss` around `base`.
    base : Module
        Loss of the decoded documents.
    codes : TrainedCodes
        Codec and weight.
    """

    def __init__(self, model: Any, floats: Any, base: Any, codes: TrainedCodes) -> None:
        super().__init__()
        self.model, self.floats, self.base, self.codes = model, floats, base, codes
        self.is_cached = bool(getattr(base, "uses_gradient_cache", False))
        if self.is_cached:
            decorated = base.calculate_loss
            # MatryoshkaLoss has wrapped the function of the loss
            base.calculate_loss = self._cached(decorated, getattr(decorated, "fn", decorated))

    def begin(self, step: int) -> None:
        """Prepare the codec and its weight for a step."""
        self.codes.begin(step)

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: "Tensor | None" = None) -> "Tensor":
        """Return the weighted sum of both losses."""
        if self.is_cached or not self.codes.weight:
            loss: Tensor = self.floats(sentence_features, labels)
            return loss
        queries, *documents = sentence_features
        features = [queries, *({**each, DOCUMENTS: True} for each in documents)]
        original = self.model.forward
        passes = _SharedPasses(original, self.codes)
        self.model.forward = passes
        try:
            loss = (1 - self.codes.weight) * self.floats(features, labels)
            passes.replay()
            loss += self.codes.weight * self.base(features, labels)
            return loss
        finally:
            self.model.forward = original

    def _cached(self, floats: Callable[..., "Tensor"], base: Callable[..., "Tensor"]) -> Callable[..., "Tensor"]:
        """Return the weighted sum as a function of the embeddings of a loss with gradient caching."""

        def calculate_loss(reps: list[list["Tensor"]], *more: Any, **options: Any) -> "Tensor":
            weight = self.codes.weight
            if not weight:
                return floats(reps, *more, **options)
            queries, *documents = reps
            views = [
                (1 - weight, floats, reps),
                (weight, base, [queries, *([self.codes(each) for each in column] for column in documents)]),
            ]
            loss = torch.zeros(())
            for share, function, view in views:
                # the function runs its own backward pass, whose gradients must be weighted
                leaves = [[each.detach().requires_grad_() for each in column] for column in view]
                loss = loss.to(leaves[0][0]) + share * function(leaves, *more, **options)
                if torch.is_grad_enabled():
                    for given, leaf in zip(chain(*view), chain(*leaves), strict=True):
                        assert leaf.grad is not None
                        given.backward(share * leaf.grad)  # type: ignore[no-untyped-call]
            return loss

        return calculate_loss


class _SharedPasses:
    """The forward function of a model, whose passes are used again, with decoded documents, after `replay`."""

    def __init__(self, forward: Callable[..., dict[str, Any]], codes: TrainedCodes) -> None:
        self.forward, self.codes = forward, codes
        self.passes: list[dict[str, Any]] = []
        self.next: int | None = None

    def replay(self) -> None:
        """Start again with the first pass."""
        self.next = 0

    def __call__(self, features: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Return the output of the model for the features of one or more columns."""
        of_documents = features.get(DOCUMENTS, False)
        if self.next is None:
            given = {name: value for name, value in features.items() if name != DOCUMENTS}
            self.passes.append(self.forward(given, **options))
            return dict(self.passes[-1])
        output = dict(self.passes[self.next])
        self.next += 1
        if of_documents:
            output["sentence_embedding"] = self.codes(output["sentence_embedding"])
        return output
