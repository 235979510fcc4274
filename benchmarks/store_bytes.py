"""Bytes per vector of every codec in every store.

    python benchmarks/store_bytes.py VECTORS.npy [--postgres "host=localhost dbname=mine"]

writes benchmarks/results/store-bytes.md. The figures are those that ``vecsmith export`` prints: size of the file,
folder or table over the number of vectors, without texts, with row numbers as ids. Each codec is fitted on a
sample, since its bytes do not depend on the fit. In PostgreSQL, the table ``vecsmith_store_bytes`` is replaced.
"""

import argparse
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import vecsmith
from vecsmith import EmbeddingSet, VecsmithError
from vecsmith.index import CodeSet
from vecsmith.stores import export_codes

SPECS = (
    *("float32", "float16", "int8", "int4", "levels4", "levels3", "binary", "median", "thresholds", "grouped24B"),
    *("itq48B", "neural48B", "binary-autoencoder48B", "hybrid48B", "additive48B", "trellis48B"),
    *("hybrid16B+trellis32B", "pca96,int4", "pca192", "faiss:PQ96x4"),
)
"""One codec of every quantizer, and two with a reducer."""
STORES = ("npy", "faiss", "usearch", "lancedb", "pgvector", "chroma")
FIT_ROWS = 2000
TABLE = "vecsmith_store_bytes"
PACKAGES = ("vecsmith", "faiss-cpu", "usearch", "lancedb", "chromadb")
RESULTS = Path(__file__).parent / "results" / "store-bytes.md"


def cell(codes: CodeSet, store: str, decoded: bool, folder: str, postgres: str | None) -> str:
    """Export codes, and return the bytes per vector; a dash where the store does not take the codes."""
    if store == "pgvector" and postgres is None:
        return "not measured"
    name = f"{store}-{codes.codec.spec}-{decoded}".replace(":", "-")
    where = postgres if store == "pgvector" and postgres else str(Path(folder) / name)
    try:
        size = export_codes(codes, store, where, TABLE, decoded, force=store == "pgvector").bytes_per_vector
    except VecsmithError as error:
        if "--decoded" not in str(error):
            raise
        return "–"
    return "unknown" if size is None else f"{size:,.0f}"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--postgres", help="how to connect to a PostgreSQL with pgvector")
    options = parser.parse_args()
    embedded = EmbeddingSet.open(options.vectors)
    lines: list[list[str]] = []
    with TemporaryDirectory(prefix="vecsmith-") as folder:
        for spec in SPECS:
            codec = vecsmith.codec(spec).fit(embedded.unit[: min(FIT_ROWS, len(embedded))])
            codes = CodeSet.encode(codec, embedded, Path(folder) / "codes", force=True)
            if not lines:
                # Chroma always gets decoded vectors, so that one measurement serves all codecs
                floats = [cell(codes, store, True, folder, options.postgres) for store in STORES]
            cells = [cell(codes, store, False, folder, options.postgres) for store in STORES[:-1]]
            lines.append([f"`{spec}`", str(codec.bytes_per_vector), *cells, floats[-1]])
            print(*lines[-1], flush=True)
    header = ["codec", "bytes of a code", *STORES]
    rule = ["---", *("---:" for _ in header[1:])]
    table = [f"| {' | '.join(line)} |" for line in (header, rule, *lines, ["any, with `--decoded`", "", *floats])]
    RESULTS.write_text(
        "# Bytes per vector in every store\n\n"
        "Made by `benchmarks/store_bytes.py`: size of the file, folder or table that `vecsmith export` writes, over "
        f"{len(embedded):,} vectors of\n{embedded.dimensions} dimensions without texts. –: the store takes no such "
        "codes without `--decoded`; a FAISS file includes the\nprojection of the queries, up to "
        f"{4 * embedded.dimensions**2:,} bytes, once. Chroma always gets decoded vectors, measured once.\n"
        f"Nothing is random but the fit (seed 0).\n{', '.join(f'{name} {version(name)}' for name in PACKAGES)}.\n\n"
        + "\n".join([*table, ""]),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
