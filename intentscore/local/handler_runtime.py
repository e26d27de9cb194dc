"""Inside a handler process: load one handler, then answer the engine's questions to it until the pipe ends.

Everything this module needs is imported when it is, because a handler may bring modules of any name.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import types as python_types
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa

from intentscore.local import handler_values as values
from intentscore.local.handler_values import BadValueError

INLINE = "_udf_code"
ARCHIVES = (".zip", ".whl", ".egg")
BATCH_ROWS = 100_000


class HandlerError(Exception):
    """The handler itself failed; its message is what Snowflake says of it."""


def serve(descriptor: int) -> None:
    pipe = Connection(descriptor)
    handler: Handler | None = None
    while True:
        try:
            question = json.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        table = pa.ipc.open_stream(pipe.recv_bytes()).read_all() if question["table"] else None
        answer: dict[str, Any] = {}
        answered: pa.Table | None = None
        try:
            if question["do"] == "load":
                handler = Handler(question)
                handler.load()
            elif handler is not None:
                answer, answered = getattr(handler, question["do"])(question, table)
        except BadValueError as error:
            answer = {"error": {"message": str(error), "code": error.code, "sqlstate": "22018"}}
        except HandlerError as error:
            answer = {"error": {"message": str(error), "code": 100357, "sqlstate": "P0000"}}
        except Exception as error:
            message = f"Python Interpreter Error:\n{type(error).__name__}: {error}"
            answer = {"error": {"message": message, "code": 100357, "sqlstate": "P0000"}}
        pipe.send_bytes(json.dumps({**answer, "table": answered is not None}).encode())
        if answered is not None:
            pipe.send_bytes(_as_bytes(answered))


def _as_bytes(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())


class Handler:
    """One loaded handler and the ways the engine calls it."""

    def __init__(self, definition: dict[str, Any]) -> None:
        self.kind, self.name, self.place = definition["kind"], definition["name"], definition["handler"]
        self.code, self.folder = definition["code"], definition["folder"]
        self.arguments = definition["arguments"]
        self.returns = definition["returns"]
        self.strict = definition["strict"]
        self.target: Any = None

    def load(self) -> None:
        """Bring the imports into reach as a warehouse does, then find the handler."""
        imports = Path(self.folder, "imports")
        os.chdir(self.folder)
        sys._xoptions["snowflake_import_directory"] = f"{imports}{os.sep}"
        sys.modules["_snowflake"] = snowflake_module()
        archives = [str(file) for file in sorted(imports.iterdir()) if file.suffix in ARCHIVES]
        sys.path[:0] = [str(imports), *archives]
        importlib.invalidate_caches()
        self.target = self.guard(self._find)

    def _find(self) -> Any:
        if self.code is not None:
            module = python_types.ModuleType(INLINE)
            module.__file__ = f"{INLINE}.py"
            sys.modules[INLINE] = module
            exec(compile(self.code, f"{INLINE}.py", "exec"), module.__dict__)
            if hasattr(module, self.place.split(".")[0]):
                return _attribute(module, self.place.split("."))
        parts = self.place.split(".")
        for length in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:length])
            try:
                return _attribute(importlib.import_module(name), parts[length:])
            except ModuleNotFoundError as error:
                if length == 1 or not name.startswith(error.name or "?"):
                    raise
        raise AttributeError(f"Could not find handler '{self.place}'")

    def guard(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call into the handler's code; what it raises becomes the text Snowflake shows."""
        try:
            return function(*arguments)
        except (BadValueError, HandlerError):
            raise
        except BaseException as error:
            text = "".join(_lines(error)).rstrip("\n")
            raise HandlerError(
                f"Python Interpreter Error:\n{text} in function {self.name} with handler {self.place}"
            ) from None

    # ------------------------------------------------------------------ procedures

    def call(self, question: dict[str, Any], table: pa.Table) -> tuple[dict[str, Any], pa.Table | None]:
        """A procedure: its session first, then the arguments of the one row."""
        arguments = [column[0] for column in self._columns(table)]
        if self.strict and any(argument is None for argument in arguments):
            return {}, self._scalar([values.SQL_NULL])
        session = _session(question["connection"])
        try:
            result = self.guard(self.target, session, *arguments)
            if hasattr(result, "_plan") and hasattr(result, "queries"):
                answered = self.guard(_run_frame, session, result)
                return {"query_id": answered}, None
            return {}, self._scalar([values.SQL_NULL if result is None else result])
        finally:
            with suppress(Exception):
                session.close()

    # ------------------------------------------------------------------ functions

    def rows(self, question: dict[str, Any], table: pa.Table) -> tuple[dict[str, Any], pa.Table]:
        """A scalar function over a batch of rows."""
        if getattr(self.target, "_sf_vectorized_input", None) is not None:
            return {}, self._vectorized(table)
        columns = self._arguments(table)
        found = self.guard(self._row_by_row, columns, table.num_rows)
        return {}, self._scalar(found)

    def _row_by_row(self, columns: list[list[Any]], count: int) -> list[Any]:
        target = self.target
        if not columns:
            return [target() for _ in range(count)]
        if self.strict:
            rows = zip(*columns, strict=True)
            return [values.SQL_NULL if self._lacks_any(row) else target(*row) for row in rows]
        return [target(*row) for row in zip(*columns, strict=True)]

    def _vectorized(self, table: pa.Table) -> pa.Table:
        size = getattr(self.target, "_sf_max_batch_size", None) or BATCH_ROWS
        answers = []
        for offset in range(0, table.num_rows, size):
            batch = table.slice(offset, size)
            answers.append(self.guard(self._one_batch, batch))
        return pa.concat_tables(answers) if answers else self._scalar([])

    def _one_batch(self, batch: pa.Table) -> pa.Table:
        frame = values.frame(batch, self.arguments)
        frame.columns = range(frame.shape[1])
        answered = self.target(frame)
        _, kind, stored = self.returns[0]
        if not self.arguments and len(answered) == 1:
            answered = [*answered] * batch.num_rows
        array = values.series(answered, batch.num_rows, kind, stored)
        return pa.table({"RESULT": array})

    def aggregate(self, question: dict[str, Any], table: pa.Table) -> tuple[dict[str, Any], pa.Table]:
        """An aggregate function: every row holds the list of one group's rows."""
        groups = zip(*(column.to_pylist() for column in table.columns), strict=True)
        return {}, self._scalar(self.guard(lambda: [self._aggregated(group) for group in groups]))

    def _aggregated(self, group: tuple[list[Any] | None, ...]) -> Any:
        state = self.target()
        for row in zip(*(column or () for column in group), strict=True):
            cells = [values.cell(v, kind) for v, (_, kind, _) in zip(row, self.arguments, strict=True)]
            if not (self.strict and None in cells):
                state.accumulate(*cells)
        merged = self.target()
        merged.merge(state.aggregate_state)
        return merged.finish()

    # ------------------------------------------------------------------ table functions

    def table(self, question: dict[str, Any], table: pa.Table) -> tuple[dict[str, Any], pa.Table]:
        """A table function over partitions of rows; tells for each output row which input row it came from."""
        found: list[tuple[int, bool, Any]] = []
        offset = 0
        for length in question["partitions"]:
            self.guard(self._partition, table.slice(offset, length), offset, found)
            offset += length
        return {}, values.tabulated(found, self.returns)

    def _partition(self, rows: pa.Table, offset: int, found: list[tuple[int, bool, Any]]) -> None:
        instance = self.target()
        end = getattr(instance, "end_partition", None)
        process = getattr(instance, "process", None)
        if getattr(end, "_sf_vectorized_input", None) is not None and process is None:
            given = values.frame(rows, self.arguments)
            found.extend((offset, True, answer) for answer in _frames(end(given)))  # type: ignore[misc]
            return
        vectorized = getattr(process, "_sf_vectorized_input", None) is not None
        if vectorized:
            size = getattr(process, "_sf_max_batch_size", None) or BATCH_ROWS
            for start in range(0, rows.num_rows, size):
                given = values.frame(rows.slice(start, size), self.arguments)
                found.extend((offset + start, False, answer) for answer in _frames(process(given)))  # type: ignore[misc]
        elif process is not None:
            columns = self._arguments(rows)
            inputs: Iterable[tuple[Any, ...]] = zip(*columns, strict=True) if columns else [()] * rows.num_rows
            for i, row in enumerate(inputs):
                nothing = self.strict and self._lacks_any(row)
                given = [(values.SQL_NULL,) * len(self.returns)] if nothing else _each(process(*row))
                found.extend((offset + i, False, answer) for answer in given)
        if end is not None:
            each = _frames if vectorized else _each
            found.extend((offset, True, answer) for answer in each(end()))

    # ------------------------------------------------------------------ values

    def _columns(self, table: pa.Table) -> list[list[Any]]:
        if not self.arguments:
            return []
        pairs = zip(table.columns, self.arguments, strict=True)
        return [values.decoded(column, kind) for column, (_, kind, _) in pairs]

    def _arguments(self, table: pa.Table) -> list[list[Any]]:
        """The same for a function, which is told of a VARIANT whether it is SQL NULL."""
        if not self.arguments:
            return []
        pairs = zip(table.columns, self.arguments, strict=True)
        return [values.argument(column, kind) for column, (_, kind, _) in pairs]

    def _lacks_any(self, row: tuple[Any, ...]) -> bool:
        """Whether a strict function is not called with these."""
        return any(values.is_sql_null(v, kind) for v, (_, kind, _) in zip(row, self.arguments, strict=True))

    def _scalar(self, found: list[Any]) -> pa.Table:
        _, kind, stored = self.returns[0]
        return pa.table({"RESULT": values.encoded(found, kind, stored)})


