"""The rows of a staged file that fit their table, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from intentscore.local import conversions, names
from intentscore.local.mapping import Mapping, Target

if TYPE_CHECKING:
    from intentscore.local.session import Session


@dataclass(frozen=True)
class Failure:
    """A record that cannot be loaded; `row` counts records from 1, `line` the lines of the file."""

    message: str
    code: int
    row: int
    line: int
    character: int
    column: str | None


@dataclass(frozen=True)
class Checked:
    """`good` holds the converted rows under the names of their columns."""

    parsed: int
    good: pa.Table
    failures: list[Failure]


def check(session: Session, mapping: Mapping) -> Checked:
    """Convert every row on a connection of its own, so that a value that does not fit ends no transaction."""
    table = _converted(session, mapping)
    bad, value = table.column("_bad"), table.column("_value")
    good = table.drop_columns(["_bad", "_value"])
    uneven = _uneven(mapping)
    wrong = pc.not_equal(bad, 0)
    if uneven is not None:
        wrong = pc.or_(wrong, uneven)
    failures: list[Failure] = []
    if pc.any(wrong).as_py():
        for row in pc.indices_nonzero(wrong).to_pylist():
            if uneven is not None and uneven[row].as_py():
                failures.append(_miscounted(mapping, row))
            else:
                failures.append(_unfit(mapping, row, bad[row].as_py(), value[row].as_py()))
        good = good.filter(pc.invert(wrong))
    parsed = table.num_rows
    if mapping.records is not None and mapping.records.broken is not None:
        line, message = mapping.records.broken
        failures.append(Failure(message, 100065, parsed + 1, line, 1, None))
        parsed += 1
    return Checked(parsed, good, failures)


def _converted(session: Session, mapping: Mapping) -> pa.Table:
    numbers = range(len(mapping.targets))
    raws = ", ".join(f"TRY({raw}) AS r{i}, TRY({cell}) AS c{i}" for i, raw, cell in
                     zip(numbers, mapping.raws, mapping.cells, strict=True))  # fmt: skip
    bad = " ".join(_problem(i, target, mapping) for i, target in enumerate(mapping.targets))
    value = " ".join(f"WHEN {i + 1} THEN CAST(r{i} AS VARCHAR)" for i in numbers)
    cells = ", ".join(f"c{i}" for i in numbers)
    connection = session.engine.connect()
    connection.execute(f"SET TimeZone = {names.literal(str(session.parameters['TIMEZONE']))}")
    registered: list[str] = []

    def register(table: pa.Table) -> str:
        registered.append(f"_file_{len(registered)}")
        connection.register(registered[-1], table)
        return registered[-1]

    try:
        relation = mapping.read(register)
        return connection.sql(
            f"SELECT {cells}, _bad, CASE _bad {value} END AS _value FROM "
            f"(SELECT *, CASE {bad} ELSE 0 END AS _bad FROM (SELECT {raws} FROM {relation}))"
        ).to_arrow_table()
    finally:
        for name in registered:
            connection.unregister(name)
        connection.close()


def _problem(i: int, target: Target, mapping: Mapping) -> str:
    """The number of a column whose value was lost in conversion; negative where NULL is not allowed."""
    given = f"r{i} IS NOT NULL"
    if mapping.form.type == "JSON":
        given += f" AND CAST(r{i} AS VARCHAR) <> 'null'"
    missing = "" if target.nullable else f" WHEN c{i} IS NULL THEN {-(i + 1)}"
    return f"WHEN {given} AND c{i} IS NULL THEN {i + 1}{missing}"


def _uneven(mapping: Mapping) -> pa.Array | None:
    if mapping.records is None or mapping.expected_width is None:
        return None
    return pc.not_equal(mapping.records.widths, mapping.expected_width)


def _miscounted(mapping: Mapping, row: int) -> Failure:
    assert mapping.records is not None
    assert mapping.expected_width is not None
    width = mapping.records.widths[row].as_py()
    message = (
        f"Number of columns in file ({width}) does not match that of the corresponding table "
        f"({mapping.expected_width}), use file format option error_on_column_count_mismatch=false to ignore this error"
    )
    at = min(width, mapping.expected_width)
    column = mapping.label(mapping.targets[at - 1])
    return Failure(message, 100080, row + 1, _line(mapping, row), _character(mapping, row, at), column)


def _unfit(mapping: Mapping, row: int, bad: int, value: str | None) -> Failure:
    index = abs(bad) - 1
    target = mapping.targets[index]
    if bad < 0:
        code, message = 100072, "NULL result in a non-nullable column"
    else:
        code, message = conversions.refused(str(value), target.type, variant=mapping.form.type != "CSV")
    return Failure(message, code, row + 1, _line(mapping, row), _character(mapping, row, index), mapping.label(target))


def _line(mapping: Mapping, row: int) -> int:
    return row + 1 if mapping.records is None else int(mapping.records.lines[row].as_py())


def _character(mapping: Mapping, row: int, fields: int) -> int:
    """Where a field starts in its record, counted from 1."""
    if mapping.records is None:
        return 1
    before = mapping.records.columns[:fields]
    return 1 + sum(len(column[row].as_py() or "") + 1 for column in before)
