"""Short runs of the soak test and of the kills, and that they notice what is wrong."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import vecsmith
from vecsmith import VecsmithError
from vecsmith.codecs import load_codec
from vecsmith.index import code_set
from vecsmith.index.snapshot import Snapshot
from vecsmith.index.tie_order import sort_by_score
from vecsmith.stores import store_named
from vecsmith.stores.chroma import METADATA
from vecsmith.stores.chroma_client import open_folder

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def script(name: str) -> ModuleType:
    """Import a script of the folder benchmarks as a module."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    return script("soak")


def failure(soak: ModuleType, name: str, tmp_path: Path, seconds: float) -> tuple[str, dict[str, int]]:
    world = soak.World(name, tmp_path / "index", 0, 0)
    world.run(seconds)
    return world.failure, world.counts


@pytest.mark.parametrize("name", ["binary, symmetric", "hybrid16B", "float32", "hybrid4B+trellis4B"])
def test_every_answer_is_right_while_rows_change_and_versions_switch(
    name: str, soak: ModuleType, tmp_path: Path
) -> None:
    wrong, counts = failure(soak, name, tmp_path, 1)
    assert not wrong
    assert counts["searches"] and counts["changes"]


def late_deletes(snapshot: Snapshot, rows: Any) -> Snapshot:
    return snapshot


def rows_twice(snapshot: Snapshot, Q: Any, scores: Any, rows: Any) -> Any:
    return scores, np.repeat(rows[:, :1], rows.shape[1], axis=1)


def unordered_ties(scores: Any, rows: Any, rank_of: Any, content_of: Any) -> Any:
    return sort_by_score(scores, rows, np.negative, content_of)


@pytest.mark.parametrize(
    ("name", "broken", "what", "instead", "complaint"),
    [
        (
            "int8",
            Snapshot,
            "without_rows",
            late_deletes,
            r"rows that may not be found|documents rather than|has other ids",
        ),
        ("binary, rescored by float32", "vecsmith.index.search", "rescore", rows_twice, "or twice"),
        ("binary, symmetric", "vecsmith.index.ranking", "sort_by_score", unordered_ties, "out of order"),
        ("hybrid16B", "vecsmith.index.ranking", "sort_by_score", unordered_ties, "out of order"),
    ],
)
def test_a_wrong_answer_is_noticed(
    name: str,
    broken: Any,
    what: str,
    instead: Any,
    complaint: str,
    soak: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.modules[broken] if isinstance(broken, str) else broken, what, instead)
    wrong, _ = failure(soak, name, tmp_path, 20)
    assert re.match(rf"seed 0, round 0, {name}: (the folder of )?version \d+", wrong)
    # which of the threads notices first is not known
    assert re.search(complaint, wrong)


def test_equal_documents_tie_however_their_scores_are_rounded() -> None:
    scores = np.array([[0.5, 0.3, 0.3 + 6e-8, 0.3 - 6e-8, 0.1]], np.float32)
    rows = np.array([[9, 4, 7, 2, 3]])
    contents = {9: "a", 4: "b", 7: "c", 2: "b", 3: "d"}
    ordered, found = sort_by_score(scores, rows, np.positive, contents.__getitem__)
    assert found.tolist() == [[9, 7, 2, 4, 3]]
    assert ordered[0, 2] == ordered[0, 3]
    # without a tolerance for rounding, the scores are what they are
    _, exact = sort_by_score(scores, rows, np.positive, contents.__getitem__, tolerance=0)
    assert exact.tolist() == [[9, 7, 4, 2, 3]]


@pytest.mark.parametrize("spec", ["trellis8B", "hybrid8B", "float32"])
def test_copies_that_are_added_one_by_one_tie_with_the_first(spec: str, vectors: Any) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    index = vecsmith.Index(codec, codec.encode(vectors[:300]))
    for _ in range(5):
        index.add(vectors[7:8])
    scores, rows = index.search(vectors[7:8], 6)
    assert rows[0].tolist() == [7, 300, 301, 302, 303, 304]
    assert len(set(scores[0].tolist())) == 1
    assert index.search(vectors[7:8], 3)[1][0].tolist() == [7, 300, 301]


