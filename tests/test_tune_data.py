"""Mined negatives, cross-encoders as labellers, the recipes of training data, and the commands."""

import errno
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import WORDS

torch = pytest.importorskip("torch")
pytest.importorskip("datasets")
pytest.importorskip("bm25s")

from loopback import Server  # noqa: E402
from test_translate_cli import run  # noqa: E402
from vecsmith import files  # noqa: E402
from vecsmith.encoders import load_encoder  # noqa: E402
from vecsmith.errors import VecsmithError  # noqa: E402
from vecsmith.retrievers import CrossEncoderModel  # noqa: E402
from vecsmith.retrievers.vector_sources import EncoderVectors  # noqa: E402
from vecsmith.tasks import Task, Texts, load_task  # noqa: E402
from vecsmith.tune.cross_encoder import CrossEncoderTraining, open_cross_encoder, train_cross_encoder  # noqa: E402
from vecsmith.tune.examples import TrainingExamples  # noqa: E402
from vecsmith.tune.generation import normal  # noqa: E402
from vecsmith.tune.labels import cosines, label_margins, logits, score_pairs  # noqa: E402
from vecsmith.tune.negatives import mine_negatives, retriever_of  # noqa: E402
from vecsmith.tune.recipes import RECIPES  # noqa: E402
from vecsmith.tune.sampling import sample_pairs  # noqa: E402
from vecsmith.tune.training_data import DataOptions, make_examples  # noqa: E402

DOCUMENTS, TRAIN, TEST = 80, 30, 10


