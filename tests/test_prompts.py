"""Prompts per encoder, and models that bring their own code, in Python and on the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from test_encoders import make_task, tiny_model
from vecsmith.cli import app
from vecsmith.cli.encoders import encoder_options
from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import EncoderOptions, embed_task, load_encoder, options_by_encoder
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compare
from vecsmith.evaluation.translation import Experiment
from vecsmith.studies import StudyConfig

FIND = EncoderOptions(query_prompt="find ")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """Return the specs of two sentence-transformers models without prompts of their own."""
    one, two = (tiny_model(tmp_path / name, {}) for name in ("one", "two"))
    return f"st:{one}", f"st:{two}"


@pytest.fixture
def task(tmp_path: Path) -> str:
    """Return a BEIR folder of 40 documents in the words that the tiny models know."""
    rng, folder = np.random.default_rng(0), tmp_path / "task"
    (folder / "qrels").mkdir(parents=True)
    for name, prefix in (("corpus", "d"), ("queries", "q")):
        words = rng.choice(["sea", "ship", "lamp", "own", "find", "read"], (40, 5))
        lines = [json.dumps({"_id": f"{prefix}{row}", "text": " ".join(words[row])}) for row in range(40)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "qrels" / "test.tsv").write_text("".join(f"q{row}\td{row}\t1\n" for row in range(40)))
    return str(folder)


def run(*arguments: object) -> Result:
    """Run a command in this process, which has imported what it needs."""
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def run_apart(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vecsmith", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


# what options mean


def test_each_part_of_a_pair_has_its_own_prompt(pair):
    one, two = pair
    options = EncoderOptions(query_prompt={one: "find ", two: "read "}, passage_prompt={two: "own "})
    fused = load_encoder("+".join(pair), options)
    first, second = (load_encoder(spec) for spec in pair)
    wanted = np.hstack([first.encode(["find sea"], "query"), second.encode(["read sea"], "query")])
    np.testing.assert_allclose(fused.encode(["sea"], "query"), wanted, atol=1e-6)
    assert [part.provenance("query").prompt for part in fused.parts] == ["find ", "read "]
    assert [part.provenance("passage").prompt for part in fused.parts] == ["", "own "]
    assert json.loads(fused.provenance("query").prompt) == ["find ", "read "]


def test_one_prompt_is_for_all_encoders(pair):
    fused = load_encoder("+".join(pair), FIND)
    assert [part.provenance("query").prompt for part in fused.parts] == ["find ", "find "]
    assert fused.provenance("query").prompt == "find "


def test_an_encoder_that_is_not_named_keeps_its_own_prompt(tmp_path):
    folder = tiny_model(tmp_path / "model", {"query": "read "})
    fused = load_encoder(f"st:{folder}+static", EncoderOptions(query_prompt={"static": "find "}))
    assert [part.provenance("query").prompt for part in fused.parts] == ["read ", "find "]


def test_fused_provenance_tells_apart_which_model_had_which_prompt(pair):
    one, two = pair
    spec = f"{one}+{two}+static"
    keys = {
        load_encoder(spec, EncoderOptions(query_prompt=prompts)).provenance("query").key
        for prompts in (
            {one: "find ", two: "find ", "static": "read "},
            {one: "find ", two: "read ", "static": "read "},
            {one: "find ", two: "read ", "static": "find "},
            {one: "find "},
            {two: "find "},
            None,
        )
    }
    assert len(keys) == 6


@pytest.mark.parametrize("call", ["load_encoder", "embed_task", "compare", "StudyConfig"])
def test_a_prompt_of_another_encoder_is_refused(call):
    options = EncoderOptions(query_prompt={"statik": "find "})
    calls = {
        "load_encoder": lambda: load_encoder("static", options),
        "embed_task": lambda: embed_task(make_task(), "static", options),
        "compare": lambda: compare([make_task()], ["static"], ["int8"], options=options),
        "StudyConfig": lambda: StudyConfig(["pydocs"], ["static"], options=options),
    }
    with pytest.raises(VecsmithError, match="Unknown encoder of a prompt 'statik': did you mean 'static'"):
        calls[call]()


def test_several_encoders_share_options_and_keep_their_prompts():
    options = EncoderOptions(query_prompt={"static": "find ", "st:a": "read "}, batch_size=3)
    found = options_by_encoder(options, ["static", "st:a+static", "st:b"])
    assert [each.query_prompt for each in found.values()] == [
        {"static": "find "},
        {"st:a": "read ", "static": "find "},
        {},
    ]
    assert {each.batch_size for each in found.values()} == {3}


def test_embedded_pairs_are_cached_by_their_prompts(pair, monkeypatch):
    spec = "+".join(pair)
    by_prompt = {}
    for name in (None, *pair):
        options = EncoderOptions(query_prompt={name: "find "} if name else None)
        corpus, queries = embed_task(make_task(), spec, options)
        by_prompt[name] = corpus.unit[:], queries.unit[:]
        again = embed_task(make_task(), spec, options)
        assert np.array_equal(again[1].unit[:], queries.unit[:])
    (plain, none), (one, first), (two, second) = by_prompt.values()
    assert np.array_equal(plain, one) and np.array_equal(plain, two)
    assert not np.allclose(none[:, :8], first[:, :8]) and np.array_equal(none[:, 8:], first[:, 8:])
    assert not np.allclose(none[:, 8:], second[:, 8:]) and np.array_equal(none[:, :8], second[:, :8])


def test_ready_vectors_stay_without_a_prompt_beside_an_encoder_that_has_one(tmp_path):
    folder = tmp_path / "vectors" / "mine"
    folder.mkdir(parents=True)
    np.save(folder / "corpus.npy", np.eye(12, dtype=np.float32))
    np.save(folder / "queries.npy", np.eye(3, 12, dtype=np.float32))
    spec = "vectors:mine+static"
    _, queries = embed_task(make_task(tmp_path), spec, EncoderOptions(query_prompt={"static": "find "}))
    assert json.loads(queries.provenance.prompt) == ["", "find "]
    for prompt in ("find ", {"vectors:mine": "find "}):
        with pytest.raises(VecsmithError, match=r"take no prompt .* as ENCODER=TEXT"):
            embed_task(make_task(tmp_path), spec, EncoderOptions(query_prompt=prompt))


def test_an_experiment_with_translators_has_the_prompts_of_its_two_models(task, pair):
    one, two = pair
    plain = Experiment(task, "test", one, two, "linear", 0)
    setting = StudyConfig([task], [one, two, "static"], options=EncoderOptions(query_prompt={two: "find "}))
    prompted = Experiment(
        task, "test", one, two, "linear", 0, options=(setting.options_of(one), setting.options_of(two))
    )
    (_, before), (_, after) = plain.embed(), prompted.embed()
    assert not np.allclose(before[1].unit[:], after[1].unit[:])
    assert np.array_equal(plain.embed()[0][1].unit[:], prompted.embed()[0][1].unit[:])


# how they are written


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([""], ""),
        (["query: "], "query: "),
        (["Instruct=search: "], "Instruct=search: "),
        (["static=find "], {"static": "find "}),
        (["static="], {"static": ""}),
        (["static=a=b"], {"static": "a=b"}),
        (["st:x/y=1=find ", "static=read "], {"st:x/y=1": "find ", "static": "read "}),
        (["vectors:mine=find "], {"vectors:mine": "find "}),
    ],
)
def test_a_prompt_is_for_all_or_for_one_encoder(values, expected):
    options = encoder_options(["st:x/y=1+static", "vectors:mine"], query_prompt=values)
    assert options == EncoderOptions(query_prompt=expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["find ", "read "], "--passage-prompt takes one text for all encoders, or one ENCODER=TEXT for each"),
        (["static=find ", "read "], "--passage-prompt takes one text for all encoders"),
        (["static=find ", "static=read "], "--passage-prompt takes one text for all encoders"),
        (["statik=find "], "Unknown encoder of --passage-prompt 'statik': did you mean 'static'"),
        (["st:x/z=find "], "Unknown encoder of --passage-prompt 'st:x/z': did you mean 'st:x/y'"),
    ],
)
def test_prompts_that_do_not_go_together_are_refused(values, message):
    with pytest.raises(VecsmithError, match=message):
        encoder_options(["st:x/y+static"], passage_prompt=values)


def test_embed_and_search_take_a_prompt_per_encoder(task, pair, tmp_path):
    one, two = pair
    out = tmp_path / "both"
    run("embed", "--task", task, "--encoder", f"{one}+{two}", "--query-prompt", f"{two}=find ", "--out", out)
    assert json.loads(EmbeddingSet.open(out / "queries").provenance.prompt) == ["", "find "]
    assert EmbeddingSet.open(out / "corpus").provenance.prompt == ""
    run("fit", "float32", "--vectors", out / "corpus", "--out", tmp_path / "codec")
    codes = tmp_path / "codes"
    run("encode", tmp_path / "codec", "--vectors", out / "corpus", "--out", codes)
    prompted = run("search", codes, "--query", "sea", "--query-prompt", f"{two}=find ", "--json")
    expected = load_encoder(f"{one}+{two}", EncoderOptions(query_prompt={two: "find "})).encode(["sea"], "query")
    corpus = EmbeddingSet.open(out / "corpus")
    scores = dict(zip(corpus.ids, (corpus.unit[:] @ expected[0]).tolist(), strict=True))
    found = [scores[result["id"]] for result in json.loads(prompted.stdout)[0]["results"]]
    np.testing.assert_allclose(found, sorted(scores.values(), reverse=True)[:10], atol=1e-6)


def test_compare_and_study_take_prompts(task, pair):
    one, two = pair
    figures = set()
    for prompt in ([], ["--query-prompt", f"{one}=find "], ["--query-prompt", "find "]):
        options = ["--task", task, "--encoder", one, "--encoder", f"{one}+{two}", *prompt]
        result = run("compare", *options, "--codec", "int8", "--json")
        figures.add(tuple(line["ndcg_at_10"] for line in json.loads(result.stdout) if line["codec"] == "float32"))
    assert len(figures) == 3
    study = ["study", "matryoshka-versus-autoencoder", "--task", task, "--encoder", one, "--seed", 0, "--json"]
    plain, prompted = run(*study), run(*study, "--query-prompt", f"{one}=find ")
    assert plain.stdout != prompted.stdout


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["embed", "--texts", "mine.txt", "--query-prompt", "find ", "--out", "out"],
            "give their prompt with --passage",
        ),
        (["embed", "--task", "pydocs", "--text-column", "body", "--out", "out"], "A task has fixed columns"),
        (["search", "codes", "--query", "sea", "--text-column", "body"], "names a column of --queries that are texts"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(command, message):
    with pytest.raises(VecsmithError, match=message):
        CliRunner().invoke(app, command, catch_exceptions=False)


# models that bring their own code


@pytest.fixture
def own_code(tmp_path: Path) -> Path:
    """Return a model whose only module is a class of its own."""
    folder = tiny_model(tmp_path / "own", {})
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([{**modules[0], "type": "own_table.OwnTable"}]))
    (folder / "own_table.py").write_text(
        "from sentence_transformers.sentence_transformer.modules import StaticEmbedding\n\n\n"
        "class OwnTable(StaticEmbedding):\n    pass\n"
    )
    return folder


@pytest.mark.slow
def test_code_that_comes_with_a_model_runs_only_if_it_is_trusted(own_code, task, tmp_path):
    (tmp_path / "mine.txt").write_text("sea\nship lamp\n")
    command = ["embed", "--texts", tmp_path / "mine.txt", "--encoder", f"st:{own_code}+static"]
    home = {"HF_HOME": str(tmp_path / "home")}
    refused = run_apart(*command, "--out", tmp_path / "no", **home)
    assert refused.returncode == 2
    assert "needs the Python code in its repository" in refused.stderr and "--trust-remote-code" in refused.stderr
    assert refused.stderr.count("\n") == 1
    trusted = run_apart(*command, "--trust-remote-code", "--out", tmp_path / "yes", **home)
    assert trusted.returncode == 0, trusted.stderr
    compared = run_apart("compare", "--task", task, "--encoder", f"st:{own_code}", "--trust-remote-code", **home)
    assert compared.returncode == 0, compared.stderr
    plain = load_encoder(f"st:{tiny_model(tmp_path / 'plain', {})}").encode(["sea", "ship lamp"], "passage")
    found = EmbeddingSet.open(tmp_path / "yes")
    np.testing.assert_allclose(
        found.vectors[:, :8] / np.linalg.norm(found.vectors[:, :8], axis=1)[:, None], plain, atol=1e-6
    )


def test_provenance_says_that_a_models_own_code_ran(own_code, tmp_path):
    def revision(folder: Path, trust: bool) -> str:
        return load_encoder(f"st:{folder}", EncoderOptions(trust_remote_code=trust)).provenance("query").revision

    assert revision(own_code, True) == revision(own_code, False) + " with its own code"
    plain = tiny_model(tmp_path / "plain", {})
    assert revision(plain, True) == revision(plain, False)
