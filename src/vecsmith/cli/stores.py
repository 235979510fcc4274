"""Commands that exchange vectors with databases and index files: export and import."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from vecsmith.cli.app import ForceFlag, JsonFlag, WritingCommand, app, print_json, say

Table = Annotated[str, typer.Option(metavar="NAME", help="Table or collection; ignored for files.")]
STORE = "One of the stores below."


class _Export(TyperCommand):
    """Lists the stores at the end of the help; they are imported only then, because the import is slow."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from vecsmith.stores import STORES

        with formatter.section("Stores"):
            formatter.write_text(", ".join(STORES))


class _Import(_Export, WritingCommand):
    pass


@app.command(cls=_Export)
def export(
    codes: Annotated[Path, typer.Argument(metavar="CODES", help="Folder that encode wrote, or an embedding set.")],
    to: Annotated[str, typer.Option(metavar="STORE", help=STORE)],
    out: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help="Output file (an earlier export is replaced), folder, or PostgreSQL connection string.",
        ),
    ],
    table: Table = "vecsmith",
    decoded: Annotated[bool, typer.Option("--decoded", help="Write decoded vectors instead of codes.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that vecsmith did not write, or an existing table.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write codes, decoded vectors, or an embedding set to a store, and print the size there.

    The vectors of a set are written at unit length. A receipt, FILE.vecsmith.json, is written next to a file; vecsmith
    replaces only files that have one.

    \b
    vecsmith export my-codes --to faiss --out my-codes.faiss
    vecsmith export corpus-256 --to chroma --out my-database --table articles
    vecsmith export my-codes --to lancedb --out my-database --table articles
    vecsmith export my-codes --to pgvector --out postgresql://localhost/mine --table articles
    """
    from vecsmith.index import codes_of
    from vecsmith.stores import export_codes

    with codes_of(codes) as opened:
        exported = export_codes(opened, to, out, table, decoded or opened.codec.spec == "float32", force)
    if as_json:
        print_json(asdict(exported) | {"bytes_per_vector": exported.bytes_per_vector})
    say(f"Wrote {exported.rows:,} rows to {to}, {out}: {exported.size}")


@app.command("import", cls=_Import)
def import_(
    source: Annotated[str, typer.Argument(metavar="WHERE", help="File, folder, or PostgreSQL connection string.")],
    store: Annotated[str, typer.Option("--from", metavar="STORE", help=STORE)],
    out: Annotated[Path, typer.Option(metavar="SET", help="Output folder: new, or left by an interrupted run.")],
    table: Table = "vecsmith",
    force: ForceFlag = False,
) -> None:
    """Read the vectors of a store into an embedding set; an interrupted run continues.

    \b
    vecsmith import my-database --from chroma --table articles --out articles
    """
    from vecsmith.stores import import_set

    say(f"Wrote {import_set(store, source, out, table, force)!r} to {out}")
