"""Several statements in one request: split, counted, and run one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot.tokenizer_core import Token, TokenType

from intentscore.local import results, types
from intentscore.local.errors import SnowflakeError
from intentscore.local.queries import Query, stopped
from intentscore.local.results import Result
from intentscore.local.scanner import tokenize

if TYPE_CHECKING:
    from intentscore.local.session import Session

ANY_NUMBER = 0
BEGINS_TRANSACTION = {"", ";", "TRANSACTION", "WORK", "NAME"}
ENDS_INNER = {"IF", "FOR", "LOOP", "WHILE", "CASE", "REPEAT"}


def split(text: str) -> list[str]:
    """The statements of a text; a BEGIN … END block with its semicolons is one statement."""
    return [text[part[0].start : part[-1].end + 1] for part in _parts(tokenize(text))]


def _parts(tokens: list[Token]) -> list[list[Token]]:
    found: list[list[Token]] = [[]]
    depth = 0
    words = [token.text.upper() for token in tokens] + [""]
    for i, token in enumerate(tokens):
        if token.token_type is TokenType.SEMICOLON and depth == 0:
            found.append([])
            continue
        if token.token_type not in (TokenType.STRING, TokenType.RAW_STRING, TokenType.IDENTIFIER):
            depth = max(0, depth + nesting(words, i, found[-1], depth))
        found[-1].append(token)
    return [part for part in found if part]


def nesting(words: list[str], i: int, before: list[Token], depth: int) -> int:
    """1 where a block of several statements begins, -1 where it ends."""
    match words[i]:
        case "DECLARE" if not before or before[-1].text.upper() == "AS":
            return 1
        case "BEGIN" if words[i + 1] not in BEGINS_TRANSACTION:
            return 0 if depth == 1 and _is_declared(before) else 1
        case "CASE" if depth and words[i - 1] != "END":
            return 1
        case "END" if depth and words[i + 1] not in ENDS_INNER - {"CASE"}:
            return -1
        case _:
            return 0


def _is_declared(before: list[Token]) -> bool:
    """Whether the BEGIN that comes now belongs to a DECLARE, of the statement itself or of a task's."""
    words = [token.text.upper() for token in before]
    return "DECLARE" in words and "BEGIN" not in words[words.index("DECLARE") :]


def refuse_several(text: str) -> None:
    """One statement is what a request means, unless it says how many."""
    if ";" in text and (count := len(split(text))) > 1:
        raise wrong_count(count, 1)


def wrong_count(found: int, wanted: int) -> SnowflakeError:
    return SnowflakeError(
        f"Actual statement count {found} did not match the desired statement count {wanted}.", 8, "0A000"
    )


def execute(session: Session, parent: Query, wanted: int, bindings: Sequence[Any] = ()) -> Result:
    """Run the statements of one request, each a query of its own; the first that fails is the last."""
    statements = split(parent.text)
    if wanted not in (ANY_NUMBER, len(statements)):
        raise wrong_count(len(statements), wanted)
    waiting = list(bindings)
    for text in statements:
        count = sum(token.token_type is TokenType.PLACEHOLDER for token in tokenize(text))
        mine, waiting = waiting[:count], waiting[count:]
        child = add_child(session, text, parent.parameters)
        parent.children.append(child)
        _run(session, child, mine)
        if child.error is not None:
            raise child.error
    return results.rows({"multiple statement execution": types.TEXT}, [["Multiple statements executed successfully."]])


def add_child(session: Session, text: str, parameters: Mapping[str, Any]) -> Query:
    """A query of its own for one of several statements; what the request says holds for each."""
    child = Query(results.new_query_id(), session, text, session.id)
    child.parameters = {k: v for k, v in parameters.items() if k != "MULTI_STATEMENT_COUNT"}
    session.engine.queries.add(child)
    return child


def _run(session: Session, child: Query, bindings: Sequence[Any]) -> Result | None:
    result = session.run(child, lambda: session.execute(child.text, bindings))
    child.kind = str(result.statement_type) if result is not None else ""
    return result


def run_child(session: Session, text: str, bindings: Sequence[Any]) -> tuple[str, Result]:
    """Run a statement within another, as a query of its own: its id, and what it answered."""
    child = add_child(session, text, {})
    result = _run(session, child, bindings)
    if result is None:
        raise child.error or stopped()
    return child.id, result
