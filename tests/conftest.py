"""Fixtures that every test may use."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

# no test may wait for a network
os.environ["HF_HUB_OFFLINE"] = "1"

SHARED = Path(__file__).parents[2] / "shared" / "data" / "beir"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a cache folder of its own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("VECSMITH_CACHE", str(folder))
    return folder


@pytest.fixture
def beir() -> Callable[[str], Path]:
    """Return the folder of a shared test collection, or skip where it is absent."""

    def find(name: str) -> Path:
        if not (SHARED / name).is_dir():
            pytest.skip(f"the test collection {name} is not beside this checkout")
        return SHARED / name

    return find


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    """Return 600 unit vectors of 40 dimensions with a falling spectrum and a mean, as embeddings have."""
    rng = np.random.default_rng(0)
    spread = 1 / np.sqrt(np.arange(1, 41))
    X = rng.standard_normal((600, 40)) * spread + 0.3 * rng.standard_normal(40)
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True), dtype=np.float32)
