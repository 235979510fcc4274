"""The contract of stores: every registered store that is installed takes codes and gives vectors back."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith import EmbeddingSet, VecsmithError
from vecsmith.index import CodeSet
from vecsmith.index.scoring import is_bit_code
from vecsmith.stores import STORES, Store, blocks, export_codes, import_set, store_named

Vectors = NDArray[np.float32]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BATCH_ROWS", 128)


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest) -> Store:
    found = store_named(request.param)
    for package in found.packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    return found


@pytest.fixture
def where(store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a file or folder that does not exist, or a server."""
    if store.location != "server":
        return str(tmp_path / f"store.{store.name}")
    if store.name != "pgvector":
        pytest.skip(f"no server of {store.name}")
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def embedded(vectors: Vectors) -> EmbeddingSet:
    ids = [f"d{row}" for row in range(len(vectors))]
    return EmbeddingSet(vectors, ids, [f"text of {id_}" for id_ in ids])


def encoded(spec: str, embedded: EmbeddingSet, path: Path) -> CodeSet:
    return CodeSet.encode(vecsmith.codec(spec).fit(embedded.unit), embedded, path / "codes")


def test_a_store_describes_itself(store: Store) -> None:
    assert STORES[store.name] is type(store)
    assert type(store).__doc__
    assert store.location in ("file", "folder", "server")
    assert store.scoring in (None, "symmetric", "asymmetric")
    assert store.scoring is not None or not store.searches(vecsmith.codec("float32"))
    for spec in ("binary", "int8", "float32", "hybrid8B", "trellis8B"):
        assert store.searches(vecsmith.codec(spec)) in (True, False)


def test_decoded_vectors_come_back(store: Store, where: str, embedded: EmbeddingSet, tmp_path: Path) -> None:
    codes = encoded("int8", embedded, tmp_path)
    exported = export_codes(codes, store.name, where, "decoded", decoded=True)
    assert (exported.store, exported.rows, exported.decoded) == (store.name, len(codes), True)
    assert exported.bytes is None or exported.bytes > 0
    back = import_set(store.name, where, tmp_path / "back", "decoded")
    numbered = back.ids == [str(row) for row in range(len(codes))]
    rows = [int(id_.removeprefix("d")) for id_ in back.ids]
    assert numbered or sorted(back.ids) == sorted(embedded.ids)
    np.testing.assert_allclose(back.vectors, codes.codec.decode(codes.codes)[rows], atol=1e-3)
    assert back.texts is None or back.texts == [f"text of {id_}" for id_ in back.ids]
    assert back.provenance.dataset == store.name


@pytest.mark.parametrize("spec", ["binary", "int8", "trellis8B"])
def test_codes_are_taken_or_refused(
    store: Store, where: str, spec: str, embedded: EmbeddingSet, tmp_path: Path
) -> None:
    codes = encoded(spec, embedded, tmp_path)
    if store.bit_codes_only and not is_bit_code(codes.codec):
        with pytest.raises(VecsmithError, match="give --decoded"):
            export_codes(codes, store.name, where, spec)
        return
    exported = export_codes(codes, store.name, where, spec)
    assert exported.codec_bytes_per_vector == codes.codec.bytes_per_vector
    if store.searches(codes.codec) and exported.bytes_per_vector is not None and store.scoring == "symmetric":
        assert exported.bytes_per_vector < 4 * embedded.dimensions + 200


def test_a_table_is_replaced_only_if_forced(store: Store, where: str, embedded: EmbeddingSet, tmp_path: Path) -> None:
    codes = encoded("int8", embedded, tmp_path)
    fewer = CodeSet.encode(codes.codec, EmbeddingSet(embedded.vectors[:50], embedded.ids[:50]), tmp_path / "fewer")
    if store.location == "file":
        Path(where).write_bytes(b"a file of somebody else")
    else:
        export_codes(codes, store.name, where, "forced", decoded=True)
    with pytest.raises(VecsmithError, match="--force"):
        export_codes(fewer, store.name, where, "forced", decoded=True)
    if store.location == "file":
        assert Path(where).read_bytes() == b"a file of somebody else"
    else:
        assert len(import_set(store.name, where, tmp_path / "before", "forced")) == len(codes)
    exported = export_codes(fewer, store.name, where, "forced", decoded=True, force=True)
    assert exported.rows == len(import_set(store.name, where, tmp_path / "after", "forced")) == 50
    assert exported.bytes is None or exported.bytes > 0


def test_an_error_of_ours_is_not_the_stores(
    store: Store, where: str, embedded: EmbeddingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = encoded("binary", embedded, tmp_path)

    def broken(*_: Any) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(vecsmith.Codec, "decode", broken)
    with pytest.raises(ValueError, match="a fault of ours"):
        export_codes(codes, store.name, where, "broken", decoded=True)


def test_the_size_is_that_on_disk(store: Store, where: str, embedded: EmbeddingSet, tmp_path: Path) -> None:
    if store.location == "server":
        pytest.skip("no folder")
    exported = export_codes(encoded("binary", embedded, tmp_path), store.name, where)
    files = [Path(where)] if Path(where).is_file() else Path(where).rglob("*")
    size = sum(file.stat().st_size for file in files if file.is_file())
    assert exported.bytes is not None
    # Chroma renames its collection at the end
    assert exported.bytes == pytest.approx(size, rel=0.05)
    assert exported.bytes_per_vector == exported.bytes / len(embedded)


def test_a_missing_table_is_refused_and_not_created(store: Store, where: str, tmp_path: Path) -> None:
    with pytest.raises((VecsmithError, FileNotFoundError)):
        import_set(store.name, where, tmp_path / "out", "missing")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / f"store.{store.name}").exists()


def test_packages_of_stores_are_imported_only_when_used() -> None:
    packages = sorted({package for store in STORES.values() for package in store.packages} - {"faiss"})
    program = f"import sys, vecsmith.stores as s; list(s.STORES); print([p for p in {packages} if p in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
