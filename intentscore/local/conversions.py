"""How a value in a file becomes a value of a table's column, under the options of its format."""

from __future__ import annotations

import re

from intentscore.local.formats import FileFormat
from intentscore.local.names import literal
from intentscore.local.rewrites.conversions import ZONED
from intentscore.local.types import ColumnType

# What the AUTO detection of Snowflake recognises beyond ISO 8601.
AUTO_DATES = ("%m/%d/%Y", "%d-%b-%Y", "%Y/%m/%d")
AUTO_TIMESTAMPS = (
    "%m/%d/%Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S %z", "%a %b %d %H:%M:%S %z %Y", "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y %H:%M", "%Y%m%dT%H%M%S",
)  # fmt: skip
_ELEMENTS = {
    "YYYY": "%Y", "YY": "%y", "MMMM": "%B", "MON": "%b", "MM": "%m", "DD": "%d", "DY": "%a", "HH24": "%H",
    "HH12": "%I", "HH": "%H", "AM": "%p", "PM": "%p", "MI": "%M", "SS": "%S", "TZH:TZM": "%z", "TZHTZM": "%z",
    "TZH": "%z", "TZD": "%Z", '"T"': "T", "T": "T",
}  # fmt: skip
_ELEMENT = re.compile(
    "|".join(re.escape(k) for k in sorted(_ELEMENTS, key=len, reverse=True)) + r"|FF\d?|\"[^\"]*\"", re.IGNORECASE
)


def strptime_format(text: str) -> str:
    """A date or time format of Snowflake's in the notation of strptime."""

    def element(found: re.Match[str]) -> str:
        word = found[0].upper()
        if word.startswith("FF"):
            return "%n" if word[2:] in ("7", "8", "9") else "%f"
        return _ELEMENTS.get(word, found[0].strip('"'))

    return _ELEMENT.sub(element, text.replace("%", "%%"))


def convert(value: str, to: ColumnType, duckdb_type: str, form: FileFormat, *, truncate: bool) -> str:
    """DuckDB's expression for a text or VARIANT value of a file as a column's type; NULL where it does not fit."""
    text = f"memory.main.sf_load_text({value})"
    match to.wire:
        case "fixed" | "real":
            return f"CAST(trim({text}) AS {duckdb_type})"
        case "boolean":
            return f"memory.main.sf_try_boolean(trim({text}))"
        case "date":
            return f"CAST({_moment(text, 'DATE', str(form['DATE_FORMAT']), AUTO_DATES)} AS DATE)"
        case "time":
            return _moment(text, "TIME", str(form["TIME_FORMAT"]), ("%I:%M:%S %p", "%H:%M"))
        case "timestamp_ntz" | "timestamp_ltz" | "timestamp_tz":
            return _moment(text, duckdb_type, str(form["TIMESTAMP_FORMAT"]), AUTO_TIMESTAMPS)
        case "binary":
            return _binary(text, str(form["BINARY_FORMAT"]).upper())
        case "text":
            return _text(text, to.length, truncate=truncate)
        case _:
            return f"memory.main.sf_load_variant({value})"


def _moment(text: str, duckdb_type: str, given: str, automatic: tuple[str, ...]) -> str:
    if duckdb_type == ZONED:
        moment = _moment(text, "TIMESTAMPTZ", given, automatic)
        offset = "last" if "%z" in strptime_format(given) else "written"
        return f"memory.main.sf_with_offset({moment}, memory.main.sf_{offset}_offset({text}))"
    if given.upper() != "AUTO":
        form = strptime_format(given)
        if "%I" in form and "%p" not in form:  # without AM or PM it is the morning
            text, form = f"({text} || ' AM')", f"{form} %p"
        return f"CAST(try_strptime({text}, {literal(form)}) AS {duckdb_type})"
    known = ", ".join(literal(form) for form in automatic)
    epoch = f", make_timestamp(TRY_CAST({text} AS BIGINT) * 1000000)" if duckdb_type.startswith("TIMESTAMP") else ""
    if "ZONE" in duckdb_type or duckdb_type == "TIMESTAMPTZ":  # +0500 as well as +05:00
        epoch = f", memory.main.sf_try_zoned_text({text}){epoch}"
    return f"COALESCE(TRY_CAST({text} AS {duckdb_type}), CAST(try_strptime({text}, [{known}]) AS {duckdb_type}){epoch})"


def _binary(text: str, given: str) -> str:
    return {"BASE64": f"from_base64({text})", "UTF8": f"encode({text})", "UTF-8": f"encode({text})"}.get(
        given, f"unhex({text})"
    )


def _text(text: str, length: int | None, *, truncate: bool) -> str:
    if length is None or length >= 16_777_216:
        return text
    return f"left({text}, {length})" if truncate else f"CASE WHEN length({text}) <= {length} THEN {text} END"


def refused(value: str, to: ColumnType, *, variant: bool) -> tuple[int, str]:
    """The number and words of the error for a value that does not fit its column."""
    if variant and to.wire != "text":
        return 100071, f"Failed to cast variant value {value} to {to.wire.upper()}"
    match to.wire:
        case "boolean":
            return 100037, f"Boolean value '{value}' is not recognized"
        case "date" | "time":
            return 100040, f"{to.wire.title()} '{value}' is not recognized"
        case "timestamp_ntz" | "timestamp_ltz" | "timestamp_tz":
            return 100035, f"Timestamp '{value}' is not recognized"
        case "binary":
            return 100115, f"The following string is not a legal hex-encoded value: '{value}'"
        case "text":
            return 100074, f"User character length limit ({to.length}) exceeded by string '{value}'"
        case "array" | "object" | "variant":
            return 100069, f"Error parsing JSON: {value}"
        case _:
            return (100132, f"Numeric value '{value}' is out of range") if _is_number(value) else (
                100038, f"Numeric value '{value}' is not recognized")  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
