"""Labels by a cross-encoder: margins of triplets, and scores of pairs."""

from collections.abc import Iterable, Sequence

import numpy as np

from vecsmith.progress import steps
from vecsmith.retrievers import CrossEncoderModel
from vecsmith.retrievers.reranking import Scale
from vecsmith.tune.examples import TrainingExamples

BLOCK_PAIRS = 512
"""Pairs that are scored between two updates of the progress bar."""

Triplet = tuple[str, str, str]
"""A query, a relevant text and a negative."""


def label_margins(triplets: TrainingExamples, model: CrossEncoderModel) -> TrainingExamples:
    """Return the margins of triplets: the cross-encoder's score of the positive minus that of the negative.

    Scores are logits. A triplet with several negatives gives one example for each of them.

    Raises
    ------
    VecsmithError
        If the cross-encoder has several outputs, or returns a score that is not finite.
    """
    examples = single_negatives(triplets)
    queries, positives, negatives = map(list, zip(*examples, strict=True))
    columns = {"query": queries, "positive": positives, "negative": negatives, "margin": margins(model, examples)}
    return TrainingExamples.from_columns(columns, triplets.provenance, triplets.counts)


def score_pairs(model: CrossEncoderModel, pairs: Sequence[tuple[str, str]], scale: Scale) -> list[float]:
    """Return the scores of pairs of texts; equal pairs are scored once.

    Parameters
    ----------
    model : CrossEncoderModel
        The cross-encoder.
    pairs : sequence of (str, str)
        The pairs.
    scale : {"logit", "probability"}
        Scale of the scores.

    Raises
    ------
    VecsmithError
        If the cross-encoder has several outputs, or returns a score that is not finite.
    """
    # pairs of similar length side by side need less padding
    distinct = sorted(set(pairs), key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
    score_of: dict[tuple[str, str], float] = {}
    with steps(f"Labelling pairs with {model.spec}", len(distinct)) as advance:
        for start in range(0, len(distinct), BLOCK_PAIRS):
            part = distinct[start : start + BLOCK_PAIRS]
            score_of |= zip(part, model.score_pairs(part, scale), strict=True)
            advance(len(part))
    return [score_of[pair] for pair in pairs]


def margins(model: CrossEncoderModel, examples: Sequence[Triplet]) -> list[float]:
    """Return the score of the positive minus that of the negative, for each triplet; scores are logits."""
    positives = [(query, positive) for query, positive, _ in examples]
    negatives = [(query, negative) for query, _, negative in examples]
    scores = np.array(score_pairs(model, [*positives, *negatives], "logit"))
    return [float(margin) for margin in scores[: len(examples)] - scores[len(examples) :]]


def single_negatives(triplets: Iterable[dict[str, str]]) -> list[Triplet]:
    """Return query, positive and negative for each negative of each triplet."""
    return [
        (example["query"], example["positive"], text)
        for example in triplets
        for name, text in example.items()
        if name.startswith("negative")
    ]
