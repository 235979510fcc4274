"""BM25: the formula, its parameters, languages, and lexical indexes on disk."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from math import log
from pathlib import Path

import numpy as np
import pytest

import vecsmith
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.index.bm25 import Bm25, LexicalIndex
from vecsmith.retrievers.base import rank_by_id
from vecsmith.retrievers.stages import cached_lexical_index
from vecsmith.tasks import Texts

pytest.importorskip("bm25s")

DOCUMENTS = [
    "the ships sail to sea",
    "a ship, a ship and a lamp",
    "lamps on the stairs",
    "no more",
    "sea sea sea shell",
]
PLAIN = Bm25(stopwords="none", stemmer="none")


def okapi(words: list[str], query: list[str], corpus: list[list[str]], k1: float, b: float) -> float:
    """Return Lucene's BM25 of a document (Kamphuis et al. 2020, table 1)."""
    mean = np.mean([len(document) for document in corpus])
    score = 0.0
    for term in query:
        n = sum(term in document for document in corpus)
        idf = log(1 + (len(corpus) - n + 0.5) / (n + 0.5))
        tf = Counter(words)[term]
        score += idf * tf / (tf + k1 * (1 - b + b * len(words) / mean))
    return score


def test_scores_are_those_of_the_formula() -> None:
    corpus = [[word.strip(",") for word in text.split() if len(word.strip(",")) > 1] for text in DOCUMENTS]
    index = LexicalIndex.build(DOCUMENTS, Bm25(k1=0.9, b=0.4, stopwords="none", stemmer="none"))
    scores, rows = index.search(["ship sea sea"], 5)
    expected = [okapi(words, ["ship", "sea", "sea"], corpus, 0.9, 0.4) for words in corpus]
    found = {row: score for row, score in zip(rows[0].tolist(), scores[0].tolist(), strict=True) if row >= 0}
    assert found.keys() == {0, 1, 4}
    assert found == pytest.approx({row: expected[row] for row in found}, rel=1e-5)


def test_stemmer_and_stop_words() -> None:
    index = LexicalIndex.build(DOCUMENTS, Bm25())
    assert set(index.search(["the shipping lamp"], 5)[1][0].tolist()) == {0, 1, 2, -1}
    assert index.search(["shipping"], 2)[1][0].tolist() == [1, 0]
    plain = LexicalIndex.build(DOCUMENTS, PLAIN)
    with pytest.warns(vecsmith.errors.VecsmithWarning, match="nothing for 1 of 1"):
        assert plain.search(["shipping"], 2)[1][0].tolist() == [-1, -1]
    assert set(plain.search(["the"], 5)[1][0].tolist()) == {0, 2, -1}


@pytest.mark.parametrize(
    ("language", "documents", "query", "found"),
    [
        ("german", ["Die Häuser am Meer", "Der Turm im Wald"], "haus und turm", {0, 1}),
        ("russian", ["Корабли в море", "Лампа на столе"], "корабль", {0}),
        ("french", ["Les bateaux et la mer", "Une lampe"], "le bateau", {0}),
    ],
)
def test_other_languages(language: str, documents: list[str], query: str, found: set[int]) -> None:
    index = LexicalIndex.build(documents, Bm25(stopwords=language, stemmer=language))
    assert set(index.search([query], 2)[1][0].tolist()) - {-1} == found


def test_ties_break_by_falling_id_at_the_cut_too() -> None:
    texts = ["same words here"] * 9 + ["other"]
    ids = ["d4", "d9", "d2", "d7", "d1", "d8", "d3", "d6", "d5", "d0"]
    scores, rows = LexicalIndex.build(texts, Bm25()).search(["words"], 4, rank_of=rank_by_id(ids))
    assert [ids[row] for row in rows[0]] == ["d9", "d8", "d7", "d6"]
    assert len(set(scores[0].tolist())) == 1


@pytest.mark.parametrize("variant", ["lucene", "robertson", "atire", "bm25l", "bm25+"])
def test_an_index_is_the_same_from_disk(variant: str, tmp_path: Path) -> None:
    built = LexicalIndex.build(DOCUMENTS, Bm25(variant=variant))
    names = built.write(tmp_path / "index")
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == names
    opened = LexicalIndex.open(tmp_path / "index")
    assert opened.options == built.options
    assert isinstance(opened._scorer.scores["data"], np.memmap)
    queries = ["ship lamp", "sea", "more shells"]
    for ours, theirs in zip(opened.search(queries, 5), built.search(queries, 5), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    (tmp_path / "index" / "data.csc.index.npy").unlink()
    with pytest.raises(VecsmithError, match=r"does not hold a lexical index .*write it again"):
        LexicalIndex.open(tmp_path / "index")


def test_files_do_not_depend_on_the_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from vecsmith.index.bm25 import Bm25, LexicalIndex\n"
        f"LexicalIndex.build({DOCUMENTS!r}, Bm25()).write(Path(sys.argv[1]))"
    )
    for seed in "12":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=environment)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes(), path.name


