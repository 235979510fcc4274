"""Tune an adapter of frozen vectors on relevance judgements, and measure it on seen and unseen documents."""

from dataclasses import dataclass, replace

import numpy as np

from vecsmith.array_types import Doubles
from vecsmith.encoders import EncoderOptions, embed_task
from vecsmith.errors import VecsmithError, unknown
from vecsmith.progress import track
from vecsmith.tasks import Task
from vecsmith.training import RANKING_LOSSES
from vecsmith.training.loop import CHECKS
from vecsmith.translators import translator
from vecsmith.translators.adapter import Adapter, AdapterTraining
from vecsmith.tune.comparison import FLOAT, Baseline, Tuned
from vecsmith.tune.data import Fold, TuningData, check_searched

STRENGTHS = (0.0, 1.0)
"""Candidate strengths of the penalty."""


@dataclass(frozen=True)
class Choice:
    """Settings of highest nDCG@10 on validation queries with unseen documents.

    Attributes
    ----------
    strength : float
        Strength of the penalty.
    check : int
        Number of the check, of `CHECKS`, after which training stops; 0 if no adapter was better than none.
    gain : float
        Gain of nDCG@10 at this check. It is optimistic, because it is the highest of all.
    """

    strength: float
    check: int
    gain: float


@dataclass(frozen=True, kw_only=True)
class TunedAdapter(Tuned):
    """A tuned adapter, its choice, and its measurement.

    Attributes
    ----------
    adapter : Adapter
        The adapter.
    choice : Choice
        Chosen strength and number of checks.
    """

    adapter: Adapter
    choice: Choice

    @property
    def summary(self) -> str:
        """How the adapter was trained, in one line."""
        choice = self.choice
        return (
            f"penalty {choice.strength:g} and stop after {choice.check} of {CHECKS} checks, chosen on "
            f"{self.validated_on}, all with unseen documents ({choice.gain:+.4f}); popularity: weight "
            f"{self.popularity_weight:g}"
        )


def tune_adapter(
    task: Task,
    encoder: str,
    split: str = "train",
    test: str = "test",
    method: str = "adapter",
    loss: str = "infonce",
    both: bool = False,
    teacher: str | None = None,
    seed: int = 0,
    options: EncoderOptions | None = None,
) -> TunedAdapter:
    """Train an adapter on the judgements of a split, and measure it on another split.

    The strength of the penalty and the number of steps are chosen by nDCG@10 on validation queries whose relevant
    documents are not relevant to any training query: of the split dev, or of folds of the training queries.
    The test split is used for the reported figures alone.

    Parameters
    ----------
    task : Task
        The task. Queries that are judged in `test` too are not trained on.
    encoder : str
        Spec of the encoder.
    split, test : str
        Splits of the judgements to train on and to measure on.
    method : str
        Spec of the adapter.
    loss : str
        One of `vecsmith.training.RANKING_LOSSES`.
    both : bool
        Whether to adapt documents too.
    teacher : str, optional
        Spec of another encoder, whose cosines the losses ``margin-mse`` and ``distillation`` imitate.
    seed : int
        Seed of the folds and of the batches.
    options : EncoderOptions, optional
        Options of the encoders.

    Raises
    ------
    VecsmithError
        If a name is unknown, a split is missing, or there are too few judgements.
    """
    adapter = adapter_of(method, seed)
    _check_loss(loss, teacher)
    check_searched(task)
    task.judgements(test)
    data = TuningData(task, split, test, *embed_task(task, encoder, options), seed)
    if teacher is not None:
        data = replace(data, teacher=embed_task(task, teacher, options))
    before = Baseline(data)

    settings = AdapterTraining(loss, both=both)
    choice = choose(data, method, settings)
    settings = replace(settings, strength=choice.strength)
    checks = iter(range(CHECKS + 1))
    if choice.check:
        # the loss is lowest at the chosen check, so the loop returns its parameters
        adapter.tune(data.candidates, settings, lambda: abs(next(checks) - choice.check))
    else:
        adapter.tune(data.candidates, replace(settings, steps=0), lambda: 0.0)
    adapter.source = data.corpus.provenance.space
    # another name, because adapted queries do not match documents that are not adapted
    adapter.target = f"{adapter.source} by {method} {adapter.fingerprint[:12]}" if both else adapter.source

    documents = adapter.transform(before.documents) if both else before.documents
    return TunedAdapter(
        adapter=adapter,
        choice=choice,
        validated_on=data.validated_on,
        comparisons=before.compare(adapter.transform(before.queries), documents)[FLOAT],
        seen_share=before.seen_share,
        popularity_weight=before.popularity[0],
    )


def choose(data: TuningData, method: str, settings: AdapterTraining) -> Choice:
    """Return the strength and the check of highest mean nDCG@10 over the validation queries of all folds."""
    folds = list(data.folds(settings.both))
    best = Choice(0.0, 0, 0.0)
    trials = [(strength, fold) for strength in STRENGTHS for fold in folds]
    curves = {strength: np.zeros(CHECKS + 1) for strength in STRENGTHS}
    for strength, fold in track(trials, "Choosing strength and steps", len(trials)):
        curves[strength] += _curve(adapter_of(method, data.seed), fold, replace(settings, strength=strength))
    queries = sum(len(fold.validation.queries) for fold in folds)
    for strength, curve in curves.items():
        check = int(curve.argmax())
        gain = float(curve[check] - curve[0]) / queries
        if gain > best.gain:
            best = Choice(strength, check, gain)
    return best


def _curve(adapter: Adapter, fold: Fold, settings: AdapterTraining) -> Doubles:
    """Train on a fold and return the sum of nDCG@10 over its validation queries at every check, (CHECKS + 1,)."""
    curve: list[float] = []

    def check() -> float:
        curve.append(fold.validation.ndcg(adapter))
        return -curve[-1]

    adapter.tune(fold.training, settings, check)
    return len(fold.validation.queries) * np.array(curve)


def adapter_of(method: str, seed: int) -> Adapter:
    """Return an adapter that is not fitted.

    Raises
    ------
    VecsmithError
        If the spec is unknown, or is not that of an adapter.
    """
    adapter = translator(method, seed)
    if not isinstance(adapter, Adapter):
        raise VecsmithError(f"{method} translates between two models; give an adapter, {Adapter.usage}.")
    return adapter


def _check_loss(loss: str, teacher: str | None) -> None:
    if loss not in RANKING_LOSSES:
        raise unknown("loss", loss, RANKING_LOSSES)
    if RANKING_LOSSES[loss].needs_teacher != (teacher is not None):
        raise VecsmithError(
            f"The loss {loss} takes a teacher, so give --teacher ENCODER."
            if teacher is None
            else f"The loss {loss} takes no teacher; leave out --teacher, or choose margin-mse or distillation."
        )
