"""Results on disk: what nobody reads at the moment leaves memory, and can still be read again."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

SPILLED_FROM_BYTES = 4 * 2**20


def spill(table: pa.Table, path: Path) -> pa.Table:
    """The same table, mapped from a file: its pages belong to the system, which takes them back when it needs to."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    mapped = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    path.unlink()  # the mapping keeps it until nobody reads it any more; a crash leaves nothing
    return mapped
