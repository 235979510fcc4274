"""Bytes per vector of every codec in every store.

    python benchmarks/store_bytes.py VECTORS.npy [--postgres "host=localhost dbname=mine"]
        writes benchmarks/results/store-bytes.md

Each codec is fitted on a sample, since its bytes do not depend on what it learns. The vectors are exported without
texts, with row numbers as ids, into a temporary folder and a table of PostgreSQL that is replaced
(``vecsmith_store_bytes``).
The figures are those that ``vecsmith export`` prints: size of the file, folder or table over the number of vectors.
"""

import argparse
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import vecsmith
from vecsmith import EmbeddingSet, VecsmithError
from vecsmith.index import CodeSet
from vecsmith.stores import export_codes

SPECS = (
    "float32",
    "float16",
    "int8",
    "int4",
    "levels4",
    "levels3",
    "binary",
    "median",
    "thresholds",
    "grouped24B",
    "itq48B",
    "neural48B",
    "binary-autoencoder48B",
    "hybrid48B",
    "additive48B",
    "trellis48B",
    "hybrid16B+trellis32B",
    "pca96,int4",
    "pca192",
    "faiss:PQ96x4",
)
"""One codec of every quantizer, and two with a reducer."""
STORES = ("npy", "faiss", "usearch", "lancedb", "pgvector", "chroma")
FIT_ROWS = 2000
TABLE = "vecsmith_store_bytes"
PACKAGES = ("vecsmith", "faiss-cpu", "usearch", "lancedb", "chromadb")
DECODED = "any, with `--decoded`"
RESULTS = Path(__file__).parent / "results" / "store-bytes.md"


@dataclass
class Exporter:
    """Exports codes to one place per store, which each export replaces."""

    folder: Path
    postgres: str | None

    def bytes_per_vector(self, codes: CodeSet, store: str, decoded: bool) -> str:
        """Return the bytes per vector as a cell of the table; a dash where the store does not take the codes."""
        if store == "pgvector" and self.postgres is None:
            return "not measured"
        name = f"{store}-{codes.codec.spec}-{decoded}".replace(":", "-")
        where = self.postgres if store == "pgvector" and self.postgres else str(self.folder / name)
        try:
            exported = export_codes(codes, store, where, TABLE, decoded, force=store == "pgvector")
        except VecsmithError as error:
            if "--decoded" not in str(error):
                raise
            return "–"
        size = exported.bytes_per_vector
        return "unknown" if size is None else f"{size:,.0f}"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--postgres", help="how to connect to a PostgreSQL with pgvector")
    options = parser.parse_args()
    embedded = EmbeddingSet.open(options.vectors)
    sample = embedded.unit[: min(FIT_ROWS, len(embedded))]
    lines = []
    with TemporaryDirectory(prefix="vecsmith-") as folder:
        exporter = Exporter(Path(folder), options.postgres)
        for spec in SPECS:
            codec = vecsmith.codec(spec).fit(sample)
            codes = CodeSet.encode(codec, embedded, Path(folder) / "codes", force=True)
            cells = [exporter.bytes_per_vector(codes, store, False) for store in STORES if store != "chroma"]
            lines.append([f"`{spec}`", str(codec.bytes_per_vector), *cells])
            print(*lines[-1], flush=True)
            if spec == "float32":
                floats = [exporter.bytes_per_vector(codes, store, True) for store in STORES]
    # Chroma always gets decoded vectors, so that one measurement serves all codecs
    lines = [[*line, floats[-1]] for line in lines] + [[DECODED, "", *floats]]
    header = ["codec", "bytes of a code", *STORES]
    rule = ["---", *("---:" for _ in header[1:])]
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    RESULTS.write_text(
        "# Bytes per vector in every store\n\n"
        "Made by `benchmarks/store_bytes.py`: size of the file, folder or table that `vecsmith export` writes, over "
        f"{len(embedded):,} vectors of\n{embedded.dimensions} dimensions without texts. –: the store takes no such "
        "codes without `--decoded`; a FAISS file includes the\nprojection of the queries, up to "
        f"{4 * embedded.dimensions**2:,} bytes, once. Chroma always gets decoded vectors, measured once.\n"
        f"Nothing is random but the fit (seed 0).\n{versions}.\n\n"
        + "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