def write_task(folder: Path) -> Path:
    """Write a task in which a query has three words of its relevant document, which has five."""
    rng = np.random.default_rng(0)
    documents = list(dict.fromkeys(" ".join(words) for words in rng.choice(WORDS, (2 * DOCUMENTS, 5))))[:DOCUMENTS]
    queries = [" ".join(rng.choice(document.split(), 3, replace=False)) for document in documents[: TRAIN + TEST]]
    (folder / "qrels").mkdir(parents=True)
    for name, prefix, texts in (("corpus", "d", documents), ("queries", "q", queries)):
        lines = [json.dumps({"_id": f"{prefix}{row}", "text": text}) for row, text in enumerate(texts)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    for split, rows in (("train", range(TRAIN)), ("test", range(TRAIN, TRAIN + TEST))):
        lines = [f"q{row}\td{row}\t1" for row in rows]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_task(tmp_path / "toy")


@pytest.fixture
def task(folder: Path) -> Task:
    return load_task(str(folder))


def pairs_of(rows: list[tuple[str, str]]) -> TrainingExamples:
    return TrainingExamples.from_columns({"query": [a for a, _ in rows], "positive": [b for _, b in rows]})


# ---------------------------------------------------------------- negatives


class StaticModel:
    """The static encoder with the methods of a SentenceTransformer that `mine_hard_negatives` calls."""

    device = torch.device("cpu")
    model_card_data = SimpleNamespace(base_model="static")

    def _encode(self, texts: list[str], side: str) -> np.ndarray:
        return load_encoder("static").encode(texts, side)

    def encode_query(self, texts: list[str], **_: object) -> np.ndarray:
        return self._encode(texts, "query")

    def encode_document(self, texts: list[str], **_: object) -> np.ndarray:
        return self._encode(texts, "passage")

    def similarity(self, a: np.ndarray, b: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(a) @ torch.as_tensor(b).T

    def similarity_pairwise(self, a: np.ndarray, b: np.ndarray) -> torch.Tensor:
        return (torch.as_tensor(a) * torch.as_tensor(b)).sum(1)


@pytest.mark.parametrize("margin", [None, 0.0, 0.05, 0.3])
@pytest.mark.parametrize("count", [1, 3])
def test_negatives_equal_those_of_sentence_transformers(task: Task, margin: float | None, count: int) -> None:
    util = pytest.importorskip("sentence_transformers.util")
    gold = TrainingExamples.from_task(task)
    # a second relevant document of the first query
    rows = [(pair["query"], pair["positive"]) for pair in gold]
    pairs = pairs_of([*rows, (rows[0][0], task.corpus.texts[70])])
    mined = mine_negatives(pairs, task.corpus.texts, retriever_of("static", task.corpus), count, margin)
    theirs = util.mine_hard_negatives(
        pairs.dataset,
        StaticModel(),
        corpus=task.corpus.texts,
        relative_margin=margin,
        num_negatives=count,
        range_max=DOCUMENTS - 1,
        output_format="n-tuple",
        verbose=False,
    )
    expected = {(row["query"], row["positive"]): [*row.values()][2:] for row in theirs}
    found = {(row["query"], row["positive"]): [*row.values()][2:] for row in mined}
    assert 0 < len(found) == len(mined)
    assert found == expected
    assert sum(mined.counts.values()) == len(pairs) - len(mined)


@pytest.mark.parametrize("spec", ["bm25", "static", "bm25:k1=1.2"])
def test_negatives_are_never_relevant_nor_of_equal_text(task: Task, spec: str) -> None:
    gold = TrainingExamples.from_task(task)
    texts = [*task.corpus.texts, *(text.upper() + " " for text in task.corpus.texts[:20]), gold.column("query")[0]]
    corpus = Texts(list(map(str, range(len(texts)))), texts, "with copies")
    also = {normal(gold.column("query")[1]): {normal(text) for text in task.corpus.texts[40:]}}
    mined = mine_negatives(gold, texts, retriever_of(spec, corpus), 4, None, also)
    assert len(mined) > 20
    for row in mined:
        negatives = [normal(text) for name, text in row.items() if name.startswith("negative")]
        assert len(set(negatives)) == 4
        assert not {normal(row["query"]), normal(row["positive"])} & set(negatives)
        assert not also.get(normal(row["query"]), set()) & set(negatives)


def test_negatives_of_a_depth_are_drawn_from_the_first_documents(task: Task) -> None:
    gold, retriever = TrainingExamples.from_task(task), retriever_of("static", task.corpus)
    twice = pairs_of([(pair["query"], pair["positive"]) for pair in gold] * 2)
    first = mine_negatives(gold, task.corpus.texts, retriever, 10)
    candidates = {row["query"]: [*row.values()][2:] for row in first}

    def negatives(seed: int) -> list[list[str]]:
        mined = mine_negatives(twice, task.corpus.texts, retriever, 2, depth=10, seed=seed)
        return [[row["query"], row["negative"], row["negative_2"]] for row in mined]

    drawn = negatives(0)
    for query, *own in drawn:
        places = [candidates[query].index(text) for text in own]
        assert places == sorted(places) and len(set(places)) == 2
    assert drawn[: len(gold)] != drawn[len(gold) :]  # pairs of one query have different negatives
    assert drawn == negatives(0) != negatives(1)


def test_the_margin_keeps_negatives_below_the_positive(task: Task) -> None:
    gold, encoder = TrainingExamples.from_task(task), load_encoder("static")
    for margin in (0.0, 0.2):
        mined = mine_negatives(gold, task.corpus.texts, retriever_of("static", task.corpus), 1, margin)
        Q, P, N = (encoder.encode(mined.column(name), "passage") for name in ("query", "positive", "negative"))
        positive, negative = (Q * P).sum(1), (Q * N).sum(1)
        assert (negative <= (1 - margin) * positive + 1e-6).all()
        assert sum(mined.counts.values()) == len(gold) - len(mined)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "number of negatives must be at least 1, not 0"),
        ({"margin": 1.5}, "margin must be from 0 to 1, not 1.5"),
        ({"count": 200}, "no triplets to train on; .*30 × pair without enough negatives"),
    ],
)
def test_bad_arguments_of_mining_are_refused(task: Task, arguments: dict, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        mine_negatives(
            TrainingExamples.from_task(task), task.corpus.texts, retriever_of("bm25", task.corpus), **arguments
        )


# ---------------------------------------------------------------- cross-encoders


def overlap(query: str, text: str) -> float:
    return float(np.isin(query.split(), text.split()).mean())


def test_margins_are_differences_of_logits(task: Task, cross_encoder: str) -> None:
    gold = TrainingExamples.from_task(task)
    triplets = mine_negatives(gold, task.corpus.texts, retriever_of("bm25", task.corpus), 2, None)
    margins = label_margins(triplets, logits(CrossEncoderModel(cross_encoder)))
    assert (margins.kind, len(margins)) == ("margins", 2 * len(triplets))
    model = CrossEncoderModel(cross_encoder)
    for row in list(margins)[:6]:
        positive, negative = model.score_pairs(
            [(row["query"], row["positive"]), (row["query"], row["negative"])], "logit"
        )
        assert row["margin"] == pytest.approx(positive - negative, abs=1e-4)
    shares = [overlap(row["query"], row["positive"]) - overlap(row["query"], row["negative"]) for row in margins]
    assert np.corrcoef(shares, margins.column("margin"))[0, 1] > 0.3


def test_an_encoder_gives_margins_of_cosines() -> None:
    triplets, encoder = overlap_triplets(20), load_encoder("static")
    margins = label_margins(triplets, cosines(EncoderVectors(encoder)))
    Q, P, N = (encoder.encode(triplets.column(name), "query") for name in ("query", "positive", "negative"))
    np.testing.assert_allclose(margins.column("margin"), (Q * (P - N)).sum(1), atol=1e-5)
    assert np.mean(margins.column("margin")) > 0.1


def test_probabilities_are_the_sigmoid_of_logits(cross_encoder: str) -> None:
    pairs = [("map tree", "map tree stone"), ("map tree", "cloud"), ("map tree", "map tree stone")]
    logits, probabilities = (
        np.array(score_pairs(CrossEncoderModel(cross_encoder), pairs, scale)) for scale in ("logit", "probability")
    )
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-logits)), rtol=1e-5)
    assert logits[0] == logits[2]


