"""Planning and carrying out the switch of models."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from typer.testing import CliRunner

from vecsmith.advise.migration import plan
from vecsmith.cli import app
from vecsmith.embeddings import EmbeddingSet, Provenance, normalize
from vecsmith.errors import VecsmithError
from vecsmith.report import findings_terminal
from vecsmith.report.advice import migration_plan

Vectors = NDArray[np.float32]


def two_models(vectors: Vectors, noise: float, dimensions: int = 30) -> tuple[EmbeddingSet, EmbeddingSet]:
    """Return the same texts by an old model, and by a new one that sees them otherwise."""
    rng = np.random.default_rng(0)
    rotation = rng.standard_normal((vectors.shape[1], dimensions))
    other = vectors @ rotation / vectors.shape[1] ** 0.5 + noise * rng.standard_normal((len(vectors), dimensions))
    ids = [f"d{row}" for row in range(len(vectors))]
    texts = [f"text {id_}" for id_ in ids]
    new = EmbeddingSet(normalize(other.astype("float32")), ids, texts, Provenance(encoder="new"))
    return EmbeddingSet(vectors, ids, texts, Provenance(encoder="old")), new


def sample(embedded: EmbeddingSet, rows: int) -> EmbeddingSet:
    chosen = np.sort(np.random.default_rng(1).permutation(len(embedded))[:rows])
    ids = [embedded.ids[row] for row in chosen]
    return EmbeddingSet(embedded.vectors[chosen], ids, [f"text {id_}" for id_ in ids], embedded.provenance)


def test_more_noise_between_the_models_keeps_less(vectors: Vectors) -> None:
    kept = []
    for noise in (0.0, 0.05, 0.2):
        planned = plan(*two_models(vectors, noise), method="linear")
        kept.append([option.retention for option in planned.options])
    documents = [options[1] for options in kept]
    assert documents == sorted(documents, reverse=True)
    assert documents[0] > 0.97
    assert documents[2] < 0.9


def test_what_is_embedded_again_keeps_more(vectors: Vectors) -> None:
    planned = plan(*two_models(vectors, 0.1))
    translated, shortlist = planned.options[1], planned.options[2]
    assert shortlist.retention > translated.retention
    assert planned.options[-1].re_embedded == 0.5
    assert planned.options[-1].retention > translated.retention
    for option in planned.options:
        low, high = option.interval
        assert low < option.retention < high


def test_more_pairs_keep_more_and_the_weakest_cluster_comes_first(vectors: Vectors) -> None:
    planned = plan(*two_models(vectors, 0.02))
    pairs, queries, documents = zip(*planned.learning_curve, strict=True)
    assert pairs == tuple(sorted(pairs))
    assert queries[-1] > queries[0]
    assert documents[-1] > documents[0]
    kept = [cluster.retention for cluster in planned.clusters]
    assert kept == sorted(kept)
    assert sum(cluster.rows for cluster in planned.clusters) <= len(vectors)
    assert planned.clusters[0].example.startswith("text d")


def test_a_plan_is_the_same_for_a_seed(vectors: Vectors) -> None:
    sets = two_models(vectors, 0.05)
    assert plan(*sets, seed=2) == plan(*sets, seed=2)


def test_too_few_pairs_are_refused(vectors: Vectors) -> None:
    old, new = two_models(vectors, 0.1)
    with pytest.raises(VecsmithError, match="150 texts"):
        plan(old, sample(new, 150))


def test_tables_show_every_way(vectors: Vectors) -> None:
    planned = plan(*two_models(vectors, 0.05))
    options, learning, clusters = migration_plan(planned).tables
    assert [row[0] for row in options.rows] == [option.name for option in planned.options]
    assert len(learning.rows) == 3
    assert len(clusters.rows) == len(planned.clusters)


def test_a_text_with_brackets_is_no_markup(vectors: Vectors) -> None:
    old, new = two_models(vectors, 0.05)
    planned = plan(EmbeddingSet(vectors, old.ids, ["[/b] text [red]"] * len(old)), EmbeddingSet(new.vectors, new.ids))
    console = Console(width=160, file=StringIO())
    console.print(findings_terminal(migration_plan(planned)))
    assert "[/b] text [red]" in console.file.getvalue()


@pytest.mark.filterwarnings("error")
def test_old_vectors_that_are_all_the_same_have_a_plan(vectors: Vectors) -> None:
    _, new = two_models(vectors, 0.05)
    planned = plan(EmbeddingSet(np.ones_like(vectors), new.ids), new)
    assert all(0 <= option.retention <= 1 for option in planned.options)
    assert planned.options[1].retention < 0.5


def test_as_typed(vectors: Vectors, tmp_path: Path) -> None:
    old, new = two_models(vectors, 0.05)
    old.save(tmp_path / "old")
    sample(new, 300).save(tmp_path / "sample")
    sets = ["--old", str(tmp_path / "old"), "--new", str(tmp_path / "sample")]
    run = CliRunner().invoke
    planned = json.loads(run(app, ["migrate", "plan", *sets, "--json"]).stdout)
    assert (planned["pairs"], planned["documents"]) == (300, 600)
    assert "queries translated" in run(app, ["migrate", "plan", *sets]).stdout
    beside(old).save(tmp_path / "third")
    assert "fused with third" in run(app, ["migrate", "plan", *sets, "--fuse-with", str(tmp_path / "third")]).stdout
    out = tmp_path / "switched"
    result = run(app, ["migrate", "apply", *sets, "--out", str(out)])
    assert result.exit_code == 0, result.output
    switched = EmbeddingSet.open(out)
    assert switched.ids == old.ids
    assert switched.dimensions == new.dimensions
    assert switched.provenance.encoder == "new"
    part = EmbeddingSet.open(tmp_path / "sample")
    embedded = np.isin(switched.ids, part.ids)
    # they find each other as they did
    own = switched.vectors[embedded]
    order = np.argsort(part.vectors @ part.vectors.T)[:, -3:]
    assert (np.argsort(own @ own.T)[:, -3:] == order).mean() > 0.9
    ratio = float(result.stderr.split("(times ")[-1].split(")")[0])
    assert 0.5 < ratio <= 1
    assert np.allclose((own * part.vectors).sum(axis=1), ratio, atol=0.05)
    cosine = (switched.vectors[~embedded] * new.vectors[~embedded]).sum(axis=1)
    assert cosine.mean() > 0.8
    assert run(app, ["migrate", "apply", *sets, "--out", str(out)]).exit_code == 0
    EmbeddingSet(new.vectors[:300], [f"d{row}" for row in range(500, 800)]).save(tmp_path / "later")
    sets[3] = str(tmp_path / "later")
    result = run(app, ["migrate", "apply", *sets, "--out", str(tmp_path / "other")])
    assert "500 documents translated, and 300 vectors of the new" in result.stderr
    other = EmbeddingSet.open(tmp_path / "other")
    assert other.ids == [f"d{row}" for row in range(800)]
    assert other.provenance.content_hash == EmbeddingSet(other.vectors, other.ids, other.texts).provenance.content_hash


def beside(embedded: EmbeddingSet) -> EmbeddingSet:
    """Return the same texts, in another order, by a model whose noise is its own."""
    rng = np.random.default_rng(7)
    noisy = embedded.unit[:] + 0.2 * rng.standard_normal((len(embedded), embedded.dimensions))
    rows = rng.permutation(len(embedded))
    ids, texts = [embedded.ids[row] for row in rows], [embedded.texts[row] for row in rows] if embedded.texts else None
    return EmbeddingSet(normalize(noisy[rows].astype("float32")), ids, texts, Provenance(encoder="st:models/third"))


def test_a_model_beside_keeps_more(vectors: Vectors) -> None:
    old, new = two_models(vectors, 0.1)
    alone, planned = plan(old, new), plan(old, new, beside(old))
    without, options = planned.options[: len(alone.options)], planned.options[len(alone.options) :]
    assert without == alone.options
    assert [option.name for option in options] == [f"{option.name}, fused with third" for option in alone.options]
    for option, more in zip(alone.options[:2], options[:2], strict=True):
        assert more.retention > option.retention
    assert planned.learning_curve[-1][1:] == tuple(option.retention for option in options[:2])
    assert "fused with third" in migration_plan(planned).tables[1].title


def test_the_new_models_own_vectors_beside_keep_most(vectors: Vectors) -> None:
    old, new = two_models(vectors, 0.1)
    by_itself, by_another = plan(old, new, new).options[6:], plan(old, new, beside(old)).options[6:]
    for best, option in zip(by_itself[:2], by_another[:2], strict=True):
        assert best.retention > option.retention


def test_a_model_beside_must_have_all_texts(vectors: Vectors) -> None:
    old, new = two_models(vectors, 0.1)
    third = beside(old)
    part = EmbeddingSet(third.vectors[:500], third.ids[:500])
    with pytest.raises(VecsmithError, match=r"has no vector of 'd\d+'"):
        plan(old, new, part)
