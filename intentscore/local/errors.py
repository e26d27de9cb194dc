"""The errors a Snowflake account answers with, by their numbers, and what DuckDB's errors become."""

from __future__ import annotations

import re

import duckdb

from intentscore.local import names, spelling

COMPILATION = "SQL compilation error:\n"


_OWN = re.compile(
    r"(?:^|: |['\"])(\d{6}):([0-9A-Z]{5}):(.*?)(?:['\"] to (?:U?INT|BOOL|DATE|TIME|DOUBLE|DECIMAL)|\" ?(?:,|$)|$)", re.S
)


class SnowflakeError(Exception):
    """An error as the wire protocol carries it: message, error number, SQLSTATE."""

    def __init__(self, message: str, code: int, sqlstate: str) -> None:
        super().__init__(message)
        self.message, self.code, self.sqlstate = message, code, sqlstate


class NumberTooWideError(SnowflakeError):
    """A whole number of more than 64 bits on its way into a column that is held in 64."""


def unsupported(what: str) -> SnowflakeError:
    return SnowflakeError(f"Unsupported feature: the local engine does not support {what}.", 2, "0A000")


def syntax_error(detail: str) -> SnowflakeError:
    return SnowflakeError(f"{COMPILATION}syntax error {detail}", 1003, "42000")


def does_not_exist(kind: str, name: str) -> SnowflakeError:
    """Tables and views under the SQLSTATE of a missing table, every other kind under that of no data."""
    state = "42S02" if kind in ("Object", "Table", "View") else "02000"
    return SnowflakeError(f"{COMPILATION}{kind} '{name}' does not exist or not authorized.", 2003, state)


def no_current(what: str) -> SnowflakeError:
    return SnowflakeError(
        f"Cannot perform operation. This session does not have a current {what}. Call 'USE {what.upper()}', or use a "
        "qualified name.", 90105 if what == "database" else 90106, "22000",
    )  # fmt: skip


def already_exists(name: str) -> SnowflakeError:
    return SnowflakeError(f"{COMPILATION}Object '{name}' already exists.", 2002, "42710")


def invalid(detail: str) -> SnowflakeError:
    return SnowflakeError(f"{COMPILATION}{detail}", 2076, "22023")


def invalid_identifier(name: str) -> SnowflakeError:
    return SnowflakeError(
        f"{COMPILATION}error line 1 at position 7\ninvalid identifier '{names.display(name)}'", 904, "42000"
    )


def ambiguous_column(name: str) -> SnowflakeError:
    return SnowflakeError(f"{COMPILATION}ambiguous column name '{name}'", 2028, "42601")


def duplicate_column(name: str) -> SnowflakeError:
    return SnowflakeError(f"{COMPILATION}duplicate column name '{name}'", 2025, "42S21")


def duplicate_row(detail: str = "") -> SnowflakeError:
    return SnowflakeError(f"Duplicate row detected during DML action\n{detail}".rstrip(), 100090, "42P18")


_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_TOO_WIDE = re.compile(r"value is out of range for the destination type INT64|cast decimal value \S+ to type INT64")
REGULAR_EXPRESSION_FAULTS = (
    "no argument for repetition", "missing )", "missing ]", "unexpected )", "invalid escape sequence",
    "trailing \\", "invalid character class", "invalid perl operator", "bad repetition operator",
)  # fmt: skip


def from_duckdb(error: duckdb.Error) -> SnowflakeError:
    """What an account would have said; the detail stays DuckDB's own."""
    text = spelling.plain(str(error).split("\n\n")[0].strip())
    first = text.split("\n")[0]
    detail = first.split(": ", 1)[-1]
    if found := _OWN.search(text):  # said by one of our own macros
        return SnowflakeError(found[3], int(found[1]), found[2])
    if isinstance(error, duckdb.CatalogException):
        return _from_catalog_error(detail)
    if isinstance(error, duckdb.BinderException):
        return _from_binder_error(detail)
    if detail.startswith("Frame ") or ("frame" in detail and "cannot" in detail):
        return SnowflakeError(f"{COMPILATION}Invalid window frame: {detail}", 2303, "42601")
    if isinstance(error, duckdb.ParserException):
        return syntax_error(detail)
    if _TOO_WIDE.search(detail):
        return NumberTooWideError(f"Number out of representable range: {detail}", 100039, "22003")
    if isinstance(error, duckdb.ConversionException):
        return _from_conversion_error(detail)
    if isinstance(error, duckdb.ConstraintException):
        if column := re.search(r"NOT NULL constraint failed: (?:\S+\.)?(\S+)", text):
            return SnowflakeError(f"NULL result in a non-nullable column {column[1]}", 100072, "22000")
        return SnowflakeError(detail, 200001, "22000")
    if "single transaction can only write to a single attached database" in text:
        return unsupported("changing two databases in one transaction")
    if "same target row more than once" in text:
        return duplicate_row(detail)
    if "Argument for ntile must be greater than zero" in text:
        return SnowflakeError("NTILE argument must be at least 1", 100154, "22023")
    if "division by zero" in text.lower():
        return SnowflakeError("Division by zero", 100051, "22012")
    if any(detail.startswith(fault) for fault in REGULAR_EXPRESSION_FAULTS):
        return SnowflakeError(f"Invalid regular expression: {detail}", 100048, "2201B")
    if found := re.search(r'Could not parse string "(.*?)" according to format specifier', text):
        return SnowflakeError(f"Date '{found[1]}' is not recognized", 100040, "22007")
    if isinstance(error, duckdb.OutOfRangeException):
        return SnowflakeError(f"Number out of representable range: {detail}", 100039, "22003")
    return SnowflakeError(detail, 1003, "42000")


