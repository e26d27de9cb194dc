"""Session variables in SQL text, and session parameters as their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from sqlglot.tokenizer_core import TokenType

from intentscore.local import names
from intentscore.local.errors import invalid
from intentscore.local.scanner import tokenize

MAX_BYTES = 256
DEFAULT_PARAMETERS: dict[str, Any] = {
    "AUTOCOMMIT": True,
    "TIMEZONE": "Etc/UTC",
    "QUERY_TAG": "",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "LOCK_TIMEOUT": 43_200,
    "STATEMENT_TIMEOUT_IN_SECONDS": 172_800,
    "CLIENT_RESULT_CHUNK_SIZE": 160,
    "CLIENT_PREFETCH_THREADS": 4,
    "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 0,
    "CLIENT_TELEMETRY_ENABLED": False,
    "CLIENT_SESSION_KEEP_ALIVE": False,
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "ARROW",
    "PYTHON_SNOWPARK_USE_SCOPED_TEMP_OBJECTS": True,
    "PYTHON_SNOWPARK_USE_SQL_SIMPLIFIER": True,
    "PYTHON_SNOWPARK_ENABLE_THREAD_SAFE_SESSION": True,
}


@dataclass(frozen=True)
class SessionVariable:
    """What SET has stored; `type` is the wire's name of the value's type."""

    value: Any
    type: str
    created_on: datetime
    updated_on: datetime


def with_variables(text: str, variables: Mapping[str, SessionVariable]) -> str:
    """The statement with `$NAME` replaced by the variable's value; `$1` and `$$…$$` stay."""
    if "$" not in text:
        return text
    tokens = tokenize(text)
    pieces, at = [], 0
    for token, after in pairwise(tokens):
        is_reference = token.token_type is TokenType.PARAMETER and text[token.start : token.end + 1] == "$"
        if not is_reference or after.start != token.end + 1 or not _is_name(after.text):
            continue
        name = after.text.upper()
        if name not in variables:
            raise invalid(f"error line {token.line} at position {token.col}\nSession variable '${name}' does not exist")
        pieces += [text[at : token.start], as_text(variables[name].value)]
        at = after.end + 1
    return "".join([*pieces, text[at:]])


def _is_name(text: str) -> bool:
    return text[:1].isalpha() or text[:1] == "_"


def as_text(value: Any) -> str:
    """A value as it is written in SQL."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case datetime():
            return f"{names.literal(str(value))}::TIMESTAMP{'_TZ' if value.tzinfo else ''}"
        case date():
            return f"{names.literal(str(value))}::DATE"
        case str():
            return names.literal(value.replace("\\", "\\\\"))
        case _:
            return str(value)


def check_size(value: Any) -> None:
    if len(str(value).encode()) > MAX_BYTES:
        raise invalid(
            f"Assignment to a session variable not done because value exceeds size limit of {MAX_BYTES} bytes"
        )


# ---------------------------------------------------------------------------- parameters

BOOLEANS = {
    "AUTOCOMMIT", "QUOTED_IDENTIFIERS_IGNORE_CASE", "CLIENT_SESSION_KEEP_ALIVE", "CLIENT_TELEMETRY_ENABLED",
    "ABORT_DETACHED_QUERY", "TRANSACTION_ABORT_ON_ERROR", "ERROR_ON_NONDETERMINISTIC_MERGE",
    "ERROR_ON_NONDETERMINISTIC_UPDATE",
}  # fmt: skip
NUMBERS = {"LOCK_TIMEOUT", "STATEMENT_TIMEOUT_IN_SECONDS", "MULTI_STATEMENT_COUNT"}


def parameter_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters under their upper-case names, with values of the type the engine reads them as."""
    return {name.upper(): parameter_value(name.upper(), value) for name, value in given.items()}


def parameter_value(name: str, value: Any) -> Any:
    if name in BOOLEANS and not isinstance(value, bool):
        if str(value).lower() not in ("true", "false"):
            raise invalid(f"invalid value [{value}] for parameter '{name}'")
        return str(value).lower() == "true"
    if name in NUMBERS and not isinstance(value, bool):
        try:
            return int(value)
        except (TypeError, ValueError):
            raise invalid(f"invalid value [{value}] for parameter '{name}'") from None
    return value
