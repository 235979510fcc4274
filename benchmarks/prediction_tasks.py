"""Write tasks for `benchmarks/predictions.py` as BEIR folders with ready vectors.

    apt-get download wordnet-base dict-foldoc dict-jargon dict-gcide manpages manpages-dev   # of Debian 12
    for package in *.deb; do dpkg -x $package DEBIAN; done
    python benchmarks/prediction_tasks.py DATA DEBIAN MINILM OUT

DATA contains the BEIR folders scifact and cranfield. MINILM is a sentence-transformers model such as all-MiniLM-L6-v2.

- wordnet: find the sense of a word by a sentence that uses it.
- wordnet-kinds: find the kinds of an artifact, up to dozens, by its definition.
- foldoc, jargon, gcide: find an entry of a dictionary by its headword.
- manpages: find a manual page by its one-line summary.
- pydocs: the built-in task, with WordLlama only.
- pydocs-3k: the built-in task on 3,000 docstrings of the standard library, NumPy and SciPy.
- pydocs-packages: the built-in task on 3,000 docstrings of scikit-learn, PyTorch, SymPy, pandas and NetworkX.
- scifact-titles, cranfield-titles: find an abstract by its title.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import typer

from vecsmith.encoders import EncoderOptions, embed_task
from vecsmith.tasks import load_beir, load_task

DOCUMENTS, QUERIES = 3000, 1000
"""Maximum documents and queries of a task, sampled with seed 0; all relevant documents of a query are kept."""
TOKENS = 64
"""Tokens per text for MiniLM, so that embedding takes minutes."""
LEAST_LETTERS = 80
"""Minimum length of a document without its title."""
ARTIFACTS = "06"
"""Number of WordNet's lexicographer file for artifacts."""
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
"""Digits of the numbers in an index of dictd."""
PACKAGES = ("sklearn", "torch", "sympy", "pandas", "networkx")

Triple = tuple[Mapping[str, str], Mapping[str, str], Mapping[str, Sequence[str]]]
"""Documents, queries, and the relevant documents of each query."""


def titled(pairs: Mapping[str, tuple[str, str]]) -> Triple:
    """Return the task: find the documents of a title. `pairs` has a title and a text for each id."""
    documents: dict[str, str] = {}
    relevant: dict[str, list[str]] = {}
    for key, (title, text) in pairs.items():
        if title and len(text) > LEAST_LETTERS:
            documents[key] = text
            relevant.setdefault(title, []).append(key)
    return documents, {title: title for title in relevant}, relevant


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


def dictionary(debian: Path, name: str) -> Triple:
    """Return the task: find an entry of a dictionary by its headword."""
    folder = debian / "usr/share/dictd"
    content = gzip.decompress((folder / f"{name}.dict.dz").read_bytes())
    entries: dict[str, tuple[str, str]] = {}
    for line in (folder / f"{name}.index").read_text(encoding="utf-8").splitlines():
        headword, *numbers = line.split("\t")
        start, length = (sum(DIGITS.index(d) * 64**i for i, d in enumerate(reversed(each))) for each in numbers[:2])
        if not headword.startswith("00database"):
            # several headwords lead to some entries, whose first line repeats one of them
            _, _, text = content[start : start + length].decode("utf-8", "replace").partition("\n")
            entries.setdefault(str(start), (headword, " ".join(re.sub(r"[{}]", "", text).split())))
    return titled(entries)


def manpages(debian: Path) -> Triple:
    """Return the task: find a manual page by its one-line summary."""
    pages = {}
    for path in sorted((debian / "usr/share/man").glob("man?/*.gz")):
        parts = re.split(r"(?m)^\.SH +(.*)$", gzip.decompress(path.read_bytes()).decode("utf-8", "replace"))
        sections = {name.strip('" '): plain(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
        if " - " in sections.get("NAME", "") and not path.is_symlink():
            pages[path.stem] = sections["NAME"].partition(" - ")[2], sections.get("DESCRIPTION", "")
    return titled(pages)


def plain(roff: str) -> str:
    """Return the text of a part of a manual page without its markup."""
    lines = re.findall(r"(?m)^(?![.'])(.*)|^\.[BI]{1,2}[RBI]? +(.*)", roff)
    text = " ".join("".join(line).replace('"', "") for line in lines)
    return " ".join(re.sub(r"\\(f.|&|c)", "", text).replace("\\-", "-").replace("\\(aq", "'").split())


def docstrings(spec: str, *, only: Sequence[str] = ()) -> Triple:
    """Return the built-in task, optionally only with documents of some packages."""
    task = load_task(spec)
    documents = {id_: text for id_, text in task.corpus.rows() if not only or id_.startswith(tuple(only))}
    queries = {id_.removesuffix(":summary"): text for id_, text in task.queries.rows()}
    return documents, {id_: queries[id_] for id_ in documents}, {id_: [id_] for id_ in documents}


def titles(folder: Path) -> Triple:
    """Return the task: find a document of a BEIR folder by its title."""
    with gzip.open(folder / "corpus.jsonl.gz") as file:
        records = [json.loads(line) for line in file]
    return titled({each["_id"]: (each["title"], each["text"].removeprefix(each["title"]).strip()) for each in records})


def drawn(triple: Triple, documents: int = DOCUMENTS) -> Triple:
    """Return a sample of at most this number of documents, and of `QUERIES`."""
    texts, queries, relevant = triple
    rng = np.random.default_rng(0)
    asked = [list(queries)[row] for row in np.sort(rng.permutation(len(queries))[:QUERIES])]
    kept = dict.fromkeys(document for key in asked for document in relevant[key])
    others = [key for key in texts if key not in kept]
    kept |= dict.fromkeys(others[row] for row in rng.permutation(len(others))[: max(documents - len(kept), 0)])
    return {key: texts[key] for key in kept}, {key: queries[key] for key in asked}, relevant


def write(folder: Path, triple: Triple) -> None:
    """Write a BEIR folder."""
    documents, queries, relevant = triple
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


def main(data: Path, debian: Path, minilm: str, out: Path) -> None:
    """Write every task that is not there yet."""
    tasks: dict[str, Callable[[], Triple]] = {
        **{name: partial(dictionary, debian, name) for name in ("foldoc", "jargon", "gcide")},
        "manpages": partial(manpages, debian),
        "wordnet": partial(wordnet, debian),
        "pydocs-3k": partial(docstrings, "pydocs"),
        "pydocs-packages": partial(docstrings, f"pydocs:{','.join(PACKAGES)}", only=PACKAGES),
        "wordnet-kinds": partial(wordnet_kinds, debian),
        "cranfield-titles": partial(titles, data / "cranfield"),
        "scifact-titles": partial(titles, data / "scifact"),
    }
    whole = docstrings("pydocs")
    write(out / "pydocs", drawn(whole, len(whole[0])))
    embed(out / "pydocs", "wordllama", "static", EncoderOptions())
    for name, make in tasks.items():
        if not (out / name / "vectors/minilm/queries.npy").exists():
            write(out / name, drawn(make()))
            embed(out / name, "wordllama", "static", EncoderOptions())
            embed(out / name, "minilm", f"st:{minilm}", EncoderOptions(max_length=TOKENS))
        print(name, flush=True)


if __name__ == "__main__":
    typer.run(main)
