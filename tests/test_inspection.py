"""What `vecsmith inspect` says of vectors, against NumPy, SciPy and scikit-learn."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import skew
from sklearn.decomposition import PCA

import vecsmith
from vecsmith.advise import inspection
from vecsmith.advise.inspection import Inspection, inspect
from vecsmith.advise.suggestions import suggest
from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.errors import VecsmithError
from vecsmith.report.inspection import check_picture, sparkline, write_picture


def facts_of(X: np.ndarray) -> Inspection:
    return inspect(EmbeddingSet(X.astype(np.float32)))


def named(facts: Inspection) -> set[str]:
    return {spec for codecs, _ in suggest(facts) for spec in codecs}


def told(facts: Inspection) -> str:
    return " ".join(because for _, because in suggest(facts))


def isotropic(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((n, d))


def test_lengths_are_those_of_the_stored_vectors(vectors: np.ndarray) -> None:
    lengths = np.linspace(0.5, 4, len(vectors))
    facts = facts_of(vectors * lengths[:, None])
    assert (facts.norm_min, facts.norm_mean, facts.norm_max) == pytest.approx((0.5, lengths.mean(), 4), rel=1e-6)
    assert not facts.normalised
    assert "not normalized" in told(facts)
    # the rest is about directions
    unit = facts_of(vectors)
    assert unit.normalised
    assert "not normalized" not in told(unit)
    np.testing.assert_allclose(facts.spectrum, unit.spectrum, atol=1e-7)
    assert facts.cosine_mean == pytest.approx(unit.cosine_mean, abs=1e-6)


def test_moments_of_dimensions(vectors: np.ndarray) -> None:
    X = normalize(vectors**3 + 0.05).astype(np.float64)
    facts = facts_of(X)
    np.testing.assert_allclose(facts.mean, X.mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(facts.spread, X.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(facts.skew, skew(X), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(facts.positive, (X > 0).mean(axis=0))
    balance = (X > 0).mean(axis=0)
    assert facts.unbalanced == ((balance < 0.25) | (balance > 0.75)).sum()
    signs = np.where(X > 0, 1, -1) / np.sqrt(X.shape[1])
    assert facts.sign_cosine == pytest.approx((X * signs).sum(axis=1).mean(), rel=1e-6)


def test_spectrum_and_ranks(vectors: np.ndarray) -> None:
    facts = facts_of(vectors)
    pca = PCA().fit(vectors.astype(np.float64))
    n = len(vectors)
    np.testing.assert_allclose(facts.spectrum, pca.explained_variance_ * (n - 1) / n, atol=1e-8)
    assert facts.in_components(5) == pytest.approx(pca.explained_variance_ratio_[:5].sum())
    shares = pca.explained_variance_ratio_
    assert facts.effective_rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-5)
    assert facts.participation_ratio == pytest.approx(1 / (shares**2).sum(), rel=1e-5)
    variance = vectors.var(axis=0)
    assert facts.in_prefix(10) == pytest.approx(variance[:10].sum() / variance.sum(), rel=1e-4)
    assert facts.cuts == [5, 10, 20]


def test_ranks_of_known_spectra() -> None:
    # the axes, both ways: all eight components have the same variance
    facts = facts_of(np.concatenate([np.eye(8), -np.eye(8)]))
    assert (facts.effective_rank, facts.participation_ratio) == pytest.approx((8, 8))
    # every component keeps ½ log₂ 1/(1 − share) bits
    assert facts.bytes_for(0.75) == pytest.approx(8 * 1 / 8)
    assert facts.bytes_for(0.9375) == pytest.approx(8 * 2 / 8)


def test_bytes_are_those_of_reverse_water_filling(vectors: np.ndarray) -> None:
    facts = facts_of(vectors)
    sizes = [facts.bytes_for(share) for share in (0.1, 0.5, 0.9, 0.99)]
    assert sizes == sorted(sizes)
    for share, size in zip((0.1, 0.5, 0.9, 0.99), sizes, strict=True):
        # the level by bisection
        low, high = 0.0, facts.spectrum[0]
        for _ in range(100):
            level = (low + high) / 2
            low, high = (
                (low, level)
                if np.minimum(facts.spectrum, level).sum() > (1 - share) * facts.variance
                else (
                    level,
                    high,
                )
            )
        assert size == pytest.approx(0.5 * np.log2(np.maximum(facts.spectrum / level, 1)).sum() / 8, rel=1e-6)


def test_cosines_of_all_pairs_and_nearest_neighbors(vectors: np.ndarray) -> None:
    facts = facts_of(vectors)
    cosines = vectors.astype(np.float64) @ vectors.T
    pairs = cosines[np.triu_indices(len(vectors), 1)]
    assert facts.cosine_mean == pytest.approx(pairs.mean(), abs=1e-6)
    assert facts.cosine_spread == pytest.approx(pairs.std(), abs=1e-6)
    mean = vectors.mean(axis=0)
    assert facts.mean_share == pytest.approx(mean @ mean, rel=1e-4)
    np.fill_diagonal(cosines, -1)
    # fewer rows than a sample would have: all of them
    np.testing.assert_allclose(facts.nearest, np.sort(cosines.max(axis=1)), atol=1e-6)
    assert facts.pairs.sum() == len(pairs)


def test_duplicates(vectors: np.ndarray) -> None:
    near = normalize(vectors[:6] + 1e-3)
    facts = facts_of(np.concatenate([vectors, vectors[:4], vectors[:1], near]))
    assert facts.duplicates == 5
    assert facts.near_duplicates == pytest.approx((6 + 5 + 6) / 611)
    assert "5 rows equal" in told(facts)
    assert facts_of(vectors).duplicates == 0


def test_outliers_and_idle_dimensions() -> None:
    X = isotropic(500, 20)
    X[:, 7] *= 5
    X[:, 3] *= 0.01
    facts = facts_of(X)
    assert (facts.outliers, facts.idle) == ([7], [3])
    assert "1 outlier dimension is" in told(facts)


def test_shards_and_blocks_change_nothing(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = facts_of(vectors).to_dict()
    monkeypatch.setattr(inspection, "BLOCK", 70)
    shards = inspect(EmbeddingSet([vectors[:1], vectors[1:400], vectors[400:]])).to_dict()
    for name, fact in whole.items():
        if isinstance(fact, float | list) and name != "cuts":
            np.testing.assert_allclose(shards[name], fact, rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_set_is_never_put_together(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = EmbeddingSet([vectors[:300].astype(np.float16), vectors[300:].astype(np.float16)])
    monkeypatch.setattr(EmbeddingSet, "vectors", property(lambda _: pytest.fail("all vectors were asked for")))
    facts = inspect(embedded)
    assert (facts.rows, facts.dtype) == (600, "float16")


def test_equal_vectors_have_no_variance() -> None:
    facts = facts_of(np.ones((10, 4)))
    assert (facts.variance, facts.effective_rank, facts.participation_ratio, facts.bytes_for(0.9)) == (0, 0, 0, 0)
    assert facts.duplicates == 9
    assert facts.skew.tolist() == [0] * 4
    assert json.loads(json.dumps(facts.to_dict(), allow_nan=False))["mean_share"] == pytest.approx(1)
    assert suggest(facts)


def test_rows_without_text_have_no_direction() -> None:
    facts = inspect(EmbeddingSet(np.array([[1, 0], [0, 0], [0, 1]], np.float32), texts=["a", "", "b"]))
    assert facts.zero_rows == 1
    assert facts.cosine_mean == pytest.approx(0)


def test_one_vector_is_refused() -> None:
    with pytest.raises(VecsmithError, match="one vector only"):
        facts_of(np.ones((1, 4)))


@pytest.mark.parametrize("d", [1, 2, 3, 8, 33])
def test_every_suggestion_is_a_codec_that_can_be_fitted(d: int) -> None:
    X = normalize(isotropic(120, d) / np.arange(1, d + 1))
    for spec in named(facts_of(X)):
        assert vecsmith.codec(spec).fit(X).encode(X).shape[0] == 120


def test_a_steep_spectrum_speaks_for_fewer_bytes_than_a_flat_one() -> None:
    def sizes(X: np.ndarray) -> list[int]:
        return sorted(int(spec[7:-1]) for spec in named(facts_of(X)) if spec.startswith("trellis"))

    # d/2 log₂ 1/(1 − share) bits where all components have the same variance: 17.3 and 10.9 bytes
    assert sizes(isotropic(5000, 64)) == [12, 20]
    assert sizes(isotropic(5000, 64) / np.arange(1, 65)) == [4, 8]


def test_bits_follow_the_balance() -> None:
    X = isotropic(1000, 64)
    assert "binary" in named(facts_of(X))
    X[:, :20] += 2
    shifted = facts_of(X)
    assert shifted.unbalanced == 20
    assert "binary" not in named(shifted)
    assert "All vectors share a mean" in told(shifted)


def test_prefixes_follow_their_variance() -> None:
    X = isotropic(1000, 64) / np.sqrt(np.arange(1, 65))
    assert "truncate32" in named(facts_of(X))
    turned = X @ np.linalg.qr(isotropic(64, 64))[0]
    assert "pca32" in named(facts_of(turned))
    assert "are few" not in told(facts_of(turned))
    assert "are few" in told(facts_of(turned[:200]))


def test_sparkline() -> None:
    assert sparkline(np.array([0, 1, 400, 800])) == " ▁▄█"
    assert sparkline(np.zeros(3)) == "   "


def test_the_picture_is_one_page(vectors: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    facts = facts_of(vectors)
    write_picture(tmp_path / "page.html", "<corpus>.npy", facts, suggest(facts))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "&lt;corpus&gt;.npy" in page
    assert "Suggested codecs" in page
    assert "principal components" in page
    assert 'src="http' not in page


def test_other_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VecsmithError, match=r"end in \.html"):
        check_picture(tmp_path / "page.png")


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vecsmith", "inspect", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_the_command_on_a_file_and_a_set(vectors: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "corpus.npy", vectors)
    printed = run(tmp_path / "corpus.npy", COLUMNS="100")
    assert printed.returncode == 0, printed.stderr
    assert max(map(len, printed.stdout.splitlines()[1:])) <= 100
    assert "600 vectors of 40 dimensions" in printed.stdout
    assert "suggested codecs" in printed.stdout
    EmbeddingSet(vectors).save(tmp_path / "set")
    facts = json.loads(run(tmp_path / "set", "--json").stdout)
    assert (facts["rows"], len(facts["skew"]), len(facts["nearest"])) == (600, 40, 600)
    assert all(spec in printed.stdout for entry in facts["speaks_for"] for spec in entry["codecs"])


def test_the_command_refuses_before_it_works(vectors: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "corpus.npy", vectors)
    refused = run(tmp_path / "corpus.npy", "--out", tmp_path / "page.png")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "must end in .html" in refused.stderr
    assert "no file" in run(tmp_path / "nothing.npy").stderr
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "plotly.py").write_text("raise ImportError('not there')")
    missing = run(tmp_path / "corpus.npy", "--out", tmp_path / "page.html", PYTHONPATH=str(hidden))
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "pip install 'vecsmith[report]'" in missing.stderr
    np.save(tmp_path / "zero.npy", np.zeros((3, 4), np.float32))
    assert "zero.npy has only all-zero vectors" in run(tmp_path / "zero.npy").stderr


@pytest.mark.data
def test_potion_is_cut_as_it_is_and_minilm_is_not(beir: Callable[[str], Path]) -> None:
    folder = beir("hotpotqa-2k") / "vectors"
    codecs = {
        name: named(inspect(EmbeddingSet(np.load(folder / name / "corpus.npy", mmap_mode="r"))))
        for name in ("minilm", "potion")
    }
    assert "pca192" in codecs["minilm"]
    assert "truncate128" in codecs["potion"]
