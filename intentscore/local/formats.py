"""File formats: CREATE, DROP, SHOW and DESC FILE FORMAT, and a format's options as values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from intentscore.local import names, results, types
from intentscore.local.catalog import OWNER, already_there
from intentscore.local.dropping import drop
from intentscore.local.errors import does_not_exist, invalid, unsupported
from intentscore.local.results import Result
from intentscore.local.show import read_listing
from intentscore.local.statements import Effect, Statement, statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

FILE_FORMAT = "FILE FORMAT"
UNREADABLE = "22000"  # the SQLSTATE of a file that is not of its format
NONE = "NONE"

# The options of each type with their defaults, as CREATE FILE FORMAT documents them.
DEFAULTS: dict[str, dict[str, Any]] = {
    "CSV": {
        "RECORD_DELIMITER": "\n", "FIELD_DELIMITER": ",", "FILE_EXTENSION": None, "SKIP_HEADER": 0,
        "PARSE_HEADER": False, "DATE_FORMAT": "AUTO", "TIME_FORMAT": "AUTO", "TIMESTAMP_FORMAT": "AUTO",
        "BINARY_FORMAT": "HEX", "ESCAPE": NONE, "ESCAPE_UNENCLOSED_FIELD": "\\", "TRIM_SPACE": False,
        "FIELD_OPTIONALLY_ENCLOSED_BY": NONE, "NULL_IF": ["\\N"], "COMPRESSION": "AUTO",
        "ERROR_ON_COLUMN_COUNT_MISMATCH": True, "SKIP_BLANK_LINES": False, "REPLACE_INVALID_CHARACTERS": False,
        "EMPTY_FIELD_AS_NULL": True, "SKIP_BYTE_ORDER_MARK": True, "ENCODING": "UTF8", "MULTI_LINE": True,
        "VALIDATE_UTF8": True,
    },
    "JSON": {
        "FILE_EXTENSION": None, "DATE_FORMAT": "AUTO", "TIME_FORMAT": "AUTO", "TIMESTAMP_FORMAT": "AUTO",
        "BINARY_FORMAT": "HEX", "TRIM_SPACE": False, "NULL_IF": [], "COMPRESSION": "AUTO", "ENABLE_OCTAL": False,
        "ALLOW_DUPLICATE": False, "STRIP_OUTER_ARRAY": False, "STRIP_NULL_VALUES": False,
        "IGNORE_UTF8_ERRORS": False, "REPLACE_INVALID_CHARACTERS": False, "SKIP_BYTE_ORDER_MARK": True,
        "MULTI_LINE": True, "RECORD_DELIMITER": "\n", "FIELD_DELIMITER": ",",
    },
    "PARQUET": {
        "TRIM_SPACE": False, "NULL_IF": [], "COMPRESSION": "AUTO", "BINARY_AS_TEXT": True,
        "REPLACE_INVALID_CHARACTERS": False, "USE_LOGICAL_TYPE": False, "USE_VECTORIZED_SCANNER": False,
        "SNAPPY_COMPRESSION": None, "FILE_EXTENSION": None,
    },
    "ORC": {"TRIM_SPACE": False, "NULL_IF": [], "REPLACE_INVALID_CHARACTERS": False, "FILE_EXTENSION": None},
    "AVRO": {"TRIM_SPACE": False, "NULL_IF": [], "COMPRESSION": "AUTO", "REPLACE_INVALID_CHARACTERS": False},
    "XML": {
        "COMPRESSION": "AUTO", "IGNORE_UTF8_ERRORS": False, "PRESERVE_SPACE": False, "STRIP_OUTER_ELEMENT": False,
        "DISABLE_SNOWFLAKE_DATA": False, "DISABLE_AUTO_CONVERT": False, "REPLACE_INVALID_CHARACTERS": False,
        "SKIP_BYTE_ORDER_MARK": True,
    },
}  # fmt: skip


@dataclass(frozen=True)
class FileFormat:
    """The options in force for a file: those given over the defaults of the type."""

    type: str
    given: dict[str, Any]

    def __getitem__(self, option: str) -> Any:
        return self.given.get(option, DEFAULTS[self.type].get(option))

    def flag(self, option: str) -> bool:
        return str(self[option]).upper() == "TRUE"

    def character(self, option: str) -> str | None:
        """A delimiter or quote; NONE is no character at all."""
        value = self[option]
        if value is None or str(value).upper() == NONE or value == "":
            return None
        text = str(value)
        if text.lower().startswith("0x"):
            return bytes.fromhex(text[2:]).decode("utf-8", "replace")
        return text.encode("latin-1", "backslashreplace").decode("unicode_escape") if "\\" in text[:-1] else text

    def nulls(self) -> list[str]:
        value = self["NULL_IF"]
        return [str(v) for v in value] if isinstance(value, list) else [] if value in (None, "") else [str(value)]

    @property
    def in_columns(self) -> bool:
        """Whether the file itself names and types its columns."""
        return self.type in ("PARQUET", "ORC", "AVRO")


def checked(given: dict[str, Any]) -> FileFormat:
    """A format from the options of a statement; an option that its type does not have is refused."""
    options = {name: value for name, value in given.items() if name not in ("TYPE", "FORMAT_NAME")}
    kind = str(given.get("TYPE", "CSV")).upper()
    if kind == "CUSTOM" or kind not in DEFAULTS:
        raise unsupported(f"the file format {kind}")
    for name, value in options.items():
        if name not in DEFAULTS[kind]:
            raise invalid(f"invalid parameter '{name}'")
        if isinstance(DEFAULTS[kind][name], bool) and str(value).upper() not in ("TRUE", "FALSE"):
            raise invalid(f"invalid value [{value}] for parameter '{name}'")
        if name == "SKIP_HEADER" and not str(value).isdigit():
            raise invalid(f"invalid value ['{value}'] for parameter 'SKIP_HEADER'")
    return FileFormat(kind, options)


def as_options(given: Any) -> dict[str, Any]:
    """FILE_FORMAT = (…), or the name of a format in its place."""
    return given if isinstance(given, dict) else {"FORMAT_NAME": given} if given else {}


def find(session: Session, given: Any) -> FileFormat:
    """The format given by name or in place; options beside a name override what the name stands for."""
    options = dict(as_options(given))
    named = options.pop("FORMAT_NAME", None)
    if named is None:
        return checked(options)
    entry = session.catalog.get(FILE_FORMAT, session.resolve(names.split(str(named))))
    if entry is None:
        raise does_not_exist("File format", str(named))
    return checked({**entry.details, **options})


# ---------------------------------------------------------------------------- statements


@statement("CREATE FILE FORMAT", effect=Effect.DEFINE)
def create_file_format(session: Session, head: Statement) -> Result:
    quietly = head.if_not_exists()
    name = session.existing_schema(session.resolve(head.scanner.name()))
    options = head.scanner.options()
    head.scanner.end()
    if there := already_there(session, head, FILE_FORMAT, name, quietly):
        return there
    comment = options.pop("COMMENT", "")
    checked(options)
    session.catalog.put(session.catalog.new(FILE_FORMAT, name, comment, **options), temporary=head.temporary)
    return results.done(f"File format {name.name} successfully created.")


@statement("ALTER FILE FORMAT", effect=Effect.DEFINE)
def alter_file_format(session: Session, head: Statement) -> Result:
    quietly = head.if_exists()
    name = session.resolve(head.scanner.name())
    entry = session.catalog.get(FILE_FORMAT, name)
    if entry is None:
        if quietly:
            return results.done()
        raise does_not_exist("File format", str(name))
    head.scanner.expect("SET")
    options = head.scanner.options()
    head.scanner.end()
    entry.comment = options.pop("COMMENT", entry.comment)
    entry.details |= options
    checked(entry.details)
    session.catalog.put(entry)
    return results.done()


@statement("DROP FILE FORMAT", effect=Effect.DEFINE)
def drop_file_format(session: Session, head: Statement) -> Result:
    return drop(session, head, "File format", lambda session, name: session.catalog.remove(FILE_FORMAT, name))


@statement("SHOW FILE FORMATS")
def show_file_formats(session: Session, head: Statement) -> Result:
    listing = read_listing(session, head.scanner)
    columns = {
        "created_on": types.TIMESTAMP_LTZ,
        **dict.fromkeys(
            ("name", "database_name", "schema_name", "type", "owner", "comment", "format_options", "owner_role_type"),
            types.TEXT,
        ),
    }
    data = []
    for entry in listing.entries(session, FILE_FORMAT):
        form = checked(entry.details)
        options = {"TYPE": form.type, **{name: form[name] for name in DEFAULTS[form.type]}}
        data.append([entry.created_on, entry.name.name, entry.name.database, entry.name.schema, form.type, OWNER,
                     entry.comment, json.dumps(options), "ROLE"])  # fmt: skip
    return results.rows(columns, data)


@statement("DESC FILE FORMAT", "DESCRIBE FILE FORMAT")
def describe_file_format(session: Session, head: Statement) -> Result:
    name = session.resolve(head.scanner.name())
    head.scanner.end()
    entry = session.catalog.get(FILE_FORMAT, name)
    if entry is None:
        raise does_not_exist("File format", str(name))
    return results.rows(PROPERTIES, [row[1:] for row in described(checked(entry.details))])


_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
PROPERTIES = dict.fromkeys(("property", "property_type", "property_value", "property_default"), types.TEXT)


def described(form: FileFormat) -> list[list[str | None]]:
    """The rows of DESC STAGE for a format: parent, property, its type, value and default."""
    rows: list[list[str | None]] = [["STAGE_FILE_FORMAT", "TYPE", "String", form.type, "CSV"]]
    for option, default in DEFAULTS[form.type].items():
        kind = {bool: "Boolean", int: "Integer", list: "List"}.get(type(default), "String")
        by_default = DEFAULTS["CSV"][option] if option == "NULL_IF" else default  # one for all types, as it is shown
        rows.append(["STAGE_FILE_FORMAT", option, kind, _shown(form[option]), _shown(by_default)])
    return rows


def _shown(value: Any) -> str | None:
    if isinstance(value, list):
        return f"[{', '.join(_escaped(str(v)) for v in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else _escaped(str(value))


def _escaped(text: str) -> str:
    """A delimiter as it would stand in a statement; NONE in capitals."""
    if text.upper() == NONE:
        return NONE
    return text.translate(_ESCAPES)