@pytest.fixture(scope="module")
def trained(cross_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fine-tune the small cross-encoder on triplets in which the relevant text has all words of the query."""
    path = tmp_path_factory.mktemp("trained") / "cross-encoder"
    settings = CrossEncoderTraining(epochs=4, batch_size=8, learning_rate=3e-3, max_length=32)
    train_cross_encoder(overlap_triplets(), cross_encoder, path, 0, settings)
    return path


def overlap_triplets(rows: int = 100) -> TrainingExamples:
    rng = np.random.default_rng(1)
    columns: dict[str, list[str]] = defaultdict(list)
    for _ in range(rows):
        words = rng.permutation(WORDS)
        for name, chosen in (("query", words[:3]), ("positive", words[:5]), ("negative", words[5:10])):
            columns[name].append(" ".join(chosen))
    return TrainingExamples.from_columns(columns)


def test_a_trained_cross_encoder_ranks_and_opens(trained: Path) -> None:
    opened = open_cross_encoder(trained)
    assert opened.triplets >= 10
    assert opened.accuracy > 0.8
    positive, negative = CrossEncoderModel(str(trained)).score(
        "map tree stone", ["stone map tree river", "paper cloud"]
    )
    assert positive > negative


def test_a_plain_transformer_gets_a_seeded_output(cross_encoder: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.BertModel.from_pretrained(cross_encoder).save_pretrained(tmp_path / "plain")
    transformers.AutoTokenizer.from_pretrained(cross_encoder).save_pretrained(tmp_path / "plain")
    settings = CrossEncoderTraining(batch_size=32, max_length=32)
    scores = [
        CrossEncoderModel(
            str(
                train_cross_encoder(overlap_triplets(40), str(tmp_path / "plain"), tmp_path / name, seed, settings).path
            )
        ).score("map tree stone", ["map tree", "cloud"])
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert scores[0] == scores[1] != scores[2]


def test_bad_cross_encoders_and_examples_are_refused(cross_encoder: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.BertForSequenceClassification.from_pretrained(
        cross_encoder, num_labels=3, ignore_mismatched_sizes=True
    )
    model.save_pretrained(tmp_path / "three")
    transformers.AutoTokenizer.from_pretrained(cross_encoder).save_pretrained(tmp_path / "three")
    with pytest.raises(VecsmithError, match="three is a cross-encoder with 3 outputs; give one with one output"):
        train_cross_encoder(overlap_triplets(), str(tmp_path / "three"), tmp_path / "out")
    with pytest.raises(VecsmithError, match="three returns 3 scores per pair"):
        label_margins(overlap_triplets(4), logits(CrossEncoderModel(str(tmp_path / "three"))))
    with pytest.raises(VecsmithError, match="9 queries to train a cross-encoder on, which is too few; give 10"):
        train_cross_encoder(overlap_triplets(9), cross_encoder, tmp_path / "out")
    with pytest.raises(VecsmithError, match="trained on triplets, not on pairs; mine negatives first"):
        train_cross_encoder(pairs_of([("a", "b")]), cross_encoder, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(VecsmithError, match="is not a model"):
        train_cross_encoder(overlap_triplets(), str(tmp_path / "empty"), tmp_path / "out")
    settings = CrossEncoderTraining(learning_rate=1e30, max_length=32)
    with pytest.raises(VecsmithError, match=r"loss of the cross-encoder is not finite|returned nan"):
        train_cross_encoder(overlap_triplets(), cross_encoder, tmp_path / "out", 0, settings)
    assert not (tmp_path / "out").exists()


def test_a_cross_encoder_that_returns_nan_is_refused(cross_encoder: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.BertForSequenceClassification.from_pretrained(cross_encoder)
    torch.nn.init.constant_(model.classifier.bias, float("nan"))
    model.save_pretrained(tmp_path / "nan")
    transformers.AutoTokenizer.from_pretrained(cross_encoder).save_pretrained(tmp_path / "nan")
    with pytest.raises(VecsmithError, match=r"returned nan for the query .*; use another cross-encoder"):
        label_margins(overlap_triplets(4), logits(CrossEncoderModel(str(tmp_path / "nan"))))


# ---------------------------------------------------------------- samples


def test_samples_have_no_gold_pair_and_differ_by_strategy(task: Task) -> None:
    gold = TrainingExamples.from_task(task)
    known = {(pair["query"], pair["positive"]) for pair in gold}
    samples = {name: sample_pairs(gold, task, [name], 3) for name in ("random", "bm25", "static")}
    for pairs in samples.values():
        assert len(pairs) == len(set(pairs)) == 3 * len(set(gold.column("query")))
        assert not known & set(pairs)
        assert {text for _, text in pairs} <= set(task.corpus.texts)
    shares = {name: np.mean([overlap(*pair) for pair in pairs]) for name, pairs in samples.items()}
    assert shares["bm25"] > shares["random"] + 0.1
    assert shares["static"] > shares["random"] + 0.1
    both = sample_pairs(gold, task, ["random", "bm25"], 3)
    assert set(both) == {*samples["random"], *samples["bm25"]}
    assert sample_pairs(gold, task, ["random"], 3, seed=1) != samples["random"]
    with pytest.raises(VecsmithError, match="Give a sampling strategy"):
        sample_pairs(gold, task, [], 3)


# ---------------------------------------------------------------- recipes


def test_every_recipe_of_judgements(task: Task, cross_encoder: str) -> None:
    options = DataOptions(miner="bm25", negatives=2, cross_encoder=f"ce:{cross_encoder}", margin=0.0)
    # no query can be extracted from a single sentence
    kinds = {recipe.examples for recipe in RECIPES.values()} - {"margins"}
    made = {kind: make_examples(kind, task, None, options) for kind in kinds}
    assert all(examples.kind == kind for kind, examples in made.items())
    tested = {text for id_, text in task.queries.rows() if id_ in task.qrels["test"]}
    columns = {"pairs": "query", "triplets": "query", "scored pairs": "sentence1"}
    assert not any(tested & set(made[kind].column(name)) for kind, name in columns.items())
    assert made["triplets"].negatives == 2
    assert made["triplets"].provenance["miner"] == "bm25"
    assert set(made["sentences"].column("text")) == set(task.corpus.texts)


def documents_of_sentences() -> Task:
    rng = np.random.default_rng(0)
    bodies = [". ".join(" ".join(words) for words in rng.choice(WORDS, (3, 5))).capitalize() + "." for _ in range(40)]
    corpus = Texts([f"d{row}" for row in range(40)], bodies, "the corpus")
    queries = Texts(["q0", "q1"], [bodies[0].partition(". ")[0] + ".", "another query"], "the queries")
    return Task("sentences", corpus, queries, {"test": {"q0": {"d0": 1}, "q1": {"d1": 1}}})


def test_gpl_needs_no_judgements_and_leaves_out_test_queries(cross_encoder: str) -> None:
    task = documents_of_sentences()
    options = DataOptions(queries=2, miner="static", cross_encoder=f"ce:{cross_encoder}")
    margins = make_examples("margins", task, None, options)
    assert len(margins) > 50
    assert margins.counts["query judged in test"] == 1
    assert task.queries.texts[0] not in margins.column("query")
    assert margins.provenance["generator"]["spec"] == "extract:title,first,span"
    assert margins.provenance["cross_encoder"] == f"ce:{cross_encoder}"
    for row in margins:
        # the passage from which the query was taken is not its own negative
        assert row["query"] not in row["negative"]
        assert row["query"] not in row["positive"]


def test_gpl_takes_the_margins_of_a_teacher_instead() -> None:
    options = DataOptions(teacher="static", cross_encoder="ce:not-there")
    margins = make_examples("margins", documents_of_sentences(), None, options)
    assert np.abs(margins.column("margin")).max() <= 2
    assert margins.provenance["teacher"] == "static"
    with pytest.raises(VecsmithError, match="Unknown encoder 'statik'"):
        make_examples("margins", documents_of_sentences(), None, DataOptions(teacher="statik"))


def test_a_margin_counts_from_the_passage_of_an_extracted_query() -> None:
    triplets = make_examples("triplets", documents_of_sentences(), None, DataOptions(generator="extract", queries=1))
    assert len(triplets) > 30


def test_augmented_sbert_has_gold_and_silver(task: Task, cross_encoder: str) -> None:
    options = DataOptions(cross_encoder=f"ce:{cross_encoder}", sampling=("random", "bm25"), sampled=2)
    scored = make_examples("scored pairs", task, None, options)
    gold = TrainingExamples.from_task(task)
    assert scored.column("score")[: len(gold)] == [1.0] * len(gold)
    silver = list(scored)[len(gold) :]
    assert 2 * len(gold) < len(silver) <= 4 * len(gold)
    assert all(0 < row["score"] < 1 for row in silver)
    assert (
        np.corrcoef([overlap(row["sentence1"], row["sentence2"]) for row in silver], [r["score"] for r in silver])[0, 1]
        > 0.3
    )
    assert scored.provenance["judged_pairs"] == len(gold)


def test_a_cross_encoder_is_trained_on_the_judgements_once(
    task: Task, cross_encoder: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = DataOptions(cross_encoder=f"st:{cross_encoder}", miner="bm25", sampled=1)
    scored = make_examples("scored pairs", task, None, options)
    assert scored.provenance["cross_encoder"] == f"trained from st:{cross_encoder}"
    assert 0 <= scored.provenance["accuracy"] <= 1
    assert len([path for path in (cache / "cross-encoders").iterdir() if path.is_dir()]) == 1
    monkeypatch.setattr("vecsmith.tune.training_data.train_cross_encoder", lambda *_, **__: 1 / 0)
    assert make_examples("scored pairs", task, None, options).fingerprint == scored.fingerprint


def test_imported_examples_replace_the_judgements(task: Task) -> None:
    tested = task.queries.texts[TRAIN]
    pairs = pairs_of([("map tree", "map tree stone"), (tested, "cloud")])
    triplets = make_examples("triplets", task, pairs, DataOptions(miner="bm25", margin=0.0, negatives=1))
    assert triplets.column("positive") == ["map tree stone"]
    assert triplets.counts == {"query judged in test": 1}
    assert triplets.column("negative")[0] in task.corpus.texts
    alone = make_examples("pairs", None, pairs)
    assert list(alone) == list(pairs)
    with pytest.raises(VecsmithError, match="imported examples are scored pairs; give triplets, or pairs"):
        scored = TrainingExamples.from_columns({"sentence1": ["a"], "sentence2": ["b"], "score": [1.0]})
        make_examples("triplets", task, scored)
    with pytest.raises(VecsmithError, match="Augmented SBERT needs the texts of a task; give --task"):
        make_examples("scored pairs", None, pairs)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("pears", {}, "Unknown kind of training examples 'pears': did you mean 'pairs'"),
        ("pairs", {"split": "dev"}, "Unknown split of toy 'dev'"),
        ("margins", {"generator": "extract", "cross_encoder": "minilm"}, "no usable query|Unknown cross-encoder"),
        ("scored pairs", {"cross_encoder": "minilm"}, "Unknown cross-encoder 'minilm': known are ce:MODEL, st:MODEL"),
        ("scored pairs", {"sampling": ("bm52",)}, "Unknown encoder 'bm52'"),
        ("triplets", {"miner": "statik"}, "Unknown encoder 'statik'"),
        ("pairs", {"generator": "extract", "queries": 0}, "queries per passage must be at least 1, not 0"),
    ],
)
def test_bad_options_are_refused(task: Task, kind: str, options: dict, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        make_examples(kind, task, None, DataOptions(**options))  # type: ignore[arg-type]


# ---------------------------------------------------------------- the commands


def test_the_command_ends_with_the_counts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "triplets"
    given = ["--task", folder, "--recipe", "contrastive", "--negatives", "bm25", "--out", out]
    assert run(monkeypatch, "tune", "data", *given) == 0
    examples = TrainingExamples.load(out)
    said = capsys.readouterr()
    assert said.out == examples.summary + "\n"
    assert said.err.splitlines()[-1] == f"Wrote {examples!r} to {out}"
    assert (examples.provenance["recipe"], examples.provenance["task"]) == ("contrastive", "toy")
    assert run(monkeypatch, "tune", "data", *given, "--margin", "0", "--json") == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert (report["rows"], report["left_out"]) == (len(TrainingExamples.load(out)), TrainingExamples.load(out).counts)
    assert said.err.splitlines()[-1].startswith("Made ")


def test_info_of_examples(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    TrainingExamples.from_task(load_task(str(folder))).save(tmp_path / "pairs")
    capsys.readouterr()
    assert run(monkeypatch, "info", tmp_path / "pairs", "--verify", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["examples"] == "pairs" and facts["rows"] == TRAIN and facts["provenance"]["split"] == "train"


def test_the_command_imports_clicks(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clicks = tmp_path / "clicks.csv"
    clicks.write_text("term,document,clicks\nq1,d1,5\nq2,d2,1\nq31,d31,9\n")
    given = ["--recipe", "n-pair", "--import", clicks, "--column", "query=term", "--min-clicks", "2"]
    assert run(monkeypatch, "tune", "data", *given, "--task", folder, "--out", tmp_path / "out") == 0
    examples = TrainingExamples.load(tmp_path / "out")
    task = load_task(str(folder))
    assert list(examples) == [{"query": task.queries.texts[1], "positive": task.corpus.texts[1]}]
    assert examples.counts == {"pair of fewer than 2 clicks": 1, "query judged in test": 1}
    assert run(monkeypatch, "tune", "data", *given, "--out", tmp_path / "alone") == 0
    assert TrainingExamples.load(tmp_path / "alone").column("query") == ["q1", "q31"]


def test_the_command_trains_a_cross_encoder_that_labels(
    folder: Path,
    cross_encoder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--task", folder, "--model", cross_encoder, "--negatives", "bm25", "--max-length", "32"]
    assert run(monkeypatch, "tune", "cross-encoder", *given, "--out", tmp_path / "ce") == 0
    assert capsys.readouterr().out.startswith("Accuracy of the cross-encoder on ")
    again = ["--task", folder, "--recipe", "augmented-sbert", "--cross-encoder", f"ce:{tmp_path / 'ce'}"]
    assert run(monkeypatch, "tune", "data", *again, "--out", tmp_path / "scored") == 0
    assert TrainingExamples.load(tmp_path / "scored").kind == "scored pairs"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--recipe", "contrastiv"], "Unknown recipe 'contrastiv': did you mean 'contrastive'"),
        (["--recipe", "gist", "--import", "gone.csv"], "There is no file gone.csv"),
        (["--recipe", "gist", "--import", "a.csv", "--generator", "extract"], "leave one out"),
        (["--recipe", "gist", "--split", "dev"], "Unknown split of toy 'dev'"),
        (["--recipe", "gist", "--split", "test"], "for reported results; train on train or dev"),
        (["--recipe", "gist", "--generator", "t6:x"], "Unknown generator 't6:x'"),
        (["--recipe", "gist", "--column", "query"], "--column takes ROLE=NAME"),
    ],
)
def test_bad_usage_is_one_sentence_and_writes_nothing(
    folder: Path,
    tmp_path: Path,
    more: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "tune", "data", "--task", folder, *more, "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_command_without_task_or_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "tune", "data", "--recipe", "gist", "--out", tmp_path / "out") == 2
    assert "give --task or --import" in capsys.readouterr().err


def test_a_full_disk_leaves_the_old_examples(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    given = ["tune", "data", "--task", folder, "--recipe", "n-pair", "--out", out]
    assert run(monkeypatch, *given) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    assert run(monkeypatch, *given, "--test", "none") == 2
    assert "The disk is full" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_killed_run_continues(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loopback: Callable[[Callable[[dict], object]], Server],
) -> None:
    def answer_slowly(request: dict) -> dict:
        time.sleep(0.05)
        passage = request["messages"][1]["content"]
        return {"choices": [{"message": {"content": f"what about {passage}"}}]}

    server = loopback(answer_slowly)
    given = ["tune", "data", "--task", folder, "--recipe", "n-pair", "--generator", "chat:small", "--queries", "1"]
    command = [sys.executable, "-m", "vecsmith", *map(str, given), "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as killed:
        while len(server.requests) < 20 and killed.poll() is None:
            time.sleep(0.01)
        killed.kill()
    before = [request["messages"][1]["content"] for request in server.requests]
    assert 20 <= len(before) < DOCUMENTS
    assert not (tmp_path / "out").exists()
    server.requests.clear()
    assert run(monkeypatch, *given, "--out", tmp_path / "out") == 0
    # at most the requests in flight, one of each worker, are repeated
    again = {request["messages"][1]["content"] for request in server.requests} & set(before)
    assert len(again) <= 8
    assert len(TrainingExamples.load(tmp_path / "out")) == DOCUMENTS
