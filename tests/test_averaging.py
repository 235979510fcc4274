"""Averaging the weights of several trainings."""

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from vecsmith.errors import VecsmithError  # noqa: E402
from vecsmith.tune import ModelTuning  # noqa: E402
from vecsmith.tune.averaging import train_and_average  # noqa: E402
from vecsmith.tune.trainer import Trained  # noqa: E402

TARGET = torch.tensor([1.0, 2.0])


def gain_of(model: torch.nn.Linear) -> Callable[[], float]:
    """Return minus the squared distance of the weights to the target, as a gain over the weights 0."""
    return lambda: float((TARGET**2).sum() - ((model.weight[0] - TARGET) ** 2).sum())


def trained_to(model: torch.nn.Linear, ends: list[list[float]]) -> Callable[[int], Trained]:
    """Return a training that adds a constant for each run to the weights, which must be the first ones."""

    def train(run: int) -> Trained:
        assert not model.weight.any()
        with torch.no_grad():
            model.weight += torch.tensor(ends[run])
        return Trained(run + 5, gain_of(model)())

    return train


@pytest.fixture
def model() -> torch.nn.Linear:
    model = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    return model


@pytest.mark.parametrize("ends", [[[0, 3.0], [2.0, 0.5]], [[1.0, 2.0], [1.0, 1.0]]])
def test_the_mean_is_kept(ends: list[list[float]], model: torch.nn.Linear) -> None:
    kept = train_and_average(model, 2, trained_to(model, ends), gain_of(model))
    assert model.weight[0].tolist() == torch.tensor(ends).mean(dim=0).tolist()
    assert kept == Trained(6, gain_of(model)())


def test_a_mean_that_gains_nothing_has_no_step(model: torch.nn.Linear) -> None:
    kept = train_and_average(model, 3, trained_to(model, [[9, 9], [1.0, 1.5], [9, 0]]), gain_of(model))
    assert kept == Trained(0, 0.0)


def test_the_mean_is_kept_without_validation(model: torch.nn.Linear) -> None:
    kept = train_and_average(model, 2, trained_to(model, [[0, 0], [4.0, 2.0]]), None)
    assert model.weight.tolist() == [[2.0, 1.0]]
    assert kept == Trained(6, 0.0)


def test_one_training_is_kept_as_it_is(model: torch.nn.Linear) -> None:
    kept = train_and_average(model, 1, trained_to(model, [[4.0, 2.0]]), lambda: pytest.fail("was validated again"))
    assert model.weight.tolist() == [[4.0, 2.0]]
    assert kept.step == 5


def test_no_training_is_refused() -> None:
    with pytest.raises(VecsmithError, match="at least 1, not 0"):
        assert ModelTuning(runs=0).chain
