"""A cursor over the tokens of one statement, for the statements sqlglot has no grammar for."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from sqlglot.dialects.snowflake import Snowflake
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from intentscore.local import names
from intentscore.local.errors import syntax_error

LITERALS = (TokenType.STRING, TokenType.RAW_STRING, TokenType.IDENTIFIER)
MODIFIERS = {"SCOPED", "TEMP", "TEMPORARY", "TRANSIENT", "LOCAL", "GLOBAL", "VOLATILE", "SECURE"}


LONGEST_KEPT = 100_000


class _Tokenizer(Snowflake.Tokenizer):
    COMMANDS: ClassVar[set[TokenType]] = set()  # CALL, EXECUTE and their like are tokens here, not one opaque string


def tokenize(text: str) -> list[Token]:
    """The tokens of a statement; several readers ask for those of the same one, so the last are kept."""
    return list(_kept_tokens(text)) if len(text) <= LONGEST_KEPT else _tokens(text)


@functools.lru_cache(maxsize=32)
def _kept_tokens(text: str) -> list[Token]:
    return _tokens(text)


def _tokens(text: str) -> list[Token]:
    try:
        return _Tokenizer(dialect="snowflake").tokenize(text)
    except TokenError as error:
        raise syntax_error(str(error)) from None


def single_words(tokens: list[Token]) -> list[Token]:
    """Tokens of one word each: sqlglot takes FILE FORMAT, GROUP BY and their like as one."""
    found = []
    for token in tokens:
        if token.token_type in LITERALS or not any(c.isspace() for c in token.text):
            found.append(token)
            continue
        for word in re.finditer(r"\S+", token.text):
            start = token.start + word.start()
            found.append(Token(TokenType.VAR, word[0], token.line, token.col, start, start + len(word[0]) - 1))
    return found


class Scanner:
    """Reads a statement from left to right. Keywords are matched whatever their case."""

    def __init__(self, text: str, bindings: Sequence[Any] = (), tokens: list[Token] | None = None) -> None:
        self.text = text
        self.tokens = single_words(tokenize(text)) if tokens is None else tokens
        self.at = 0
        self.bindings = list(bindings)
        self._unused = iter(self.bindings)

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens) or self.tokens[self.at].token_type == TokenType.SEMICOLON

    @property
    def token(self) -> Token | None:
        return None if self.done else self.tokens[self.at]

    @property
    def is_string(self) -> bool:
        return self.token is not None and self.token.token_type in (TokenType.STRING, TokenType.RAW_STRING)

    def peek(self, offset: int = 0) -> str:
        """The upper-cased text of a coming token; '' past the end and for literals and quoted names."""
        index = self.at + offset
        if index >= len(self.tokens):
            return ""
        token = self.tokens[index]
        return "" if token.token_type in LITERALS else token.text.upper()

    def accept(self, *words: str) -> bool:
        """Pass the given words if they come next, all or none."""
        if any(self.peek(i) != word for i, word in enumerate(words)):
            return False
        self.at += len(words)
        return True

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise self.unexpected(" ".join(words))

    def unexpected(self, wanted: str = "") -> Exception:
        token = self.token
        found = f"unexpected '{token.text}'" if token else "unexpected '<EOF>'"
        return syntax_error(f"{found}{f', expected {wanted}' if wanted else ''}.")

    def end(self) -> None:
        """Refuse what the handler has not understood, rather than pass over it."""
        if not self.done:
            raise self.unexpected()

    def word(self) -> str:
        if self.done or not self.peek():
            raise self.unexpected("a keyword")
        self.at += 1
        return self.tokens[self.at - 1].text.upper()

    def identifier(self) -> str:
        token = self.token
        if token is None:
            raise self.unexpected("an identifier")
        if self.peek() == "IDENTIFIER" and self.peek(1) == "(":
            return self.name()[-1]
        self.at += 1
        if token.token_type == TokenType.IDENTIFIER:
            return token.text
        if token.token_type in (TokenType.STRING, TokenType.NUMBER):
            self.at -= 1
            raise self.unexpected("an identifier")
        return token.text.upper()

    def identifiers(self) -> list[str]:
        """The folded names of a list that is all there is."""
        found = [self.identifier()]
        while self.accept(","):
            found.append(self.identifier())
        self.end()
        return found

    def name(self) -> list[str]:
        """A dotted name as its folded parts; IDENTIFIER('…') and IDENTIFIER(?) count as what they hold."""
        if self.peek() == "IDENTIFIER" and self.peek(1) == "(":
            self.at += 2
            parts = names.split(str(self.value()))
            self.expect(")")
            return parts
        parts = [self.identifier()]
        while self.accept("."):
            parts.append("PUBLIC" if self.peek() == "." else self.identifier())  # DB..T is in the schema PUBLIC
        return parts

    def value(self) -> Any:
        """A literal, a bound value or a bare word."""
        token = self.token
        if token is None:
            raise self.unexpected("a value")
        self.at += 1
        match token.token_type:
            case TokenType.PLACEHOLDER:
                return self.bound()
            case TokenType.NUMBER:
                return float(token.text) if "." in token.text else int(token.text)
            case TokenType.DASH:
                return -self.value()
            case TokenType.TRUE:
                return True
            case TokenType.FALSE:
                return False
            case TokenType.NULL:
                return None
            case _:
                return token.text

    def bound(self) -> Any:
        try:
            return next(self._unused)
        except StopIteration:
            raise syntax_error("bind variable ? not set.") from None

    def unused_bindings(self) -> list[Any]:
        """The bound values that no name has taken."""
        return list(self._unused)

    def string(self) -> str:
        token = self.token
        if token is None or token.token_type not in (
            TokenType.STRING,
            TokenType.RAW_STRING,
            TokenType.PLACEHOLDER,
        ):
            raise self.unexpected("a string")
        return str(self.value())

    def options(self, known: Iterable[str] | None = None) -> dict[str, Any]:
        """`KEY = value` pairs up to something else; a value in parentheses is a list or a nested set of pairs."""
        found: dict[str, Any] = {}
        while not self.done and self.peek(1) == "=":
            key = self.word()
            if known is not None and key not in known:
                self.at -= 1
                raise self.unexpected()
            self.expect("=")
            found[key] = self.nested() if self.peek() == "(" else self.value()
            self.accept(",")
        return found

    def nested(self) -> Any:
        self.expect("(")
        if self.peek(1) == "=":
            inner: Any = self.options()
        else:
            inner = []
            while self.peek() != ")":
                inner.append(self.nested() if self.peek() == "(" else self.value())
                if not self.accept(","):
                    break
        self.expect(")")
        return inner

    def location(self) -> str:
        """A stage location or file address, quoted, bound, or bare up to the next blank."""
        token = self.token
        if token is None:
            raise self.unexpected("a location")
        if token.token_type in (TokenType.STRING, TokenType.PLACEHOLDER):
            return self.string()
        start = end = token.start
        while not self.done and self.tokens[self.at].start == end and self.peek() not in (")", ",", "("):
            end = self.tokens[self.at].end + 1
            self.at += 1
        return self.text[start:end]

    def parenthesised(self) -> str:
        """The text between the parentheses that come next."""
        self.expect("(")
        start, depth = self.tokens[self.at - 1].end + 1, 1
        while depth:
            if self.at >= len(self.tokens):
                raise self.unexpected(")")
            depth += {"(": 1, ")": -1}.get(self.peek(), 0)
            self.at += 1
        return self.text[start : self.tokens[self.at - 1].start]

    def until(self, *words: str) -> str:
        """The text up to one of these words outside parentheses; the scanner is left in front of it."""
        start, depth = self.at, 0
        while not self.done and (depth or self.peek() not in words):
            depth += {"(": 1, ")": -1}.get(self.peek(), 0)
            self.at += 1
        if self.done or self.at == start:
            raise self.unexpected(" or ".join(words) if self.done else "an expression")
        return self.text[self.tokens[start].start : self.tokens[self.at - 1].end + 1]

    def rest(self) -> str:
        """The text from here to the end of the statement."""
        if self.done:
            return ""
        start = self.tokens[self.at].start
        self.at = len(self.tokens)
        return self.text[start:].rstrip().rstrip(";").rstrip()