def _attribute(found: Any, path: list[str]) -> Any:
    for name in path:
        found = getattr(found, name)
    return found


def _each(answered: Any) -> Iterator[Any]:
    """What `process` gives: rows, one table, or nothing."""
    if answered is None:
        return iter(())
    if hasattr(answered, "columns") and hasattr(answered, "iloc"):
        return iter((answered,))
    return iter(answered)


def _frames(answered: Any) -> Iterator[Any]:
    """What a vectorized method gives: a table, a tuple of columns, or several of these; copied, as it may go on."""
    import pandas as pd

    if answered is None:
        return
    if hasattr(answered, "columns") and hasattr(answered, "iloc"):
        yield answered.copy()
    elif isinstance(answered, (tuple, list)) and not any(hasattr(part, "columns") for part in answered):
        yield pd.DataFrame({i: list(column) for i, column in enumerate(answered)})
    else:
        for part in answered:
            yield from _frames(part)


def _lines(error: BaseException) -> list[str]:
    """The traceback from the handler's first frame on."""
    while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename == __file__:
        error = error.with_traceback(error.__traceback__.tb_next)
    return traceback.format_exception(error)


def _session(connection: dict[str, Any]) -> Any:
    """A Snowpark session on the session that made the call; closing it leaves that one open."""
    import snowflake.connector
    from snowflake.snowpark import Session

    token = connection.pop("token")
    connected = snowflake.connector.connect(
        **connection, session_token=token, master_token=token, server_session_keep_alive=True, paramstyle="qmark"
    )
    return Session.builder.configs({"connection": connected}).create()


def _run_frame(session: Any, frame: Any) -> str:
    """Run a data frame on the engine, where its rows stay; the id of the query that made them."""
    answered, _ = session._conn.get_result_set(frame._plan, to_iter=True)
    return str(answered["sfqid"])


def snowflake_module() -> python_types.ModuleType:
    """The module a warehouse gives its handlers."""
    module = python_types.ModuleType("_snowflake")

    def vectorized(input: Any = None, max_batch_size: int | None = None, **options: Any) -> Any:
        def mark(function: Any) -> Any:
            function._sf_vectorized_input = input
            if max_batch_size is not None:
                function._sf_max_batch_size = max_batch_size
            return function

        return mark

    def no_secret(name: str, *rest: Any) -> Any:
        raise RuntimeError(f"Secret '{name}' is not set: the local engine keeps no secrets.")

    module.vectorized = vectorized  # type: ignore[attr-defined]
    module.udf_init_once = lambda function: function  # type: ignore[attr-defined]
    for name in ("get_generic_secret_string", "get_oauth_access_token", "get_username_password", "get_secret_type"):
        setattr(module, name, no_secret)
    return module
