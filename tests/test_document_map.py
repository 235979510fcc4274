"""Maps of documents: the layout, the sample, clusters and their words, and their file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from test_compare import run_cli, write_task
from vecsmith import VecsmithError
from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.evaluation.compare import compared, measure
from vecsmith.evaluation.query_rankings import task_queries
from vecsmith.report import check_map_method, read_run
from vecsmith.report.clusters import cluster_words
from vecsmith.report.document_map import DocumentMap, document_map, read_maps, write_maps
from vecsmith.tasks import load_task


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a BEIR folder of 120 documents in two clusters, of which the first 20 answer a query each."""
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(2, 16) * 2, 60, axis=0)
    X = normalize(centers + 0.3 * rng.standard_normal((120, 16)))
    Q = normalize(X[:20] + 0.1 * rng.standard_normal((20, 16)))
    return write_task(tmp_path / "tiny", X, Q, range(20))


def mapped(folder: Path, seed: int = 0) -> DocumentMap:
    task = load_task(str(folder))
    queries = task_queries(task, "test", list(compared(measure([task], ["vectors:toy"], ["binary"]))))
    sets = [
        EmbeddingSet(np.load(folder / "vectors" / "toy" / f"{side}.npy"), texts.ids)
        for side, texts in (("corpus", task.corpus), ("queries", task.queries))
    ]
    return document_map(task, queries, "vectors:toy", *sets, "pca", seed)


def test_places_are_the_first_two_principal_components(folder: Path) -> None:
    drawn = mapped(folder)
    X, Q = (np.load(folder / "vectors" / "toy" / f"{side}.npy") for side in ("corpus", "queries"))
    pca = PCA(2).fit(X)
    expected, queries = pca.transform(X), pca.transform(Q)
    places = np.array(drawn.places, float)
    for axis in range(2):
        assert abs(np.corrcoef(places[:, axis], expected[:, axis])[0, 1]) > 0.9999
    # both axes have one scale
    scales = places.std(axis=0) / expected.std(axis=0)
    assert scales[0] == pytest.approx(scales[1], rel=1e-3)
    rows = [int(id_[1:]) for id_ in drawn.query_ids]
    assert abs(np.corrcoef(np.array(drawn.query_places)[:, 0], queries[rows, 0])[0, 1]) > 0.9999
    assert mapped(folder) == drawn


def test_ranked_documents_are_on_the_map_of_a_large_corpus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsmith.report.document_map.MAX_DOCUMENTS", 70)
    drawn = mapped(folder)
    assert (len(drawn.ids), len(set(drawn.ids)), drawn.corpus_size) == (70, 70, 120)
    # the queries are near the first documents
    assert {f"d{row}" for row in range(20)} <= set(drawn.ids)


def test_clusters_are_those_of_the_vectors(folder: Path) -> None:
    clusters: NDArray[Any] = np.array(mapped(folder).clusters)
    assert not set(clusters[:60]) & set(clusters[60:])


def test_words_of_clusters_tell_them_apart() -> None:
    cats = [f"the cat sleeps on sofa {'purring' if i % 2 else 'softly'}" for i in range(20)]
    ships = [f"the ship sails past harbor {'anchor' if i % 2 else 'harbor'}" for i in range(20)]
    words = cluster_words([*cats, *ships, *["the quiet"] * 400], np.repeat([0, 1, 2], [20, 20, 400]), 3)
    assert set(words[0].split(", ")) <= {"cat", "sleeps", "sofa"}
    assert words[1].startswith("harbor, ")
    # a word of most documents is no label
    assert words[2] == ""


def test_maps_survive_the_disk_and_damage_is_named(folder: Path, tmp_path: Path) -> None:
    drawn = mapped(folder)
    write_maps(tmp_path / "maps.jsonl.gz", [drawn])
    [read] = read_maps(tmp_path / "maps.jsonl.gz")
    assert (read.ids, read.labels and list(read.labels[0])) == (drawn.ids, list(drawn.labels[0]))
    (tmp_path / "maps.jsonl.gz").write_bytes(b"damaged")
    with pytest.raises(VecsmithError, match="cannot be read as maps of documents"):
        read_maps(tmp_path / "maps.jsonl.gz")


def test_a_small_corpus_has_no_map_and_layouts_have_names(tmp_path: Path) -> None:
    X = normalize(np.random.default_rng(0).standard_normal((12, 8)))
    task = write_task(tmp_path / "tiny", X, X[:5], range(5))
    run_cli(
        "compare", "--task", str(task), "--encoder", "vectors:toy", "--codec", "binary", "--out", str(tmp_path / "out")
    )
    assert not read_run(tmp_path / "out").maps
    with pytest.raises(VecsmithError, match="did you mean 'umap'"):
        check_map_method("umpa")
