"""Reads a block. What the documentation does not have, or the engine does not, is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from intentscore.local.errors import unsupported
from intentscore.local.scanner import Scanner, tokenize
from intentscore.local.scripting import nodes
from intentscore.local.scripting.nodes import Node
from intentscore.local.several import BEGINS_TRANSACTION, nesting

ASSIGNS = (":=", "DEFAULT")
USER_EXCEPTION = -20_000
LOOP_BEGINS = ("DO", "LOOP")
REFUSED = ("AWAIT", "CANCEL", "ASYNC")
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|//[^\n]*\n|/\*.*?\*/)*(?:BEGIN|DECLARE)\b", re.IGNORECASE | re.DOTALL)


def is_block(text: str) -> bool:
    """Whether a text is a block of statements, and not the BEGIN of a transaction."""
    if _FIRST_WORD.match(text) is None:
        return False
    tokens = tokenize(text)
    words = [token.text.upper() for token in tokens[:2]] + ["", ""]
    return words[0] == "DECLARE" or (words[0] == "BEGIN" and words[1] not in BEGINS_TRANSACTION)


def as_block(body: str) -> str:
    """The body of a procedure in SQL, which may be a single statement."""
    return body if is_block(body) else f"BEGIN {body.strip().rstrip(';')}; END"


def parse(text: str) -> nodes.Block:
    """A whole text that is one block."""
    parser = Parser(text)
    block = parser.block()
    parser.scanner.accept(";")
    if parser.scanner.at < len(parser.scanner.tokens):
        raise parser.scanner.unexpected()
    return block


class Parser:
    def __init__(self, text: str) -> None:
        self.scanner = Scanner(text)

    def block(self) -> nodes.Block:
        scanner, start = self.scanner, self.start
        declarations: list[Node] = []
        if scanner.accept("DECLARE"):
            while scanner.peek() != "BEGIN":
                declarations.append(self._declaration())
                scanner.expect(";")
        scanner.expect("BEGIN")
        body = self._statements("END", "EXCEPTION")
        handlers = self._handlers() if scanner.accept("EXCEPTION") else ()
        scanner.expect("END")
        return nodes.Block(start, tuple(declarations), body, handlers)

    @property
    def start(self) -> int:
        scanner = self.scanner
        return scanner.tokens[scanner.at].start if scanner.at < len(scanner.tokens) else len(scanner.text)

    def _handlers(self) -> tuple[nodes.Handler, ...]:
        found = []
        while self.scanner.accept("WHEN"):
            names = [self.scanner.identifier()]
            while self.scanner.accept("OR"):
                names.append(self.scanner.identifier())
            self.scanner.accept("EXIT")
            if self.scanner.peek() == "CONTINUE":
                raise unsupported("a CONTINUE handler of an exception")
            self.scanner.expect("THEN")
            found.append(nodes.Handler(tuple(names), self._statements("WHEN", "END")))
        return tuple(found)

    def _statements(self, *stops: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while self.scanner.peek() not in stops:
            found.append(self._statement())
            self.scanner.expect(";")
        return tuple(found)

    def _statement(self) -> Node:
        word, following = self.scanner.peek(), self.scanner.peek(1)
        if word in REFUSED:
            raise unsupported(f"{word} in Snowflake Scripting")
        if following == ":=":
            return self._assignment()
        if word == "DECLARE" or (word == "BEGIN" and following not in BEGINS_TRANSACTION):
            return self.block()
        if word == "EXECUTE" and following == "IMMEDIATE":
            return self._execute_immediate()
        if (read := self._STATEMENTS.get(word)) is not None:
            return read(self)
        return self._sql()

    # ------------------------------------------------------------------ declarations and assignments

    def _declaration(self) -> Node:
        """`name TYPE DEFAULT value`, and the same behind LET."""
        scanner, start = self.scanner, self.start
        name = scanner.identifier()
        match scanner.peek():
            case "CURSOR":
                scanner.expect("CURSOR", "FOR")
                return nodes.DeclareCursor(start, name, self._until(";"))
            case "RESULTSET":
                scanner.expect("RESULTSET")
                query = self._parenthesised_query() if scanner.accept(":=") or scanner.accept("DEFAULT") else None
                return nodes.DeclareResultSet(start, name, query)
            case "EXCEPTION":
                scanner.expect("EXCEPTION")
                return nodes.DeclareException(start, name, *self._exception(name))
            case "PROCEDURE":
                raise unsupported("a procedure within a Scripting block")
        kind = None if scanner.peek() in ASSIGNS else self._until(*ASSIGNS, ";")
        value = self._until(";") if scanner.accept(":=") or scanner.accept("DEFAULT") else None
        return nodes.Declare(start, name, kind, value)

    def _exception(self, name: str) -> tuple[int, str]:
        scanner = self.scanner
        if not scanner.accept("("):
            return USER_EXCEPTION, name
        code = int(scanner.value())
        message = scanner.string() if scanner.accept(",") else name
        scanner.expect(")")
        return code, message

    def _let(self) -> Node:
        self.scanner.expect("LET")
        return self._declaration()

    def _assignment(self) -> Node:
        start, name = self.start, self.scanner.identifier()
        self.scanner.expect(":=")
        if self.scanner.peek() == "ASYNC":
            raise unsupported("ASYNC in Snowflake Scripting")
        if self.scanner.peek() == "(" and self.scanner.peek(1) in ("EXECUTE", "SHOW", "CALL", "DESC", "DESCRIBE"):
            return nodes.AssignResultSet(start, name, self._parenthesised_query())
        return nodes.Assign(start, name, self._until(";"))

    def _parenthesised_query(self) -> nodes.Query:
        if self.scanner.peek() == "ASYNC":
            raise unsupported("ASYNC in Snowflake Scripting")
        start, inner = self.start, self.scanner.parenthesised().strip()
        return query(start, inner)

    # ------------------------------------------------------------------ branches and loops

    def _if(self) -> Node:
        scanner, start = self.scanner, self.start
        branches = []
        scanner.expect("IF")
        while True:
            condition = self._until("THEN")
            scanner.expect("THEN")
            branches.append(nodes.Branch(condition, self._statements("ELSEIF", "ELSE", "END")))
            if not scanner.accept("ELSEIF"):
                break
        otherwise = self._statements("END") if scanner.accept("ELSE") else None
        scanner.expect("END", "IF")
        return nodes.If(start, tuple(branches), otherwise)

    def _case(self) -> Node:
        scanner, start = self.scanner, self.start
        scanner.expect("CASE")
        subject = None if scanner.peek() == "WHEN" else self._until("WHEN")
        branches = []
        while scanner.accept("WHEN"):
            condition = self._until("THEN")
            scanner.expect("THEN")
            if subject is not None:
                condition = f"({subject}) = ({condition})"
            branches.append(nodes.Branch(condition, self._statements("WHEN", "ELSE", "END")))
        otherwise = self._statements("END") if scanner.accept("ELSE") else None
        scanner.expect("END")
        scanner.accept("CASE")
        return nodes.If(start, tuple(branches), otherwise, of_case=True)

    def _for(self) -> Node:
        scanner, start = self.scanner, self.start
        scanner.expect("FOR")
        name = scanner.identifier()
        scanner.expect("IN")
        reverse = scanner.accept("REVERSE")
        first = self._until("TO", *LOOP_BEGINS)
        last = self._until(*LOOP_BEGINS) if scanner.accept("TO") else None
        body, label = self._turns("FOR")
        if last is not None:
            return nodes.ForRange(start, name, first, last, reverse, body, label)
        return nodes.ForEach(start, name, Scanner(first).identifier(), body, label)

    def _while(self) -> Node:
        start = self.start
        self.scanner.expect("WHILE")
        condition = self._until(*LOOP_BEGINS)
        body, label = self._turns("WHILE")
        return nodes.Loop(start, body, condition=condition, label=label)

    def _loop(self) -> Node:
        start = self.start
        body, label = self._turns("LOOP")
        return nodes.Loop(start, body, label=label)

    def _turns(self, kind: str) -> tuple[tuple[Node, ...], str | None]:
        """What stands between DO or LOOP and the END of the loop, and its label."""
        closes = kind if self.scanner.word() == "DO" else "LOOP"
        body = self._statements("END")
        self.scanner.expect("END", closes)
        return body, self._label()

    def _repeat(self) -> Node:
        start = self.start
        self.scanner.expect("REPEAT")
        body = self._statements("UNTIL")
        self.scanner.expect("UNTIL")
        until = self._until("END")
        self.scanner.expect("END", "REPEAT")
        return nodes.Loop(start, body, until=until, label=self._label())

    def _label(self) -> str | None:
        return None if self.scanner.done else self.scanner.identifier()

    def _leave(self) -> Node:
        start, word = self.start, self.scanner.word()
        return nodes.Leave(start, self._label(), goes_on=word in ("CONTINUE", "ITERATE"))

    # ------------------------------------------------------------------ single statements

    def _return(self) -> Node:
        scanner, start = self.scanner, self.start
        scanner.expect("RETURN")
        if scanner.done:
            return nodes.Return(start)
        if scanner.peek() != "TABLE" or scanner.peek(1) != "(":
            return nodes.Return(start, value=self._until(";"))
        scanner.expect("TABLE")
        inner = Scanner(scanner.parenthesised())
        if inner.accept("RESULTSET_FROM_CURSOR"):
            inner = Scanner(inner.parenthesised())
        name = inner.identifier()
        inner.end()
        return nodes.Return(start, rows=name)

    def _raise(self) -> Node:
        start = self.start
        self.scanner.expect("RAISE")
        return nodes.Raise(start, self._label())

    def _open(self) -> Node:
        start = self.start
        self.scanner.expect("OPEN")
        name = self.scanner.identifier()
        return nodes.Open(start, name, self._using())

    def _fetch(self) -> Node:
        start = self.start
        self.scanner.expect("FETCH")
        name = self.scanner.identifier()
        self.scanner.expect("INTO")
        return nodes.Fetch(start, name, targets(self._until(";")))

    def _close(self) -> Node:
        start = self.start
        self.scanner.expect("CLOSE")
        return nodes.Close(start, self.scanner.identifier())

    def _null(self) -> Node:
        start = self.start
        self.scanner.expect("NULL")
        return nodes.Nothing(start)

    def _execute_immediate(self) -> nodes.Query:
        start = self.start
        self.scanner.expect("EXECUTE", "IMMEDIATE")
        if self.scanner.peek() == "FROM":
            self.scanner.at -= 2
            return self._sql()
        expression = self._until("USING", ";")
        return nodes.ExecuteImmediate(start, expression, self._using())

    def _using(self) -> tuple[str, ...]:
        return targets(self.scanner.parenthesised()) if self.scanner.accept("USING") else ()

    def _sql(self) -> nodes.Query:
        """Up to the semicolon; those within a block that the statement holds are its own."""
        scanner, start, first = self.scanner, self.start, self.scanner.at
        words = [scanner.peek(i) for i in range(len(scanner.tokens) - first)] + [""]
        depth = 0
        while scanner.at < len(scanner.tokens) and not (depth == 0 and scanner.peek() == ";"):
            here = scanner.at - first
            depth = max(0, depth + nesting(words, here, scanner.tokens[first : scanner.at], depth))
            scanner.at += 1
        if scanner.at == first:
            raise scanner.unexpected("a statement")
        return query(start, scanner.text[start : scanner.tokens[scanner.at - 1].end + 1])

    def _until(self, *stops: str) -> str:
        """The text up to one of these words outside parentheses and CASE expressions."""
        scanner, first, depth = self.scanner, self.scanner.at, 0
        while scanner.at < len(scanner.tokens):
            word = scanner.peek()
            if depth == 0 and word in stops:
                break
            depth += (word in ("(", "[", "CASE")) - (word in (")", "]") or (word == "END" and depth > 0))
            scanner.at += 1
        if scanner.at == first or scanner.at == len(scanner.tokens):
            raise scanner.unexpected(" or ".join(stops))
        return scanner.text[scanner.tokens[first].start : scanner.tokens[scanner.at - 1].end + 1]

    _STATEMENTS: ClassVar[dict[str, Callable[[Parser], Node]]] = {
        "LET": _let, "IF": _if, "CASE": _case, "FOR": _for, "WHILE": _while, "LOOP": _loop, "REPEAT": _repeat,
        "BREAK": _leave, "EXIT": _leave, "CONTINUE": _leave, "ITERATE": _leave, "RETURN": _return, "RAISE": _raise,
        "OPEN": _open, "FETCH": _fetch, "CLOSE": _close, "NULL": _null,
    }  # fmt: skip


def query(start: int, text: str) -> nodes.Query:
    """A statement for the engine, its INTO taken out of SELECT and CALL."""
    scanner = Scanner(text)
    if scanner.peek() == "EXECUTE" and scanner.peek(1) == "IMMEDIATE" and scanner.peek(2) != "FROM":
        return Parser(f"{text};")._execute_immediate()
    if scanner.peek() not in ("SELECT", "WITH", "CALL"):
        return nodes.Sql(start, text)
    depth = 0
    while scanner.at < len(scanner.tokens) and (depth or scanner.peek() != "INTO"):
        depth += {"(": 1, ")": -1}.get(scanner.peek(), 0)
        scanner.at += 1
    if scanner.at == len(scanner.tokens):
        return nodes.Sql(start, text)
    before = text[: scanner.tokens[scanner.at].start]
    first = scanner.at = scanner.at + 1
    while scanner.peek() in (":", ",") or scanner.peek(-1) in (":", ",", "INTO"):
        scanner.at += 1
    written = text[scanner.tokens[first].start : scanner.tokens[scanner.at - 1].end + 1]
    return nodes.Sql(start, before + text[scanner.tokens[scanner.at - 1].end + 1 :], targets(written))


def targets(text: str) -> tuple[str, ...]:
    """`:a, b` as the names of variables."""
    scanner, found = Scanner(text), []
    while not scanner.done:
        scanner.accept(":")
        found.append(scanner.identifier())
        if not scanner.done:
            scanner.expect(",")
    return tuple(found)
