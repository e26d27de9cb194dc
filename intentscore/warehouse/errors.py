"""The one place that turns Snowflake's errors into ours: one line, what to do next, never a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from intentscore.errors import ConfigurationError, IntentscoreError, WarehouseError

CONNECTION_FAILED = 250001
CREDENTIAL_ERRORS = frozenset({250006, 251001, 251002, 251005, 251006, 251008, 390100, 390101, 390144, 390195})
HINTS = {
    390114: "the session has expired; run the command again",
    390201: "name an existing warehouse in the settings (`warehouse:`) or the connection",
    606: "no active warehouse; name one in the settings (`warehouse:`) or the connection",
    2003: "it does not exist or the role may not see it; check database, schema and role",
    2043: "it does not exist or the role may not use it; check database, schema and role",
    3001: "the role lacks a privilege; ask its owner for a grant or use another role",
    90105: "no current database; name one in the settings (`database:`) or the connection",
    100132: "two commands wrote the same rows at once; run the command again",
    625: "the statement was aborted by another transaction; run the command again",
}
REFUSED = re.compile(r"incorrect username or password|jwt token is invalid|authentication|not allowed to access", re.I)


@contextmanager
def snowflake_errors(doing: str, *, wrapped: bool = False) -> Iterator[None]:
    """Raise our error for a vendor error inside; `doing` completes "cannot …".

    `wrapped` also takes the ValueError and RuntimeError in which `snowflake.ml` re-raises what went wrong.
    """
    try:
        yield
    except IntentscoreError:
        raise
    except Exception as error:
        if not is_vendor_error(error) and not (wrapped and isinstance(error, ValueError | RuntimeError)):
            raise
        raise translated(error, doing) from error


def is_vendor_error(error: BaseException) -> bool:
    return any(kind.__module__.startswith("snowflake.") for kind in type(error).__mro__)


def translated(error: BaseException, doing: str, secrets: tuple[str, ...] = ()) -> IntentscoreError:
    number = _number(error)
    message = f"cannot {doing}: {_one_line(error, secrets)}"
    hint = HINTS.get(number or 0)
    if _refused_credentials(error, number):
        return ConfigurationError(f"{message}; check account, user and credentials of the connection")
    return WarehouseError(f"{message}; {hint}" if hint else message)


def _refused_credentials(error: BaseException, number: int | None) -> bool:
    return number in CREDENTIAL_ERRORS or (number == CONNECTION_FAILED and bool(REFUSED.search(str(error))))


def _number(error: BaseException) -> int | None:
    for cause in _chain(error):
        found = getattr(cause, "errno", None) or getattr(cause, "sql_error_code", None)
        if isinstance(found, int) and found > 0:
            return found
    return None


def _one_line(error: BaseException, secrets: tuple[str, ...]) -> str:
    """The vendor's words without line breaks, leading numbers and query ids, and any of `secrets`."""
    text = str(getattr(error, "raw_message", None) or getattr(error, "msg", None) or error)
    text = " ".join(text.split())
    text = re.sub(r"^(\([0-9]+\):? ?|[0-9]{6} \(\w{5}\): |[0-9a-f-]{36}: |None: |[0-9]{6}: )+", "", text)
    text = text.removeprefix("SQL compilation error: ")
    for secret in secrets:
        text = text.replace(secret, "***")
    return text.rstrip(". ")[:500]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = getattr(seen, "conn_error", None) or seen.__cause__
