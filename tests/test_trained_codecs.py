"""Thresholds, groups and networks: what their codes promise beyond the contract."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith import training
from vecsmith.codecs import options
from vecsmith.codecs.quantizers.grouped import Grouped, GroupQuantizer, _group
from vecsmith.errors import VecsmithError

pytest.importorskip("torch")

Vectors = NDArray[np.float32]
TRAINED = ["thresholds", "grouped3B", "grouped3B(rule=sum)", "grouped9/4", "neural4B"]


def cosine(spec: str, train: Vectors, test: Vectors) -> float:
    codec = vecsmith.codec(spec).fit(train)
    decoded = codec.decode(codec.encode(test))
    return float(((decoded * test).sum(axis=1) / np.linalg.norm(decoded, axis=1)).mean())


@pytest.mark.parametrize("spec", TRAINED)
def test_codes_stand_for_unit_vectors(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    np.testing.assert_allclose(np.linalg.norm(codec.decode(codec.encode(vectors)), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("spec", TRAINED)
def test_few_equal_or_constant_vectors_can_still_be_coded(spec: str) -> None:
    constant = np.random.default_rng(0).standard_normal((50, 40)).astype(np.float32)
    constant[:, [3, 7]] = 0
    for X in (np.full((30, 40), 40**-0.5, np.float32), np.eye(3, 40, dtype=np.float32), constant):
        codec = vecsmith.codec(spec).fit(X)
        assert np.isfinite(codec.decode(codec.encode(X))).all()


def test_thresholds_are_nearer_than_signs(vectors: Vectors) -> None:
    train, test = vectors[:400], vectors[400:]
    assert cosine("thresholds", train, test) > cosine("binary", train, test) + 0.02


def test_a_network_is_near_what_it_starts_from(vectors: Vectors) -> None:
    train, test = vectors[:400], vectors[400:]
    assert cosine("neural5B", train, test) > cosine("binary-autoencoder5B", train, test) - 0.02
    assert cosine("neural5B", train, test) > cosine("binary", train, test)


@pytest.mark.parametrize(
    ("spec", "bits", "single", "size"),
    [
        ("grouped3B", 24, 8, 2),
        ("grouped2B", 16, 4, 3),
        ("grouped1B", 8, 0, 5),
        ("grouped20/2", 30, 20, 2),
        ("grouped0/40", 1, 0, 40),
        ("grouped3/5", 11, 3, 5),
        ("grouped38/2", 39, 38, 2),
    ],
)
def test_groups_hold_every_dimension_once_and_the_first_alone(
    spec: str, bits: int, single: int, size: int, vectors: Vectors
) -> None:
    stage = vecsmith.codec(spec).quantizer
    assert isinstance(stage, GroupQuantizer)
    members, orientation = _group(vectors, *stage._layout(40))
    assert members.shape == (bits, size)
    groups = [set(group.tolist()) for group in members]
    assert sorted(i for group in groups for i in group) == list(range(40))
    assert groups[:single] == [{i} for i in range(single)]
    assert all(len(group) in (size - 1, size) for group in groups[single:])
    assert set(orientation.tolist()) <= {-1.0, 1.0}


def test_groups_are_of_dimensions_that_correlate() -> None:
    rng = np.random.default_rng(0)
    source = rng.standard_normal((500, 8))
    X = np.hstack([source, -source + 0.1 * rng.standard_normal((500, 8))]).astype(np.float32)
    members, orientation = _group(X, 0, 8)
    assert {frozenset(group) for group in members.tolist()} == {frozenset((i, i + 8)) for i in range(8)}
    assert (orientation[:8] * orientation[8:] == -1).all()


def test_a_shared_bit_is_zero_where_all_are_below(vectors: Vectors) -> None:
    stage = vecsmith.codec("grouped3B").fit(vectors).quantizer
    assert isinstance(stage, Grouped)
    above = vectors * stage.orientation_ > stage.threshold_
    for group, bit in zip(stage.members_, stage.bits(vectors).T, strict=True):
        assert np.array_equal(bit, above[:, group].any(axis=1))


@pytest.mark.parametrize("spec", ["grouped3B(rule=sum)", "grouped3/5(rule=sum)"])
def test_a_shared_bit_is_one_where_the_sum_is_above_the_sum_of_thresholds(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    stage = codec.quantizer
    assert isinstance(stage, GroupQuantizer)
    groups = [sorted(set(group)) for group in stage.members_.tolist()]
    expected = np.array([(vectors * stage.orientation_ - stage.threshold_)[:, group].sum(axis=1) for group in groups]).T
    unclear = np.abs(expected) < 1e-6
    assert np.array_equal((expected > 0) | unclear, stage.bits(vectors) | unclear)
    assert codec.bytes_per_vector == -(-len(groups) // 8)
    # another rule makes other bits of the same groups
    assert not np.array_equal(codec.encode(vectors), vecsmith.codec(spec.split("(")[0]).fit(vectors).encode(vectors))


@pytest.mark.parametrize("spec", ["grouped0B", "grouped5B", "neural0B", "grouped10/1", "grouped39/2", "grouped0/41"])
def test_sizes_that_do_not_suit(spec: str, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match=r"1 to 4 bytes|a byte or more|groups 2 or more dimensions, and at most"):
        vecsmith.codec(spec).fit(vectors)


@pytest.mark.parametrize("spec", ["thresholds", "grouped3B", "grouped3B(rule=sum)", "neural3B"])
def test_more_starts_never_raise_the_validation_loss(
    spec: str, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, _, rest = spec.partition("(")
    losses: list[float] = []
    original = training.train_codes

    def recorded(*arguments: Any, **settings: Any) -> Any:
        result = original(*arguments, **settings)
        losses.append(result[1])
        return result

    monkeypatch.setattr(training, "train_codes", recorded)
    codecs = []
    for count in (1, 5):
        options = ",".join(["steps=20", f"starts={count}", *filter(None, [rest.rstrip(")")])])
        codecs.append(vecsmith.codec(f"{head}({options})").fit(vectors))
    assert len(losses) == 6
    assert losses[1] == losses[0]
    assert len(set(losses[1:])) == 5
    same = np.array_equal(*(codec.encode(vectors) for codec in codecs))
    assert same == (min(losses[1:]) == losses[1])


def judged(vectors: Vectors, noise: float = 0.1) -> training.JudgedPairs:
    """Return queries that look for documents by other dimensions than those in which most documents differ."""
    rng = np.random.default_rng(5)
    rows = np.arange(0, 400, 2)
    queries = vectors[rows] * np.linspace(0.2, 2, 40) + noise * rng.standard_normal((200, 40)) / 40**0.5
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return training.JudgedPairs(queries.astype(np.float32), vectors, np.column_stack([np.arange(200), rows]))


@pytest.mark.parametrize("spec", ["thresholds", "grouped3B", "pca24,grouped2B", "neural3B"])
def test_judged_pairs_train_a_contrastive_loss(spec: str, vectors: Vectors) -> None:
    pairs = judged(vectors)
    codec = vecsmith.codec(f"{spec}(steps=60,loss=contrastive)")
    fitted = codec.fit(vectors, pairs=pairs).encode(vectors)
    assert np.array_equal(vecsmith.codec(codec.spec).fit(vectors, pairs=pairs).encode(vectors), fitted)
    assert codec.quantizer.pairs is None  # type: ignore[attr-defined]
    assert not np.array_equal(vecsmith.codec(codec.spec).fit(vectors).encode(vectors), fitted)


def test_judged_pairs_raise_the_rank_of_the_judged_documents(vectors: Vectors) -> None:
    pairs = judged(vectors)
    queries, rows = pairs.queries, pairs.relevant[:, 1]
    unseen = replace(pairs, relevant=pairs.relevant[::2])

    def rank(codec: vecsmith.Codec) -> float:
        scores = queries @ codec.decode(codec.encode(vectors)).T
        ranks = (scores > scores[np.arange(200), rows][:, None]).sum(axis=1)
        return float(ranks[1::2].mean())

    spec = "grouped3B(steps=150,loss=contrastive)"
    with_pairs, without = vecsmith.codec(spec).fit(vectors, pairs=unseen), vecsmith.codec(spec).fit(vectors)
    assert rank(with_pairs) < 0.95 * rank(without)


def test_pairs_that_do_not_suit(vectors: Vectors) -> None:
    pairs = judged(vectors)
    for spec in ("thresholds", "binary", "binary+thresholds(loss=contrastive)"):
        with pytest.raises(VecsmithError, match="does not end in a quantizer with a contrastive loss"):
            vecsmith.codec(spec).fit(vectors, pairs=pairs)
    contrastive = vecsmith.codec("thresholds(loss=contrastive)")
    with pytest.raises(VecsmithError, match=r"queries of the judged pairs have shape \(200, 39\)"):
        contrastive.fit(vectors, pairs=replace(pairs, queries=pairs.queries[:, :39]))
    with pytest.raises(VecsmithError, match="no training vector is judged relevant"):
        contrastive.fit(vectors, pairs=replace(pairs, relevant=pairs.relevant[:0]))


OPTIONS = ["steps=40", "batch=64", "learning_rate=0.5", "weight_decay=50", "relaxation=tanh", "relaxation=gumbel"]
OPTIONS += ["loss=similarity", "loss=contrastive", "rule=sum"]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("spec", ["thresholds", "grouped3B", "neural3B", "autoencoder8:mlp1", "adaptor8"])
def test_training_options_are_used_and_saved(spec: str, option: str, vectors: Vectors, tmp_path: Path) -> None:
    if option.partition("=")[0] not in vecsmith.codec(spec).stages[0].takes:
        with pytest.raises(VecsmithError, match=f"Unknown option of {spec} '{option.partition('=')[0]}'"):
            vecsmith.codec(f"{spec}({option})")
        return
    default, codec = vecsmith.codec(spec, 2).fit(vectors), vecsmith.codec(f"{spec}({option})", 2).fit(vectors)
    assert not np.array_equal(codec.decode(codec.encode(vectors)), default.decode(default.encode(vectors)))
    codec.save(tmp_path / "codec")
    loaded = vecsmith.load_codec(tmp_path / "codec")
    assert loaded.spec == codec.spec == f"{spec}({option})"
    assert loaded.stages[0].options == codec.stages[0].options != {}
    assert np.array_equal(loaded.encode(vectors), codec.encode(vectors))


@pytest.mark.parametrize(
    ("option", "steps"), [("steps=7", 7), ("steps=60", 60), ("steps=60,batch=10", 60), ("batch=300", 54)]
)
def test_steps_that_are_given_are_not_lowered_for_few_vectors(option: str, steps: int, vectors: Vectors) -> None:
    stage = vecsmith.codec(f"autoencoder8:linear({option})").stages[0]
    assert stage._training_settings().steps_for(540) == steps


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pca16(steps=5)", "pca16 takes no training options"),
        ("autoencoder16(steps=5)", "autoencoder16 takes no training options"),
        ("adaptor16(rate=5)", "Unknown option of adaptor16 'rate': did you mean 'learning_rate'"),
        ("adaptor16(steps)", "steps of adaptor16 must be a whole number of 1 or more, not ''"),
        ("adaptor16(steps=0)", "steps of adaptor16 must be a whole number of 1 or more, not '0'"),
        ("adaptor16(steps=1.5)", "not '1.5'"),
        ("adaptor16(learning_rate=nan)", "learning_rate of adaptor16 must be a number above 0, not 'nan'"),
        ("adaptor16(weight_decay=-1)", "weight_decay of adaptor16 must be a number of 0 or more"),
        ("adaptor16(steps=5,steps=6)", "given the option steps twice"),
        ("thresholds(loss=hinge)", "loss of thresholds must be one of listwise, similarity, contrastive, not 'hinge'"),
        ("grouped3B(rule=and)", "rule of grouped3B must be one of or, sum, not 'and'"),
        ("thresholds(rule=sum)", "Unknown option of thresholds 'rule'"),
        ("thresholds(relaxation=soft)", "must be one of straight-through, sigmoid"),
        ("binary+thresholds(relaxation=soft)", "relaxation of thresholds must be one of"),
    ],
)
def test_options_that_do_not_suit(spec: str, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        vecsmith.codec(spec)


def test_every_relaxation_and_loss_that_a_spec_may_name_is_there() -> None:
    assert tuple(training.RELAXATIONS) == options.RELAXATIONS
    assert tuple(training.LOSSES) == options.LOSSES
