"""PostgreSQL with pgvector: codes in a column of bits under Hamming distance, or decoded vectors."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from vecsmith.codecs.stages import Codes
from vecsmith.embeddings import Vectors
from vecsmith.errors import VecsmithError, require
from vecsmith.index import CodeSet
from vecsmith.stores.base import Collection, Store
from vecsmith.stores.blocks import BATCH_ROWS, row_blocks
from vecsmith.stores.errors import missing_vector, table_exists

VECTOR_TYPES = ("vector", "halfvec")


class PgVector(Store):
    """A table with the columns ``id``, ``text`` if there are texts, and ``code`` (bit) or ``embedding`` (vector).

    Codes are searched by ``ORDER BY code <~> B'0110…'``; codes of the shortlist, packed again, give exact scores.
    """

    name = "pgvector"
    location = "server"
    packages = ("psycopg", "psycopg_binary")
    bit_codes_only = True
    scoring = "symmetric"

    def export(self, codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int:
        sql = require("psycopg.sql", "stores")
        name, kind = ("embedding", "vector") if decoded else ("code", "bit")
        width = codes.codec.input_dimensions if decoded else 8 * codes.codes.shape[1]
        columns = ["id text PRIMARY KEY", *(["text text"] if codes.rows.has_texts else []), f"{name} {kind}({width})"]
        with _connected(where) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            named = _identifier(table)
            # the transaction holds this lock, so that exports to one table take turns
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"vecsmith {table}"])
            cursor.execute("SELECT to_regclass(%s)", [named.as_string(connection)])
            if cursor.fetchone()[0] is not None:
                if not force:
                    raise table_exists("The database", "table", table)
                cursor.execute(sql.SQL("DROP TABLE {}").format(named))
            cursor.execute(sql.SQL(f"CREATE TABLE {{}} ({', '.join(columns)})").format(named))
            with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(named)) as copy:
                for ids, texts, block in row_blocks(codes, "rows to pgvector"):
                    values = _vector_strings(codes.codec.decode(block)) if decoded else bit_strings(block)
                    for row in zip(*(column for column in (ids, texts, values) if column is not None), strict=True):
                        copy.write_row(row)
            cursor.execute("SELECT pg_total_relation_size(to_regclass(%s))", [named.as_string(connection)])
            return int(cursor.fetchone()[0])

    def read(self, where: str, table: str) -> Collection:
        """Read a snapshot of a table with one column of vectors; columns ``id`` and ``text`` are optional."""
        sql = require("psycopg.sql", "stores")
        connection = _connected(where)
        named = _identifier(table)
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        of_table = "FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
        found = connection.execute(
            f"SELECT attname, format_type(atttypid, NULL) {of_table}", [named.as_string(connection)]
        ).fetchall()
        kinds = dict(found)
        vectors = [name for name, kind in found if kind in VECTOR_TYPES]
        if len(vectors) != 1:
            connection.close()
            raise VecsmithError(f"The database has no table {table!r} with one column of type vector or halfvec.")

        def column(expression: str, name: str) -> Iterator[list[Any]]:
            order = sql.Identifier("id") if "id" in kinds else sql.SQL("ctid")
            query = sql.SQL(f"SELECT {expression} FROM {{}} ORDER BY {{}}")
            with connection.cursor(f"vecsmith_{name}") as cursor:
                cursor.execute(query.format(sql.Identifier(name), named, order))
                while rows := cursor.fetchmany(BATCH_ROWS):
                    yield [row[0] for row in rows]

        def strings(name: str) -> list[str] | None:
            return None if name not in kinds else [text or "" for block in column("{}::text", name) for text in block]

        ids, texts = strings("id") or [], strings("text")
        if "id" not in kinds:
            count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(named)).fetchone()
            ids = [str(row) for row in range(count[0] if count else 0)]

        def blocks() -> Iterator[Vectors]:
            with connection:
                start = 0
                for block in column("{}::real[]", vectors[0]):
                    if None in block:
                        raise missing_vector(table, ids[start + block.index(None)])
                    start += len(block)
                    yield np.asarray(block, dtype=np.float32)

        return Collection(ids, texts, blocks())


def bit_strings(codes: Codes) -> list[str]:
    """Return codes (n, bytes) as n pgvector ``bit`` values, which begin with the lowest bit of the first byte."""
    return ["".join("01"[bit] for bit in row) for row in np.unpackbits(codes, axis=1, bitorder="little").tolist()]


def _identifier(table: str) -> Any:
    """Return the quoted name of a table, which is case-sensitive and may have a schema, as in ``schema.table``."""
    return require("psycopg.sql", "stores").Identifier(*table.split("."))


def _connected(where: str) -> Any:
    psycopg = require("psycopg", "stores")
    try:
        return psycopg.connect(where)
    except psycopg.OperationalError as error:
        raise VecsmithError(f"PostgreSQL does not answer ({str(error).strip()}); check how to connect.") from error


def _vector_strings(vectors: Vectors) -> list[str]:
    return [f"[{','.join(map(repr, row))}]" for row in vectors.tolist()]
