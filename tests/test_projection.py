"""Products of queries with matrices, by FAISS and by a compiled loop."""

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.codecs.projection import matrix_of, projection

Vectors = NDArray[np.float32]


@pytest.mark.parametrize("d", [12, 13])
def test_a_linear_function_is_the_same_by_faiss_and_compiled(d: int) -> None:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((7, d)).astype(np.float32)
    Q = rng.standard_normal((5, d)).astype(np.float32)
    found = projection(lambda Q: Q @ A.T, d)
    for count in range(6):  # the compiled loop multiplies a few
        np.testing.assert_allclose(found(Q[:count]), Q[:count] @ A.T, atol=1e-5)
    matrix = matrix_of(lambda Q: Q @ A.T, d)
    assert matrix is not None
    np.testing.assert_allclose(matrix, A, atol=1e-6)


@pytest.mark.parametrize("project", [np.tanh, lambda Q: Q + 1, lambda Q: 2 * Q, lambda Q: Q])
def test_what_is_not_linear_or_diagonal_stays_what_it_is(project: object) -> None:
    assert projection(project, 12) is project  # type: ignore[arg-type]


def test_codes_of_one_codec_share_the_projection(vectors: Vectors) -> None:
    codec = vecsmith.codec("hybrid8B").fit(vectors)
    index = vecsmith.Index(codec, codec.encode(vectors[:500]))
    index.search(vectors[:1])
    for row in range(500, 504):
        index.add(vectors[row : row + 1])
    assert len({id(part._projection) for part in index.partitions}) == 1
    assert len(index.partitions) > 1


@pytest.mark.parametrize("spec", ["median", "pca16,int8", "hybrid8B", "levels3", "pca20,binary", "float32"])
def test_queries_are_projected_as_the_codec_says(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    part = vecsmith.Index(codec, codec.encode(vectors)).partitions[0]
    reduced, offset = codec.reduce_queries(vectors[:9])
    expected = (*codec.quantizer.project_queries(reduced), offset)
    for found, wanted in zip(part._project(vectors[:9]), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
