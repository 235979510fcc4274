"""LanceDB: codes in a column of bytes under Hamming distance, or decoded vectors."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from vecsmith.codecs.stages import Codes, Floats
from vecsmith.embeddings import Vectors
from vecsmith.errors import VecsmithError, require
from vecsmith.index import CodeSet
from vecsmith.stores.base import Collection, Store
from vecsmith.stores.blocks import BATCH_ROWS, row_blocks
from vecsmith.stores.errors import missing_vector, table_exists
from vecsmith.stores.locations import existing_folder, folder_bytes, folder_growth, new_folder


class LanceDB(Store):
    """A table with the columns ``id``, ``text`` if there are texts, and ``code`` (uint8) or ``vector`` (float32).

    Codes are searched by ``table.search(codec.encode(q)[0], "code").distance_type("hamming")``.
    """

    name = "lancedb"
    location = "folder"
    packages = ("lancedb",)
    bit_codes_only = True
    scoring = "symmetric"

    def export(self, codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int | None:
        if "://" not in where:
            new_folder(where)
        database = require("lancedb", "stores").connect(where)
        width = codes.codec.input_dimensions if decoded else codes.codes.shape[1]
        name, kind = ("vector", pa.float32()) if decoded else ("code", pa.uint8())
        columns = [("id", pa.string()), *([("text", pa.string())] if codes.rows.has_texts else [])]
        schema = pa.schema([*columns, (name, pa.list_(kind, width))])

        def batches() -> Iterator[Any]:
            for ids, texts, block in row_blocks(codes, "rows to lancedb"):
                values: Codes | Floats = codes.codec.decode(block) if decoded else block
                lists = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), width)
                names = [pa.array(column, pa.string()) for column in (ids, texts) if column is not None]
                yield pa.RecordBatch.from_arrays([*names, lists], schema=schema)

        if _opened(database, table) is not None and not force:
            raise table_exists(where, "table", table)
        before = folder_bytes(where)
        database.create_table(table, batches(), schema=schema, mode="overwrite" if force else "create")
        return folder_growth(where, before)

    def read(self, where: str, table: str) -> Collection:
        """Read a table with one column of float vectors; columns ``id`` and ``text`` are optional."""
        database = require("lancedb", "stores").connect(existing_folder(where))
        opened = _opened(database, table)
        if opened is None:
            tables = [name for name in database.list_tables().tables if _opened(database, name) is not None]
            raise VecsmithError(
                f"{where} has no table {table!r}, but {', '.join(tables) or 'none'}; give one of them as --table."
            )
        vectors = [field.name for field in opened.schema if _is_vector(field.type)]
        if len(vectors) != 1:
            raise VecsmithError(f"The table {table!r} should have one column of float vectors, but has {len(vectors)}.")

        def column(name: str) -> Iterator[Any]:
            return (batch[name] for batch in opened.search(None).select([name]).to_batches(BATCH_ROWS))

        def strings(name: str) -> list[str] | None:
            if name not in opened.schema.names:
                return None
            return [str(value) if value is not None else "" for part in column(name) for value in part.to_pylist()]

        def blocks() -> Iterator[Vectors]:
            start = 0
            for part in column(vectors[0]):
                if part.null_count:
                    raise missing_vector(where, ids[start + int(np.argmax(np.asarray(part.is_null())))])
                start += len(part)
                yield np.asarray(part.flatten()).reshape(len(part), -1)

        ids = strings("id") or [str(row) for row in range(opened.count_rows())]
        return Collection(ids, strings("text"), blocks())


def _opened(database: Any, table: str) -> Any:
    """Return a table, or None if there is none or its writing was interrupted, after which it may be replaced."""
    try:
        return database.open_table(table)
    except ValueError:
        return None


def _is_vector(kind: Any) -> bool:
    return bool(pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type))
