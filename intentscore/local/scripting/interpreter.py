"""Runs a block: each SQL statement as a query of its own, each expression as a query that is not in the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from intentscore.local import offsets, several, sql, types
from intentscore.local.errors import SnowflakeError, invalid, invalid_identifier
from intentscore.local.results import Result
from intentscore.local.scripting import nodes
from intentscore.local.scripting.nodes import Node
from intentscore.local.scripting.variables import (
    Cursor,
    DeclaredException,
    Rows,
    Scope,
    Variable,
    in_expression,
    in_sql,
    literal,
    records,
)
from intentscore.local.statements import Effect
from intentscore.local.variables import with_variables

if TYPE_CHECKING:
    from intentscore.local.session import Session

STATEMENT_ERROR, EXPRESSION_ERROR, OTHER = "STATEMENT_ERROR", "EXPRESSION_ERROR", "OTHER"


class RaisedError(Exception):
    """An exception on its way to its handler."""

    def __init__(self, name: str, error: SnowflakeError, start: int) -> None:
        super().__init__(error.message)
        self.name, self.error, self.start = name, error, start


class Left(Exception):  # noqa: N818  (a way through the block, no error)
    """BREAK or CONTINUE on its way to its loop."""

    def __init__(self, label: str | None, *, goes_on: bool) -> None:
        super().__init__(label)
        self.label, self.goes_on = label, goes_on


class Returned(Exception):  # noqa: N818
    """RETURN on its way out of the block: a result of one value, or of rows."""

    def __init__(self, result: Result | None, *, is_table: bool = False) -> None:
        super().__init__()
        self.result, self.is_table = result, is_table


class Interpreter:
    """One run of a block in a session."""

    def __init__(self, session: Session, text: str, scope: Scope) -> None:
        self.session, self.text, self.scope = session, text, scope
        self._handled: list[RaisedError] = []

    def run(self, block: nodes.Block) -> Returned:
        """What the block returns; an exception nobody handles is an error with its place in the text."""
        try:
            self._block(block)
        except Returned as returned:
            return returned
        except RaisedError as raised:
            line = self.text.count("\n", 0, raised.start) + 1
            position = raised.start - (self.text.rfind("\n", 0, raised.start) + 1)
            raise SnowflakeError(
                f"Uncaught exception of type '{raised.name}' on line {line} at position {position} : "
                f"{raised.error.message}", raised.error.code, raised.error.sqlstate,
            ) from None  # fmt: skip
        except Left:
            raise invalid("BREAK or CONTINUE outside of a loop") from None
        return Returned(None)

    # ------------------------------------------------------------------ blocks and exceptions

    def _block(self, block: nodes.Block) -> None:
        outer, self.scope = self.scope, Scope(self.scope)
        try:
            try:
                self._statements(block.declarations)
                self._statements(block.body)
            except RaisedError as raised:
                handler = next((h for h in block.handlers if {raised.name, OTHER} & set(h.names)), None)
                if handler is None:
                    raise
                self._handle(handler, raised)
        finally:
            self.scope = outer

    def _handle(self, handler: nodes.Handler, raised: RaisedError) -> None:
        self.session.raise_if_cancelled()
        outer, self.scope = self.scope, Scope(self.scope)
        error = raised.error
        self.scope.named |= {
            "SQLCODE": Variable(error.code, types.NUMBER), "SQLERRM": Variable(error.message),
            "SQLSTATE": Variable(error.sqlstate),
        }  # fmt: skip
        self._handled.append(raised)
        try:
            self._statements(handler.body)
        finally:
            self._handled.pop()
            self.scope = outer

    def _statements(self, body: Iterable[Node]) -> None:
        for node in body:
            self.session.raise_if_cancelled()
            if isinstance(node, nodes.Block):
                self._block(node)
                continue
            try:
                self._RUN[type(node)](self, node)
            except SnowflakeError as error:
                self.session.raise_if_cancelled()
                kind = STATEMENT_ERROR if isinstance(node, nodes.Query) else EXPRESSION_ERROR
                raise RaisedError(kind, error, node.start) from None

    def _raise(self, node: nodes.Raise) -> None:
        if node.name is None:
            if not self._handled:
                raise invalid("RAISE without a name outside of an exception handler")
            raise self._handled[-1]
        declared = self.scope.find(node.name)
        if not isinstance(declared, DeclaredException):
            raise invalid_identifier(node.name)
        raise RaisedError(node.name, SnowflakeError(declared.message, declared.code, "P0001"), node.start)

    # ------------------------------------------------------------------ expressions and queries

    def evaluate(self, text: str, declared: str | None = None) -> Variable:
        """The value of an expression, in the declared type where there is one."""
        expression = in_expression(text, self.scope)
        result = select(self.session, expression if declared is None else cast(expression, declared))
        return Variable(offsets.moments(result.table.column(0))[0], result.columns[0], declared)

    def holds(self, condition: str) -> bool:
        return self.evaluate(condition).value is True

    def query(self, node: nodes.Query) -> Result:
        """Run a statement of the block, and note what it did in SQLROWCOUNT, SQLFOUND, SQLNOTFOUND and SQLID."""
        if isinstance(node, nodes.ExecuteImmediate):
            text = str(self.evaluate(node.expression).value)
            bindings: Sequence[Any] = [self.scope.variable(name).value for name in node.using]
        else:
            text, bindings = in_sql(node.text, self.scope), ()
        return self._run(text, bindings)

    def _run(self, text: str, bindings: Sequence[Any]) -> Result:
        query_id, result = several.run_child(self.session, text, bindings)
        count = sum(int(c[0].as_py() or 0) for c in result.table.columns) if result.is_dml else None
        self._root.named |= {
            "SQLID": Variable(query_id), "SQLROWCOUNT": Variable(count, types.NUMBER),
            "SQLFOUND": Variable(None if count is None else count > 0, types.BOOLEAN),
            "SQLNOTFOUND": Variable(None if count is None else count == 0, types.BOOLEAN),
        }  # fmt: skip
        return result

    @property
    def _root(self) -> Scope:
        scope = self.scope
        while scope.outer is not None:
            scope = scope.outer
        return scope

    def _statement(self, node: nodes.Query) -> None:
        result = self.query(node)
        if not isinstance(node, nodes.Sql) or not node.into:
            return
        if result.table.num_rows > 1:
            raise SnowflakeError(
                "A SELECT INTO statement expects exactly one returned row, but got multiple.", 100132, "P0000"
            )
        if len(node.into) != len(result.columns):
            raise invalid(f"INTO names {len(node.into)} variables for {len(result.columns)} columns")
        row = next(records(result), None)
        values = [Variable()] * len(node.into) if row is None else list(row.values())
        for name, value in zip(node.into, values, strict=True):
            self._put(name, value)

    # ------------------------------------------------------------------ variables

    def _put(self, name: str, value: Variable) -> None:
        variable = self.scope.variable(name)
        if variable.declared is not None:
            value = self._converted(value, variable.declared)
        variable.value = value.value
        variable.type = value.type

    def _converted(self, value: Variable, declared: str) -> Variable:
        result = select(self.session, cast(literal(value), declared))
        return Variable(offsets.moments(result.table.column(0))[0], result.columns[0], declared)

    def _declare(self, node: nodes.Declare) -> None:
        value = "NULL" if node.value is None else node.value
        self.scope.named[node.name] = self.evaluate(value, node.type)

    def _declare_cursor(self, node: nodes.DeclareCursor) -> None:
        self.scope.named[node.name] = Cursor(node.query)

    def _declare_result_set(self, node: nodes.DeclareResultSet) -> None:
        self.scope.named[node.name] = Rows(None if node.query is None else self.query(node.query))

    def _declare_exception(self, node: nodes.DeclareException) -> None:
        self.scope.named[node.name] = DeclaredException(node.code, node.message)

    def _assign(self, node: nodes.Assign) -> None:
        target = self.scope.find(node.name)
        if isinstance(target, Rows):
            query = node.value.strip()
            if not (query.startswith("(") and query.endswith(")")):
                raise invalid(f"the RESULTSET {node.name} takes a query in parentheses")
            target.result = self._run(in_sql(query[1:-1], self.scope), ())
            return
        variable = self.scope.variable(node.name)
        self.scope_of(node.name).named[node.name] = self.evaluate(node.value, variable.declared)

    def _assign_result_set(self, node: nodes.AssignResultSet) -> None:
        target = self.scope.find(node.name)
        if not isinstance(target, Rows):
            raise invalid_identifier(node.name)
        target.result = self.query(node.query)

    def scope_of(self, name: str) -> Scope:
        scope = self.scope
        while name not in scope.named and scope.outer is not None:
            scope = scope.outer
        return scope

    # ------------------------------------------------------------------ branches and loops

    def _if(self, node: nodes.If) -> None:
        for branch in node.branches:
            if self.holds(branch.condition):
                return self._statements(branch.body)
        if node.otherwise is not None:
            return self._statements(node.otherwise)
        if node.of_case:
            raise SnowflakeError("Case not found", 100164, "20000")
        return None

    def _turn(self, body: Iterable[Node], label: str | None) -> bool:
        """One turn of a loop; False when it leaves the loop."""
        try:
            self._statements(body)
        except Left as left:
            if left.label not in (None, label):
                raise
            return left.goes_on
        return True

    def _with_name(self, name: str, values: Iterable[Any], body: Iterable[Node], label: str | None) -> None:
        outer, self.scope = self.scope, Scope(self.scope)
        try:
            for value in values:
                self.scope.named[name] = value
                if not self._turn(body, label):
                    break
        finally:
            self.scope = outer

    def _for_range(self, node: nodes.ForRange) -> None:
        first, last = int(self.evaluate(node.first).value), int(self.evaluate(node.last).value)
        counted = range(last, first - 1, -1) if node.reverse else range(first, last + 1)
        self._with_name(node.name, (Variable(i, types.NUMBER) for i in counted), node.body, node.label)

    def _for_each(self, node: nodes.ForEach) -> None:
        self._with_name(node.name, records(self._rows(node.source)), node.body, node.label)

    def _loop(self, node: nodes.Loop) -> None:
        while node.condition is None or self.holds(node.condition):
            if not self._turn(node.body, node.label) or (node.until is not None and self.holds(node.until)):
                break

    def _leave(self, node: nodes.Leave) -> None:
        raise Left(node.label, goes_on=node.goes_on)

    # ------------------------------------------------------------------ cursors and what is returned

    def _rows(self, name: str) -> Result:
        """The rows of a RESULTSET, or of a cursor, which is opened where it is not yet."""
        match self.scope.find(name):
            case Rows(result) if result is not None:
                return result
            case Rows():
                raise invalid(f"the RESULTSET {name} is not assigned")
            case Cursor() as cursor:
                return cursor.result or self._answer(cursor, ())
        raise invalid_identifier(name)

    def _answer(self, cursor: Cursor, using: Sequence[str]) -> Result:
        source = self.scope.find(cursor.query.upper())
        if isinstance(source, Rows) and source.result is not None:
            return source.result
        return self._run(in_sql(cursor.query, self.scope), [self.scope.variable(name).value for name in using])

    def _cursor(self, name: str) -> Cursor:
        found = self.scope.find(name)
        if not isinstance(found, Cursor):
            raise invalid_identifier(name)
        return found

    def _open(self, node: nodes.Open) -> None:
        cursor = self._cursor(node.name)
        cursor.result = self._answer(cursor, node.using)
        cursor.waiting = records(cursor.result)

    def _fetch(self, node: nodes.Fetch) -> None:
        cursor = self._cursor(node.name)
        if cursor.result is None:
            raise SnowflakeError(f"Cursor '{node.name}' is not open.", 90235, "24000")
        row = next(cursor.waiting, None)
        values = list(row.values()) if row is not None else [Variable()] * len(node.into)
        for name, value in zip(node.into, values, strict=False):
            self._put(name, value)

    def _close(self, node: nodes.Close) -> None:
        cursor = self._cursor(node.name)
        cursor.result, cursor.waiting = None, iter(())

    def _return(self, node: nodes.Return) -> None:
        if node.rows is not None:
            raise Returned(self._rows(node.rows), is_table=True)
        if node.value is None:
            raise Returned(None)
        raise Returned(select(self.session, in_expression(node.value, self.scope)))

    def _nothing(self, node: nodes.Nothing) -> None:
        """NULL; does nothing."""

    _RUN: ClassVar[dict[type[Node], Callable[..., None]]] = {
        nodes.Sql: _statement, nodes.ExecuteImmediate: _statement, nodes.Declare: _declare,
        nodes.DeclareCursor: _declare_cursor, nodes.DeclareResultSet: _declare_result_set,
        nodes.DeclareException: _declare_exception, nodes.Assign: _assign,
        nodes.AssignResultSet: _assign_result_set, nodes.If: _if, nodes.ForRange: _for_range,
        nodes.ForEach: _for_each, nodes.Loop: _loop, nodes.Leave: _leave, nodes.Return: _return,
        nodes.Raise: _raise, nodes.Open: _open, nodes.Fetch: _fetch, nodes.Close: _close, nodes.Nothing: _nothing,
    }  # fmt: skip


def select(session: Session, expression: str) -> Result:
    """One row of one column: the value of an expression."""
    with session.effect(Effect.READ):
        return sql.run_text(session, f"SELECT {with_variables(expression, session.variables)}")


def cast(expression: str, declared: str) -> str:
    return f"TO_VARIANT({expression})" if declared.upper() == "VARIANT" else f"CAST({expression} AS {declared})"
