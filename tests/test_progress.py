"""Progress off a terminal: log lines and estimates, by a clock that the tests set."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from vecsmith import progress
from vecsmith.codecs.quantizers import faiss as rivals
from vecsmith.embeddings import set_writing
from vecsmith.encoders import embed_texts, load_encoder
from vecsmith.progress import announce, losses, track
from vecsmith.tasks.base import Texts


class Clock:
    """A clock that stands still between calls of `sleep`."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


def work(clock: Clock, seconds: list[float]) -> None:
    for each in track(seconds, "Working", len(seconds)):
        clock.sleep(each)


def test_short_work_is_silent(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, [1] * 29)
    assert capsys.readouterr().err == ""


def test_long_work_is_estimated_early_and_logged_every_half_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    work(clock, [2] * 60)
    assert capsys.readouterr().err.splitlines() == [
        "Working: 3 of 60, 6 s so far, about 2 min left",
        "Working: 18 of 60, 36 s so far, about 84 s left",
        "Working: 33 of 60, 66 s so far, about 54 s left",
        "Working: 48 of 60, 96 s so far, about 24 s left",
    ]


def test_every_slow_item_has_its_line_but_the_last(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, [3600, 3600, 3600])
    assert capsys.readouterr().err.splitlines() == [
        "Working: 1 of 3, 60 min so far, about 2.0 h left",
        "Working: 2 of 3, 2.0 h so far, about 60 min left",
    ]


def test_work_that_turns_slow_is_logged(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, [0.1] * 8 + [45, 1])
    assert capsys.readouterr().err.splitlines() == ["Working: 9 of 10, 46 s so far, about 5 s left"]


def test_training_logs_the_loss(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with losses("mlp1", 100) as report:
        for step in range(12):
            clock.sleep(6)
            report(1 / (step + 1), 0.5)
    assert capsys.readouterr().err.splitlines() == [
        "mlp1, loss 1.0000, held out 0.5000: 1 of 100, 6 s so far, about 10 min left",
        "mlp1, loss 0.1667, held out 0.5000: 6 of 100, 36 s so far, about 9 min left",
        "mlp1, loss 0.0909, held out 0.5000: 11 of 100, 66 s so far, about 9 min left",
    ]


def test_only_long_work_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    announce("Fitting faiss:PQ48", 59)
    announce("Fitting faiss:OPQ48,PQ48", 250)
    assert capsys.readouterr().err == "Fitting faiss:OPQ48,PQ48 takes about 4 min.\n"


def test_an_embedding_is_estimated_from_a_few_texts_after_the_model_is_loaded(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(set_writing.time, "perf_counter", clock)
    encoder, sizes = load_encoder("static"), []

    def encode(texts: list[str], side: str) -> NDArray[np.float32]:
        # the first call loads the model
        clock.sleep(0.5 * len(texts) + 20 * (not sizes))
        sizes.append(len(texts))
        return np.ones((len(texts), 4), np.float32)

    monkeypatch.setattr(encoder, "encode", encode)
    texts = Texts([str(row) for row in range(700)], ["text"] * 700, "the texts")
    embed_texts(encoder, texts, "passage", tmp_path / "set")
    assert sum(sizes) == 700
    said = capsys.readouterr().err.splitlines()
    assert "Embedding 700 texts with static takes about 6 min." in said
    assert said[-1] == "Embedding 700 texts with static: 529 of 700, 5 min so far, about 92 s left"


def test_training_a_rotation_is_estimated(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).standard_normal((2000, 32)).astype(np.float32)
    index = faiss.index_factory(32, "OPQ4,PQ4", faiss.METRIC_INNER_PRODUCT)
    readings = iter([0.0, 4.0])
    monkeypatch.setattr(rivals.time, "perf_counter", lambda: next(readings))
    # 8 of 236 iterations of k-means on half of the vectors took 4 seconds
    assert rivals._rotation_seconds(index, X) == 4 * 236 / 8 * 2
    plain = faiss.index_factory(32, "PQ4", faiss.METRIC_INNER_PRODUCT)
    assert rivals._rotation_seconds(plain, X) == 0
