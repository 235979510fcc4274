"""Labels by a cross-encoder or by the cosines of an encoder: margins of triplets, and scores of pairs."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np

from vecsmith.encoders import Side
from vecsmith.progress import steps
from vecsmith.retrievers import CrossEncoderModel
from vecsmith.retrievers.reranking import Scale
from vecsmith.retrievers.vector_sources import VectorSource
from vecsmith.tasks import Texts
from vecsmith.tune.examples import TrainingExamples

BLOCK_PAIRS = 512
"""Pairs that are scored between two updates of the progress bar."""

Pair = tuple[str, str]
"""A query and a text."""
Triplet = tuple[str, str, str]
"""A query, a relevant text and a negative."""
Score = Callable[[Sequence[Pair]], list[float]]
"""A function that returns the scores of pairs."""

SIDES: tuple[Side, Side] = ("query", "passage")


def label_margins(triplets: TrainingExamples, score: Score) -> TrainingExamples:
    """Return the margins of triplets: the score of the positive minus that of the negative.

    A triplet with several negatives gives one example for each of them.

    Parameters
    ----------
    triplets : TrainingExamples
        The triplets.
    score : callable
        `logits` of a cross-encoder, or `cosines` of an encoder.

    Raises
    ------
    VecsmithError
        If the cross-encoder has several outputs, or returns a score that is not finite.
    """
    examples = single_negatives(triplets)
    queries, positives, negatives = map(list, zip(*examples, strict=True))
    columns = {"query": queries, "positive": positives, "negative": negatives, "margin": margins(score, examples)}
    return TrainingExamples.from_columns(columns, triplets.provenance, triplets.counts)


def logits(model: CrossEncoderModel) -> Score:
    """Return the function that scores pairs by a cross-encoder."""
    return partial(score_pairs, model, scale="logit")


def cosines(source: VectorSource) -> Score:
    """Return the function that scores pairs by the cosines of the vectors of an encoder."""

    def score(pairs: Sequence[Pair]) -> list[float]:
        texts = [list(dict.fromkeys(side)) for side in zip(*pairs, strict=True)]
        vectors = [
            dict(zip(distinct, source.embed(_numbered(distinct), side), strict=True))
            for distinct, side in zip(texts, SIDES, strict=True)
        ]
        return [float(vectors[0][query] @ vectors[1][text]) for query, text in pairs]

    return score


def _numbered(texts: Sequence[str]) -> Texts:
    return Texts([str(number) for number in range(len(texts))], list(texts), "the training examples")


def score_pairs(model: CrossEncoderModel, pairs: Sequence[Pair], scale: Scale) -> list[float]:
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


def margins(score: Score, examples: Sequence[Triplet]) -> list[float]:
    """Return the score of the positive minus that of the negative, for each triplet."""
    positives = [(query, positive) for query, positive, _ in examples]
    negatives = [(query, negative) for query, _, negative in examples]
    scores = np.array(score([*positives, *negatives]))
    return [float(margin) for margin in scores[: len(examples)] - scores[len(examples) :]]


def single_negatives(triplets: Iterable[dict[str, str]]) -> list[Triplet]:
    """Return query, positive and negative for each negative of each triplet."""
    return [
        (example["query"], example["positive"], text)
        for example in triplets
        for name, text in example.items()
        if name.startswith("negative")
    ]
