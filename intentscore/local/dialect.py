"""Snowflake's dialect as this engine parses it.

A function the engine knows by name stays a plain call with its arguments in the order they were written;
sqlglot's own classes of functions are kept for aggregates and for what has a grammar of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import Expr
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.parsers.snowflake import SnowflakeParser
from sqlglot.tokenizer_core import TokenType

from intentscore.local.rewrites.functions import known_names
from intentscore.local.rewrites.naming import WRITTEN

GRAMMAR = {"CAST", "TRY_CAST", "EXTRACT", "POSITION"}


class Parser(SnowflakeParser):
    FUNCTIONS: ClassVar[dict[str, Any]] = {k: v for k, v in SnowflakeParser.FUNCTIONS.items() if k not in known_names()}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        k: v for k, v in SnowflakeParser.FUNCTION_PARSERS.items() if k in GRAMMAR or k not in known_names()
    }

    def _parse_wrapped(self, parse_method: Callable[[], Any], optional: bool = False) -> Any:
        """MATCH_CONDITION takes any condition here, so that a wrong one is refused in an account's words."""
        if parse_method == self._parse_comparison:
            parse_method = self._parse_disjunction
        return super()._parse_wrapped(parse_method, optional=optional)

    def _parse_function_call(
        self, functions: Any = None, anonymous: bool = False, optional_parens: bool = True, any_token: bool = False
    ) -> Expr | None:
        """`MODEL(m)!TRANSFORM(a)` calls a method of the model, whatever a function of that name takes."""
        of_a_model = self._prev is not None and self._prev.token_type is TokenType.EXCLAMATION
        return super()._parse_function_call(
            functions, anonymous or of_a_model, optional_parens and not of_a_model, any_token or of_a_model
        )

    def _parse_expression(self) -> Expr | None:
        """Remembers how an expression was written: Snowflake names the column of a select list after it."""
        start = self._curr
        parsed = super()._parse_expression()
        if parsed is not None and start is not None and self._prev is not None:
            parsed.meta[WRITTEN] = self.sql[start.start : self._prev.end + 1]
        return parsed


class Engine(Snowflake):
    Parser = Parser
