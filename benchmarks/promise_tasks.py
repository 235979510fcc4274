"""Write further tasks for `benchmarks/promise.py` as BEIR folders with ready vectors.

    apt-get download wordnet-base dict-foldoc      # Debian 12; unpack each with: dpkg -x FILE DEBIAN
    python benchmarks/promise_tasks.py DATA DEBIAN MINILM OUT

DATA contains the BEIR folders scifact and cranfield, MINILM a sentence-transformers model such as all-MiniLM-L6-v2.

- wordnet: find the sense of a word by a sentence that uses it.
- wordnet-kinds: find the kinds of an artifact, up to dozens, by its definition.
- foldoc: find an entry of the Free On-line Dictionary of Computing by its headword.
- pydocs-3k: the built-in task on 3,000 docstrings of the standard library, NumPy and SciPy.
- pydocs-packages: the built-in task on 3,000 docstrings of scikit-learn, PyTorch, SymPy, pandas and NetworkX.
- scifact-titles, cranfield-titles: find an abstract by its title.
"""

import gzip
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np

from vecsmith.encoders import EncoderOptions, embed_task
from vecsmith.tasks import load_beir, load_task

DOCUMENTS, QUERIES = 3000, 1000
"""Maximum documents and queries of a task, sampled with seed 0; all relevant documents of a query are kept."""
TOKENS = 64
"""Tokens per text for MiniLM, so that embedding takes minutes."""
ARTIFACTS = "06"
"""Number of WordNet's lexicographer file for artifacts."""

Triple = tuple[Mapping[str, str], Mapping[str, str], Mapping[str, Sequence[str]]]
"""Documents, queries, and the relevant documents of each query."""


def synsets(debian: Path) -> Iterator[tuple[str, str, str, list[str], str]]:
    """Yield the id, file, lemmas, hyponyms and gloss of every noun, verb, adjective and adverb."""
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (debian / f"usr/share/wordnet/data.{kind}").read_text(encoding="latin-1").splitlines():
            if not line.startswith(" "):
                fields, _, gloss = line.partition(" | ")
                key, file, _, count, *rest = fields.split()
                words = [word.replace("_", " ") for word in rest[: 2 * int(count, 16) : 2]]
                yield kind[0] + key, file, ", ".join(words), re.findall(r" ~ (\d+) n", fields), gloss.strip()


def wordnet(debian: Path) -> Triple:
    """Return the task: find the sense of a word by a sentence that uses it."""
    documents, queries = {}, {}
    for key, _, words, _, gloss in synsets(debian):
        definition, *examples = gloss.split('"')
        documents[key] = f"{words}: {definition.strip(' ;')}"
        if examples and len(examples[0].split()) >= 4:
            queries[key] = examples[0]
    return documents, queries, {key: [key] for key in queries}


def wordnet_kinds(debian: Path) -> Triple:
    """Return the task: find the kinds of an artifact by its definition."""
    documents, kinds = {}, {}
    for key, file, words, hyponyms, gloss in synsets(debian):
        if key[0] == "n" and file == ARTIFACTS:
            documents[key] = f"{words}: {gloss}"
            kinds[key] = [f"n{hyponym}" for hyponym in hyponyms]
    relevant = {key: found for key, wanted in kinds.items() if len(found := [k for k in wanted if k in kinds]) >= 2}
    return documents, {key: documents[key] for key in relevant}, relevant


def foldoc(debian: Path) -> Triple:
    """Return the task: find an entry by its headword."""
    lines = gzip.decompress((debian / "usr/share/dictd/foldoc.dict.dz").read_bytes()).decode("utf-8", "replace")
    documents, queries, head = {}, {}, ""
    starts_entry = re.compile(r"[^\s{]").match
    for outside, block in groupby(lines.splitlines(), lambda line: bool(starts_entry(line))):
        if outside:
            head = list(block)[-1].strip()
        elif len(text := " ".join(" ".join(block).split())) > 80 and head not in queries:
            documents[head], queries[head] = re.sub(r"[{}]", "", text), head
    return documents, queries, {key: [key] for key in queries}


def docstrings(spec: str, *, only: Sequence[str] = ()) -> Triple:
    """Return the built-in task, optionally only with documents of some packages."""
    task = load_task(spec)
    documents = {id_: text for id_, text in task.corpus.rows() if not only or id_.startswith(tuple(only))}
    queries = {id_.removesuffix(":summary"): text for id_, text in task.queries.rows()}
    return documents, {id_: queries[id_] for id_ in documents}, {id_: [id_] for id_ in documents}


def titles(folder: Path) -> Triple:
    """Return the task: find a document of a BEIR folder by its title."""
    documents, queries = {}, {}
    with gzip.open(folder / "corpus.jsonl.gz") as file:
        for record in map(json.loads, file):
            text = record["text"].removeprefix(record["title"]).strip()
            if len(text) > 80 and record["title"]:
                documents[record["_id"]], queries[record["_id"]] = text, record["title"]
    return documents, queries, {key: [key] for key in queries}


def drawn(triple: Triple) -> Triple:
    """Return a sample of at most `DOCUMENTS` and `QUERIES`."""
    documents, queries, relevant = triple
    rng = np.random.default_rng(0)
    asked = [list(queries)[row] for row in np.sort(rng.permutation(len(queries))[:QUERIES])]
    kept = dict.fromkeys(document for key in asked for document in relevant[key])
    others = [key for key in documents if key not in kept]
    kept |= dict.fromkeys(others[row] for row in rng.permutation(len(others))[: max(DOCUMENTS - len(kept), 0)])
    return {key: documents[key] for key in kept}, {key: queries[key] for key in asked}, relevant


def write(folder: Path, triple: Triple) -> None:
    """Write a BEIR folder."""
    documents, queries, relevant = drawn(triple)
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, texts in (("corpus", documents), ("queries", queries)):
        lines = [json.dumps({"_id": key, "text": text}) for key, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    judged = [f"{query}\t{document}\t1" for query in queries for document in relevant[query]]
    (folder / "qrels/test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n", encoding="utf-8")


def embed(folder: Path, name: str, encoder: str, options: EncoderOptions) -> None:
    """Write ready vectors of a model."""
    vectors = folder / "vectors" / name
    vectors.mkdir(parents=True, exist_ok=True)
    for part, embedded in zip(("corpus", "queries"), embed_task(load_beir(folder), encoder, options), strict=True):
        np.save(vectors / f"{part}.npy", embedded.vectors[:])


def main(data: str, debian: str, minilm: str, out: str) -> None:
    """Write every task."""
    packages = ("sklearn", "torch", "sympy", "pandas", "networkx")
    tasks = {
        "foldoc": partial(foldoc, Path(debian)),
        "wordnet": partial(wordnet, Path(debian)),
        "pydocs-3k": partial(docstrings, "pydocs"),
        "pydocs-packages": partial(docstrings, f"pydocs:{','.join(packages)}", only=packages),
        "wordnet-kinds": partial(wordnet_kinds, Path(debian)),
        "cranfield-titles": partial(titles, Path(data) / "cranfield"),
        "scifact-titles": partial(titles, Path(data) / "scifact"),
    }
    for name, make in tasks.items():
        write(Path(out) / name, make())
        embed(Path(out) / name, "wordllama", "static", EncoderOptions())
        embed(Path(out) / name, "minilm", f"st:{minilm}", EncoderOptions(max_length=TOKENS))
        print(name, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
