"""Guides of GISTEmbed: ready vectors of the training texts, from any encoder."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from vecsmith.array_types import Floats
from vecsmith.embeddings.checks import BLOCK_ROWS

if TYPE_CHECKING:
    from torch import Tensor


class ReadyVectors(torch.nn.Module):
    """A module of sentence-transformers that looks up the vector of a text by its tokens.

    GISTEmbed hands its guide the tokens of the trained model. With the tokenizer of that model, any encoder can guide,
    whatever its own tokenizer and dimensions are.

    Parameters
    ----------
    model : SentenceTransformer
        The model that is trained, whose tokens are looked up.
    texts : sequence of str
        All texts of the training examples, with their prompts. Of texts with the same tokens, the first one counts.
    vectors : ndarray of shape (n, d), float32
        Vectors of the texts by the guide.
    """

    vectors: "Tensor"

    def __init__(self, model: Any, texts: Sequence[str], vectors: Floats) -> None:
        super().__init__()
        self.tokenizer, self.max_seq_length = model.tokenizer, model.max_seq_length
        self.register_buffer("vectors", torch.tensor(vectors), persistent=False)
        self.rows: dict[tuple[int, ...], int] = {}
        for start in range(0, len(texts), BLOCK_ROWS):
            tokens = _tokens(model.preprocess(list(texts[start : start + BLOCK_ROWS])))
            for row, key in enumerate(tokens, start):
                self.rows.setdefault(key, row)

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Add the vectors of the texts to the features."""
        rows = [self.rows[key] for key in _tokens(features)]
        return {**features, "sentence_embedding": self.vectors[torch.tensor(rows, device=self.vectors.device)]}


def _tokens(features: dict[str, Any]) -> list[tuple[int, ...]]:
    """Return the ids of the tokens of each text, without padding."""
    masks = features["attention_mask"].bool()
    return [tuple(ids[mask].tolist()) for ids, mask in zip(features["input_ids"], masks, strict=True)]


def guide_of(model: Any, texts: Sequence[str], vectors: Floats) -> Any:
    """Return a SentenceTransformer whose vectors are `vectors` (n, d) of `texts`; see `ReadyVectors`."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(modules=[ReadyVectors(model, texts, vectors)], device=str(model.device))
