"""Commands that hand codes to stores, and take vectors from them."""

from pathlib import Path
from typing import Annotated

import typer

from vecsmith.cli.app import app, say

Table = Annotated[str, typer.Option(metavar="NAME", help="Table or collection; files have none.")]
STORE = "faiss, usearch, npy, lancedb, chroma or pgvector."


@app.command()
def export(
    codes: Annotated[Path, typer.Argument(metavar="CODES", help="A folder that encode wrote.")],
    to: Annotated[str, typer.Option(metavar="STORE", help=STORE)],
    out: Annotated[str, typer.Option(metavar="WHERE", help="File, folder, or how to connect to PostgreSQL.")],
    table: Table = "vecsmith",
    decoded: Annotated[bool, typer.Option("--decoded", help="Write decoded vectors rather than codes.")] = False,
) -> None:
    """Write codes, or decoded vectors, to a store.

    \b
    vecsmith export my-codes --to faiss --out my-codes.faiss
    vecsmith export my-codes --to lancedb --out my-database --table articles
    vecsmith export my-codes --to pgvector --out postgresql://localhost/mine --table articles
    """
    from vecsmith.search import CodeSet
    from vecsmith.search.stores import export_codes

    opened = CodeSet.open(codes)
    export_codes(opened, to, out, table, decoded)
    say(f"Wrote {len(opened)} rows to {to}, {out}")


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(metavar="WHERE", help="File, folder, or how to connect to PostgreSQL.")],
    store: Annotated[str, typer.Option("--from", metavar="STORE", help=STORE)],
    out: Annotated[Path, typer.Option(metavar="SET", help="Folder to write.")],
    table: Table = "vecsmith",
) -> None:
    """Make an embedding set of the vectors in a store; interrupted and started again, it goes on where it was.

    \b
    vecsmith import my-database --from chroma --table articles --out articles
    """
    from vecsmith.search.stores import import_set

    say(f"Wrote {import_set(store, source, out, table)!r} to {out}")
