"""The trellis code: its mathematics, its stream of bits and its promises."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.array_types import Codes, RowNumbers
from vecsmith.codecs.quantizers import early_termination, trellis, trellis_coding
from vecsmith.codecs.quantizers.trellis import Trellis
from vecsmith.codecs.quantizers.trellis_coding import (
    RATES,
    STATE_BITS,
    STATES,
    Step,
    allocate,
    distortions,
    pack,
    reproduce,
    tables,
    unpack,
    viterbi,
)
from vecsmith.errors import VecsmithError

Vectors = NDArray[np.float32]


def squared_error(Z: Vectors, reproduced: Vectors, weights: Vectors) -> NDArray[np.float64]:
    return (weights * (Z - reproduced) ** 2).sum(axis=1, dtype=np.float64)


@pytest.mark.parametrize("steps", [[(1, 1)] * 9, [(1, 2), (2, 1), (1, 1), (3, 1), (1, 3)], [(4, 1), (4, 1)]])
def test_viterbi_finds_the_best_of_all_streams(steps: list[Step]) -> None:
    bits = sum(k for k, _ in steps)
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((20, sum(v for _, v in steps))).astype(np.float32)
    weights = rng.random(Z.shape[1]).astype(np.float32) + 0.1
    streams = np.packbits(np.array(list(product([0, 1], repeat=bits)), np.uint8), axis=1, bitorder="little")
    everything = reproduce(unpack(streams, steps), steps)
    best = [squared_error(z[None], everything, weights).min() for z in Z]
    found = squared_error(Z, reproduce(viterbi(Z, steps, weights), steps), weights)
    np.testing.assert_allclose(found, best, rtol=1e-4, atol=1e-5)


def test_streams_are_packed_and_unpacked_exactly() -> None:
    rng = np.random.default_rng(1)
    for trial in range(20):
        steps = [RATES[rate] for rate in rng.integers(len(RATES), size=30)]
        Z = rng.standard_normal((50, sum(v for _, v in steps))).astype(np.float32)
        states = viterbi(Z, steps, np.ones(Z.shape[1], np.float32))
        codes = pack(states, steps)
        assert codes.shape == (50, -(-sum(k for k, _ in steps) // 8)), trial
        assert np.array_equal(unpack(codes, steps), states)


@pytest.mark.parametrize("size", [3, 8, 24, 48])
def test_compiled_loops_give_the_same_codes(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    rng = np.random.default_rng(size)
    X = (rng.standard_normal((3000, 96)) * 0.9 ** np.arange(96)).astype(np.float32)
    with_numba = Trellis(size).fit(X)
    codes = with_numba.encode(X)
    for count in (*range(1, 10), 15, 16, 17):  # the loop codes 16 vectors at a time
        assert np.array_equal(with_numba.encode(X[:count]), codes[:count])
    Z = with_numba.project(X[:5])
    estimates = X[:5] @ with_numba.decode(codes).T + rng.normal(0, 0.1, (5, len(X))).astype(np.float32)
    rows = np.argsort(-estimates)
    rows[-1, 300:] = -1
    estimates = np.take_along_axis(estimates, rows, axis=1)
    values, (scores, places) = with_numba.values(codes), with_numba.rescore(Z, codes, rows, estimates, 400)
    _check_early_termination(with_numba, codes, X[0], estimates[0], rows[0])
    for module in (trellis, trellis_coding):
        monkeypatch.setattr(module, "compiled_module", lambda _: None)
    with_numpy = Trellis(size).fit(X)
    assert {name: array.tobytes() for name, array in with_numba.arrays().items()} == {
        name: array.tobytes() for name, array in with_numpy.arrays().items()
    }
    assert np.array_equal(with_numpy.encode(X), codes)
    assert np.array_equal(with_numpy.values(codes), values)
    same_scores, same_places = with_numpy.rescore(Z, codes, rows, estimates, 400)
    assert np.array_equal(places == -1, same_places == -1)
    assert (places[-1] == -1).sum() == 100
    np.testing.assert_allclose(same_scores, scores, atol=1e-6 * np.linalg.norm(X[0]))
    assert (places == same_places).mean() > 0.99  # scores that differ by rounding only may change places


def _check_early_termination(
    compiled: Trellis, codes: Codes, x: Vectors, estimates: Vectors, candidates: RowNumbers
) -> None:
    """Check that the compiled loop scores as many candidates as Python does: a better one is found only among them."""
    Z, best = compiled.project(x[None]), int(np.argmax(compiled.decode(codes) @ x))
    others, estimates = candidates[candidates != best], estimates[candidates != best]
    score, counts = compiled._scorer(Z[0], codes), list[int]()

    def counted(rows: RowNumbers) -> Vectors:
        counts.append(len(rows))
        return score(rows)

    early_termination.rescore([counted], others[None], estimates[None], 10)
    count = sum(counts)
    assert 10 < count < len(others)
    for place, is_scored in ((count - 1, True), (count, False)):
        planted = np.insert(others, place, best)[None], np.insert(estimates, place, estimates[place])[None]
        assert (best in compiled.rescore(Z, codes, *planted, 10)[1]) == is_scored


@pytest.mark.parametrize("step", RATES)
def test_distortions_are_those_of_noise_and_near_their_bound(step: Step) -> None:
    k, v = step
    rng = np.random.default_rng(7)
    steps = [step] * (STATE_BITS + 64)
    Z = rng.standard_normal((400, len(steps) * v)).astype(np.float32)
    reproduced = reproduce(viterbi(Z, steps, np.ones(Z.shape[1], np.float32)), steps)
    # the first steps are bound to the zeros before the stream
    measured = ((Z - reproduced)[:, STATE_BITS * v :] ** 2).mean()
    assert measured == pytest.approx(distortions()[step], rel=0.03)
    bound = 2 ** (-2 * k / v)
    assert bound < measured < bound * 1.7
    assert tables()[step].shape == (v, STATES)


def test_one_bit_a_value_beats_the_best_scalar_quantizer() -> None:
    # Max 1960: 0.3634 for one bit a Gaussian value
    assert distortions()[1, 1] < 0.31


@pytest.mark.parametrize("bits", [8, 16, 104, 320, 800, 1600])
def test_every_bit_is_spent_where_it_helps_most(bits: int) -> None:
    variances = 1 / np.arange(1, 401) ** 1.2
    steps = allocate(variances, bits)
    assert sum(k for k, _ in steps) == bits
    assert sum(v for _, v in steps) <= 400
    assert set(steps) <= set(RATES)
    rates = [k / v for k, v in steps]
    assert rates[0] == max(rates)
    shares = [k / v for k, v in steps for _ in range(v)]
    # whatever is poorer than its neighbor with less variance is so by the few bits left over
    assert sum(np.diff(shares) > 0) <= 3


def test_a_steep_spectrum_leaves_components_out_and_a_flat_one_does_not() -> None:
    steep = allocate(0.7 ** np.arange(64.0), 64)
    flat = allocate(np.ones(64), 64)
    assert sum(v for _, v in steep) < 40
    assert sum(v for _, v in flat) == 64


def test_more_bytes_are_nearer(vectors: Vectors) -> None:
    cosines = []
    for size in (2, 4, 8, 16):
        codec = vecsmith.codec(f"trellis{size}B").fit(vectors)
        cosines.append((codec.decode(codec.encode(vectors)) * vectors).sum(axis=1).mean())
    assert cosines == sorted(cosines)
    assert cosines[-1] > 0.98


def test_nearer_than_every_rival_of_its_bytes(vectors: Vectors) -> None:
    train, test = vectors[:300], vectors[300:]

    def cosine(spec: str) -> float:
        codec = vecsmith.codec(spec).fit(train)
        decoded = codec.decode(codec.encode(test))
        return float(((decoded * test).sum(axis=1) / np.linalg.norm(decoded, axis=1)).mean())

    ours = cosine("trellis5B")
    assert codec_bytes("trellis5B") == codec_bytes("binary") == codec_bytes("faiss:PQ10x4") == 5
    for rival in ("binary", "median", "faiss:PQ10x4", "faiss:OPQ10,PQ10x4"):
        assert ours > cosine(rival) + 0.01, rival


def codec_bytes(spec: str) -> int:
    return vecsmith.codec(spec).fit(np.random.default_rng(0).standard_normal((600, 40)).astype("f4")).bytes_per_vector


def test_codes_stand_for_unit_vectors(vectors: Vectors) -> None:
    codec = vecsmith.codec("trellis6B").fit(vectors)
    np.testing.assert_allclose(np.linalg.norm(codec.decode(codec.encode(vectors)), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("size", [0, 21])
def test_sizes_that_do_not_suit(size: int, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match="choose from 1 to 20 bytes"):
        vecsmith.codec(f"trellis{size}B").fit(vectors)


def test_few_or_equal_vectors_can_still_be_coded() -> None:
    for X in (np.ones((1, 16), np.float32), np.ones((50, 16), np.float32), np.eye(3, 16, dtype=np.float32)):
        codec = vecsmith.codec("trellis4B").fit(X)
        assert np.isfinite(codec.decode(codec.encode(X))).all()
