"""The statements of a block, as the parser reads them. Expressions and SQL stay text until they run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    start: int
    """Where the statement stands in the text of the block."""


@dataclass(frozen=True)
class Sql(Node):
    """A statement for the engine; `into` are the variables its only row goes to."""

    text: str
    into: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExecuteImmediate(Node):
    """The statement an expression holds; `using` are bound to its `?`."""

    expression: str
    using: tuple[str, ...] = ()


Query = Sql | ExecuteImmediate


@dataclass(frozen=True)
class Declare(Node):
    """A variable, with a type, a first value, or both."""

    name: str
    type: str | None
    value: str | None


@dataclass(frozen=True)
class DeclareCursor(Node):
    """A cursor over a query, or over a RESULTSET of that name."""

    name: str
    query: str


@dataclass(frozen=True)
class DeclareResultSet(Node):
    name: str
    query: Query | None


@dataclass(frozen=True)
class DeclareException(Node):
    name: str
    code: int
    message: str


@dataclass(frozen=True)
class Assign(Node):
    name: str
    value: str


@dataclass(frozen=True)
class AssignResultSet(Node):
    name: str
    query: Query


@dataclass(frozen=True)
class Branch:
    condition: str
    body: tuple[Node, ...]


@dataclass(frozen=True)
class If(Node):
    """Also a CASE: the first branch that holds."""

    branches: tuple[Branch, ...]
    otherwise: tuple[Node, ...] | None
    of_case: bool = False


@dataclass(frozen=True)
class ForRange(Node):
    name: str
    first: str
    last: str
    reverse: bool
    body: tuple[Node, ...]
    label: str | None = None


@dataclass(frozen=True)
class ForEach(Node):
    """Over the rows of a cursor or a RESULTSET."""

    name: str
    source: str
    body: tuple[Node, ...]
    label: str | None = None


@dataclass(frozen=True)
class Loop(Node):
    """WHILE, REPEAT … UNTIL and LOOP: the conditions are looked at before and after each turn."""

    body: tuple[Node, ...]
    condition: str | None = None
    until: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Leave(Node):
    """BREAK, or CONTINUE where the loop goes on, of the loop with that label or the innermost one."""

    label: str | None
    goes_on: bool


@dataclass(frozen=True)
class Return(Node):
    """A value, or the rows of a RESULTSET or an open cursor."""

    value: str | None = None
    rows: str | None = None


@dataclass(frozen=True)
class Raise(Node):
    name: str | None


@dataclass(frozen=True)
class Open(Node):
    name: str
    using: tuple[str, ...]


@dataclass(frozen=True)
class Fetch(Node):
    name: str
    into: tuple[str, ...]


@dataclass(frozen=True)
class Close(Node):
    name: str


@dataclass(frozen=True)
class Nothing(Node):
    """NULL;"""


@dataclass(frozen=True)
class Handler:
    """WHEN one of these exceptions THEN; OTHER is any."""

    names: tuple[str, ...]
    body: tuple[Node, ...]


@dataclass(frozen=True)
class Block(Node):
    declarations: tuple[Node, ...]
    body: tuple[Node, ...]
    handlers: tuple[Handler, ...]