@pytest.fixture(scope="module")
def kills(soak: ModuleType) -> ModuleType:
    # the script imports `soak`, which is in sys.modules by now
    for module in ("lancedb", "chromadb", "usearch"):
        pytest.importorskip(module)
    return script("kills")


@pytest.mark.slow
def test_what_was_acknowledged_survives_kills() -> None:
    for module in ("lancedb", "chromadb", "usearch"):
        pytest.importorskip(module)
    command = [sys.executable, str(BENCHMARKS / "kills.py"), "--kills", "40"]
    printed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    assert "nothing lost in 40 kills" in printed.stdout


@pytest.mark.parametrize("scenario", ["Index.save", "export to npy", "export to faiss"])
def test_what_is_half_written_or_lost_is_noticed(scenario: str, kills: ModuleType, tmp_path: Path) -> None:
    steps = kills.SCENARIOS[scenario]
    assert steps.found(tmp_path, 0) == 0
    for number in (1, 2):
        steps.step(tmp_path, number)
        assert steps.found(tmp_path, number) == number
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix not in (".json", ".safetensors")]
    for file in files:
        data = file.read_bytes()
        file.write_bytes(data[: 2 * len(data) // 3])
        with pytest.raises((VecsmithError, AssertionError)):
            steps.found(tmp_path, 2)
        file.write_bytes(data)


def test_a_set_without_its_manifest_is_refused(
    kills: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kills.writer, "SHARD_ROWS", kills.SHARD_ROWS)
    steps = kills.SCENARIOS["EmbeddingWriter"]
    for number in range(1, kills.SHARDS + 2):
        steps.step(tmp_path, number)
        assert steps.found(tmp_path, number) == number
    (tmp_path / "set-0" / "manifest.json").unlink()
    with pytest.raises(VecsmithError, match="no embedding set"):
        steps.found(tmp_path, kills.SHARDS + 1)


def test_a_table_that_was_broken_off_is_refused_and_replaced(kills: ModuleType, tmp_path: Path) -> None:
    steps = kills.SCENARIOS["export to lancedb"]
    steps.step(tmp_path, 1)
    assert steps.holds(tmp_path, 1)
    (versions,) = tmp_path.rglob("_versions")
    shutil.rmtree(versions)
    assert not steps.holds(tmp_path, 1)
    with pytest.raises(VecsmithError, match="no table 'step-1', but none"):
        store_named("lancedb").read(steps.where(tmp_path, 1), "step-1")
    steps.step(tmp_path, 1)
    assert steps.holds(tmp_path, 1)


def test_a_collection_that_was_broken_off_is_refused_and_replaced(kills: ModuleType, tmp_path: Path) -> None:
    steps = kills.SCENARIOS["export to chroma"]
    left = open_folder(steps.where(tmp_path, 1)).create_collection(
        "step-1-unfinished", metadata=dict(METADATA), embedding_function=None
    )
    left.add(ids=["x"], embeddings=np.ones((1, 3)))
    assert not steps.holds(tmp_path, 1)
    with pytest.raises(VecsmithError, match="no collection 'step-1', but none"):
        store_named("chroma").read(steps.where(tmp_path, 1), "step-1")
    steps.step(tmp_path, 1)
    assert steps.holds(tmp_path, 1)
    with pytest.raises(VecsmithError, match="has a collection 'step-1' already"):
        steps.step(tmp_path, 1)


def test_a_folder_that_is_replaced_by_its_equal_while_it_is_opened_is_opened_again(
    vectors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = vecsmith.codec("int8").fit(vectors)
    index, opened = vecsmith.Index(codec, codec.encode(vectors)), []
    index.save(tmp_path / "index")

    def replaced_meanwhile(path: Path) -> Any:
        opened.append(path)
        if len(opened) == 1:
            index.save(tmp_path / "index")
        return load_codec(path)

    monkeypatch.setattr(code_set, "load_codec", replaced_meanwhile)
    assert len(vecsmith.Index.load(tmp_path / "index")) == len(index)
    assert len(opened) == 2
