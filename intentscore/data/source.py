"""What every source of sessions offers to the upload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import pyarrow as pa

BATCH_ROWS: Final = 50_000


class SessionSource(Protocol):
    """Sessions as text, in batches, in the order of the source; nothing is held but the batch at hand."""

    @property
    def name(self) -> str:
        """The source in words, for messages."""

    @property
    def rows(self) -> int | None:
        """Number of sessions, or None while it is not known without reading them."""

    def fingerprint(self) -> str | None:
        """The same for the same content: 'sha256:<hex>' of a file, the parameters of a simulation."""

    def batches(self) -> Iterator[pa.Table]:
        """Tables of schema.BATCH_SCHEMA: RAW_COLUMNS as text, and ROW_NUMBER int64 (from 1, header apart).

        Text is trimmed and empty text is null; otherwise values are what the source said, right or wrong:
        types and ranges are the warehouse's to judge. MONTH is in its short form; UID and SESSION_DATE are
        filled in when the source has no such column (see identity.py). Iterating again starts over.

        Raises DataError when the source turns out to be unreadable or to have no sessions.
        """
