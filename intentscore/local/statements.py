"""Finds the handler of a statement by its leading words; what has none goes to DuckDB as SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from intentscore.local.scanner import MODIFIERS, Scanner

if TYPE_CHECKING:
    from intentscore.local.results import Result
    from intentscore.local.session import Session


class Effect(Enum):
    """What a statement does to the transaction it arrives in."""

    READ = "reads, changes nothing"
    WRITE = "changes rows within the transaction"
    DEFINE = "defines objects: commits what is open and is a transaction of its own"
    CONTROL = "changes the session itself"
    CALL = "runs other statements, each with an effect of its own"


@dataclass
class Statement:
    """One statement under way: its scanner stands behind the words that named the handler."""

    scanner: Scanner
    words: tuple[str, ...]
    or_replace: bool = False
    modifiers: frozenset[str] = field(default_factory=frozenset)
    describe_only: bool = False

    @property
    def temporary(self) -> bool:
        return bool(self.modifiers & {"TEMP", "TEMPORARY", "VOLATILE"})

    def if_not_exists(self) -> bool:
        return self.scanner.accept("IF", "NOT", "EXISTS")

    def if_exists(self) -> bool:
        return self.scanner.accept("IF", "EXISTS")


Handler = Callable[["Session", Statement], "Result"]


@dataclass(frozen=True)
class Entry:
    handler: Handler
    effect: Effect


REGISTRY: dict[tuple[str, ...], Entry] = {}
LONGEST = 5


def statement(*spellings: str, effect: Effect = Effect.READ) -> Callable[[Handler], Handler]:
    """Register a handler under its leading words, for example `@statement("SHOW MODELS")`."""

    def register(handler: Handler) -> Handler:
        for spelling in spellings:
            REGISTRY[tuple(spelling.split())] = Entry(handler, effect)
        return handler

    return register


def read_head(scanner: Scanner) -> Statement:
    """Pass the verb and the modifiers of a CREATE, and look at the words that name the object kind."""
    if scanner.peek() == "WITH" and _names_procedure(scanner):
        return Statement(scanner, ("WITH", "PROCEDURE"))
    if scanner.peek() not in ("CREATE", "ALTER", "DROP"):
        return Statement(scanner, _words(scanner, ()))
    verb = scanner.word()
    or_replace = scanner.accept("OR", "REPLACE")
    modifiers = set()
    while scanner.peek() in MODIFIERS:
        modifiers.add(scanner.word())
    return Statement(scanner, _words(scanner, (verb,)), or_replace, frozenset(modifiers))


def _names_procedure(scanner: Scanner) -> bool:
    """WITH name AS PROCEDURE, where the name may have parts."""
    at = 2
    while scanner.peek(at) == ".":
        at += 2
    return scanner.peek(at) == "AS" and scanner.peek(at + 1) == "PROCEDURE"


def _words(scanner: Scanner, head: tuple[str, ...]) -> tuple[str, ...]:
    return head + tuple(scanner.peek(i) for i in range(LONGEST - len(head)))


def find(head: Statement) -> Entry | None:
    """The entry with the longest matching words; the scanner is left behind them."""
    passed = 1 if head.words[0] in ("CREATE", "ALTER", "DROP") else 0
    for length in range(LONGEST, 0, -1):
        if entry := REGISTRY.get(head.words[:length]):
            head.scanner.at += length - passed
            return entry
    return None


def describe(head: Statement) -> str:
    """The statement's name in an error."""
    return " ".join(word for word in head.words[:3] if word.replace("_", "").isalpha()) or head.scanner.text[:40]


Values = dict[str, Any]
