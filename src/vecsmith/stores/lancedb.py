"""LanceDB: codes in a column of bytes under Hamming distance, or decoded vectors."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from vecsmith.codecs.stages import Codes, Floats
from vecsmith.embeddings import Vectors
from vecsmith.errors import VecsmithError, require
from vecsmith.index.code_set import CodeSet
from vecsmith.index.scoring import Scoring, is_bit_code
from vecsmith.stores.base import (
    BLOCK,
    Collection,
    check_bits,
    exists,
    folder_bytes,
    folder_of,
    growth,
    named_blocks,
    new_folder_of,
    without_vector,
)

PACKAGES = ("lancedb",)
SCORING: Scoring = "symmetric"
"""Codes of queries are compared with those of documents, by their Hamming distance."""
searches = is_bit_code


def export(codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int | None:
    """Write a table with columns ``id``, perhaps ``text``, and ``code`` (uint8) or ``vector`` (float32).

    Codes are searched as ``table.search(codec.encode(q)[0], "code").distance_type("hamming")``.
    """
    if not decoded:
        check_bits(codes, "lancedb")
    if "://" not in where:
        new_folder_of(where)
    database = require("lancedb", "stores").connect(where)
    width = codes.codec.input_dimensions if decoded else codes.codes.shape[1]
    name, kind = ("vector", pa.float32()) if decoded else ("code", pa.uint8())
    columns = [("id", pa.string()), *([("text", pa.string())] if codes.rows.has_texts else [])]
    schema = pa.schema([*columns, (name, pa.list_(kind, width))])

    def batches() -> Iterator[Any]:
        for ids, texts, block in named_blocks(codes, "rows to lancedb"):
            values: Codes | Floats = codes.codec.decode(block) if decoded else block
            lists = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), width)
            names = [pa.array(column, pa.string()) for column in (ids, texts) if column is not None]
            yield pa.RecordBatch.from_arrays([*names, lists], schema=schema)

    if _opened(database, table) is not None and not force:
        raise exists(where, "table", table)
    before = folder_bytes(where)
    database.create_table(table, batches(), schema=schema, mode="overwrite" if force else "create")
    return growth(where, before)


def read(where: str, table: str) -> Collection:
    """Read a table with one column of float vectors, and perhaps ``id`` and ``text``."""
    database = require("lancedb", "stores").connect(folder_of(where))
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
        return (batch[name] for batch in opened.search(None).select([name]).to_batches(BLOCK))

    def strings(name: str) -> list[str] | None:
        if name not in opened.schema.names:
            return None
        return [str(value) if value is not None else "" for part in column(name) for value in part.to_pylist()]

    def blocks() -> Iterator[Vectors]:
        start = 0
        for part in column(vectors[0]):
            if part.null_count:
                raise without_vector(where, ids[start + int(np.argmax(np.asarray(part.is_null())))])
            start += len(part)
            yield np.asarray(part.flatten()).reshape(len(part), -1)

    ids = strings("id") or [str(row) for row in range(opened.count_rows())]
    return Collection(ids, strings("text"), blocks())


def _opened(database: Any, table: str) -> Any:
    """Return a table, or None; one whose writing was broken off is listed, but cannot be opened and may be replaced."""
    try:
        return database.open_table(table)
    except ValueError:
        return None


def _is_vector(kind: Any) -> bool:
    return bool(pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type))