def test_a_corpus_is_indexed_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Texts([str(row) for row in range(5)], DOCUMENTS, "the corpus")
    first = cached_lexical_index(corpus, Bm25()).search(["ship"], 5)
    build = LexicalIndex.build
    monkeypatch.setattr(LexicalIndex, "build", None)
    again = cached_lexical_index(corpus, Bm25()).search(["ship"], 5)
    np.testing.assert_array_equal(again[0], first[0])
    monkeypatch.setattr(LexicalIndex, "build", build)
    cached_lexical_index(corpus, Bm25(k1=1))
    cached_lexical_index(Texts(corpus.ids, DOCUMENTS[::-1], "another"), Bm25())
    folders = [path for path in (cache / "lexical").iterdir() if path.is_dir()]
    assert len(folders) == 3
    # a damaged entry is built again
    for folder in folders:
        (folder / "bm25.json").write_text("{")
    np.testing.assert_array_equal(cached_lexical_index(corpus, Bm25()).search(["ship"], 5)[0], first[0])


def test_specs() -> None:
    assert Bm25.parse("bm25") == Bm25()
    parsed = Bm25.parse("bm25:k1=0.9, b=0.4,variant=bm25+,stopwords=german,stemmer=none")
    assert parsed == Bm25(0.9, 0.4, "bm25+", "german", "none")
    assert Bm25.parse(parsed.spec) == parsed
    assert Bm25().spec == "bm25:k1=1.5,b=0.75,variant=lucene,stopwords=english,stemmer=english"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bm52", "Unknown lexical retriever 'bm52': did you mean 'bm25'"),
        ("bm25:k=1", "Unknown parameter of BM25 'k': did you mean 'k1'"),
        ("bm25:k1=-1", "k1 of BM25 must be a number from 0 on, not -1"),
        ("bm25:k1=nan", "k1 of BM25 must be a number from 0 on, not nan"),
        ("bm25:k1=much", "k1 of BM25 must be a number, not 'much'"),
        ("bm25:b=1.5", "b of BM25 must be from 0 to 1, not 1.5"),
        ("bm25:k1=1,k1=2", "gives k1 twice"),
        ("bm25:variant=lucine", "Unknown variant of BM25 'lucine': did you mean 'lucene'"),
        ("bm25:stemmer=japanese", "BM25 has no stemmer 'japanese'; give stemmer=none, or one of "),
        ("bm25:stopwords=latin", "BM25 has no stopwords 'latin'; give stopwords=none, or one of "),
    ],
)
def test_bad_specs_are_one_sentence(spec: str, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        Bm25.parse(spec)


def test_a_corpus_without_terms_is_refused() -> None:
    with pytest.raises(VecsmithError, match=r"No document has a term for bm25:.*give other stop words"):
        LexicalIndex.build(["", "the", "a"], Bm25())


def test_without_bm25s_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "Stemmer", None)
    with pytest.raises(VecsmithError, match=r"pip install 'vecsmith\[lexical\]'"):
        Bm25()


@pytest.mark.data
def test_the_published_figure_of_scifact(beir: Callable[[str], Path]) -> None:
    """bm25s publishes 0.687 for k1 1.5, b 0.75, Lucene's variant, English stop words and a Snowball stemmer."""
    task = vecsmith.load_task(str(beir("scifact")))
    judged = JudgedQueries(task, "test", task.queries.ids)
    queries = [task.queries.texts[row] for row in judged.rows]
    for stemmer, expected in (("english", 0.6863), ("porter", 0.6869)):
        index = LexicalIndex.build(task.corpus.texts, Bm25(stemmer=stemmer))
        scores, rows = index.search(queries, judged.depth, rank_of=rank_by_id(task.corpus.ids))
        assert judged.evaluate(scores, rows).mean_ndcg_at_10 == pytest.approx(expected, abs=5e-5)
        assert expected == pytest.approx(0.687, abs=1e-3)


def test_options_are_json_on_disk(tmp_path: Path) -> None:
    LexicalIndex.build(DOCUMENTS, PLAIN).write(tmp_path / "index")
    stored = json.loads((tmp_path / "index" / "bm25.json").read_text())
    assert stored == {"k1": 1.5, "b": 0.75, "variant": "lucene", "stopwords": "none", "stemmer": "none"}