def _from_catalog_error(detail: str) -> SnowflakeError:
    if found := re.search(r"(Table|View|Schema|Sequence) with name (\S+) does not exist", detail):
        kind = "Object" if found[1] in ("Table", "View") else found[1]
        return SnowflakeError(f"{COMPILATION}{kind} '{found[2]}' does not exist or not authorized.", 2003, "42S02")
    if found := re.search(r"with name \"?([^\"\s]+)\"? already exists", detail):
        return already_exists(found[1])
    if found := re.search(
        r"(?:Scalar|Aggregate|Table|Table Function|.*) ?Function with name (\S+) does not exist", detail
    ):
        return SnowflakeError(f"{COMPILATION}Unknown function {found[1].upper()}", 2140, "42601")
    return SnowflakeError(f"{COMPILATION}{detail}", 2003, "42S02")


_ZONED = re.compile(r"(?:values? of type|types of|for cast).*\bINTERVAL\b", re.S)


def _from_binder_error(detail: str) -> SnowflakeError:
    if _ZONED.search(detail):
        return _beside_other_type()
    if found := re.search(
        r"Referenced (?:column|table) \"([^\"]+)\" (?:was )?not found|column \"([^\"]+)\" (?:not found|that)", detail
    ):
        return invalid_identifier(found[1] or found[2])
    if found := re.search(r'does not have a column (?:with name|named) "([^"]+)"', detail):
        return invalid_identifier(found[1])
    if found := re.search(r"has (\d+) columns but (\d+) values were supplied", detail):
        return _mismatch(found[1], found[2])
    if found := re.search(r"[Ee]xpected (\d+) columns but (\d+) values", detail):
        return _mismatch(found[1], found[2])
    if found := re.search(r'column "([^"]+)" must appear in the GROUP BY clause', detail):
        return SnowflakeError(f"{COMPILATION}[{found[1]}] is not a valid group by expression", 979, "42601")
    if "GROUP BY clause cannot contain aggregates" in detail:
        return SnowflakeError(f"{COMPILATION}an aggregate is not a valid group by expression", 979, "42601")
    if "Ambiguous reference" in detail:
        name = re.search(r"\"([^\"]+)\"", detail)
        return ambiguous_column(name[1] if name else "")
    for reason, words, code in _BINDER_WORDS:
        if reason in detail:
            return SnowflakeError(f"{COMPILATION}{words}", code, "42601")
    return SnowflakeError(f"{COMPILATION}{detail}", 2043, "42601")


_BINDER_WORDS = (
    ("resulted in an empty set of columns", "SELECT with no columns", 1055),
    ("WHERE clause cannot contain aggregates", "Invalid aggregate function in where clause", 1039),
    ("clause cannot contain window functions",
     "Window function appears outside of SELECT, QUALIFY, and ORDER BY clauses.", 2303),
    ("GROUPING statement cannot be used without groups", "GROUPING function without a GROUP BY", 2152),
)  # fmt: skip


def _mismatch(expected: str, got: str) -> SnowflakeError:
    detail = f"Insert value list does not match column list expecting {expected} but got {got}"
    return SnowflakeError(f"{COMPILATION}{detail}", 2020, "42601")


def _beside_other_type() -> SnowflakeError:
    return unsupported("a TIMESTAMP_TZ here beside a value of another type, unless one is cast to the other's type")


def _from_conversion_error(detail: str) -> SnowflakeError:
    if _ZONED.search(detail):
        return _beside_other_type()
    if found := re.search(r"Could not convert string ['\"](.*?)['\"] to (\w+)", detail):
        if found[2] == "INTERVAL":
            return SnowflakeError(f"Timestamp '{found[1]}' is not recognized", 100035, "22007")
        if found[2] in ("DATE", "TIMESTAMP", "TIME"):
            return SnowflakeError(f"{found[2].title()} '{found[1]}' is not recognized", 100040, "22007")
        if found[2] == "BOOL":
            return SnowflakeError(f"Boolean value '{found[1]}' is not recognized", 100037, "22018")
        if found[2] == "DECIMAL" and _NUMBER.fullmatch(found[1]):
            return SnowflakeError(f"Numeric value '{found[1]}' is out of range", 100039, "22003")
        return SnowflakeError(f"Numeric value '{found[1]}' is not recognized", 100038, "22018")
    if found := re.search(r'value "?(\S+?)"? to (?:type )?DECIMAL(\(\d+,\d+\))', detail):
        return SnowflakeError(
            f"Number out of representable range: type FIXED{found[2]}, value {found[1]}", 100039, "22003"
        )
    return SnowflakeError(detail, 100035, "22007")
