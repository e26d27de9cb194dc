"""The head of CREATE PROCEDURE and CREATE FUNCTION: arguments, types, clauses and body."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError

from intentscore.local.errors import syntax_error, unsupported
from intentscore.local.scanner import Scanner

_SPELLINGS = {
    **dict.fromkeys(("INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT", "NUMBER", "DECIMAL", "NUMERIC"),
                    "NUMBER"),
    **dict.fromkeys(("FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "DOUBLE PRECISION", "REAL"), "FLOAT"),
    **dict.fromkeys(("VARCHAR", "STRING", "TEXT", "CHAR", "CHARACTER", "NVARCHAR", "NCHAR"), "VARCHAR"),
    **dict.fromkeys(("BINARY", "VARBINARY"), "BINARY"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMPNTZ", "DATETIME"), "TIMESTAMP_NTZ"),
    **dict.fromkeys(("TIMESTAMP_LTZ", "TIMESTAMPLTZ"), "TIMESTAMP_LTZ"),
    **dict.fromkeys(("TIMESTAMP_TZ", "TIMESTAMPTZ"), "TIMESTAMP_TZ"),
    **{name: name for name in ("BOOLEAN", "DATE", "TIME", "VARIANT", "OBJECT", "ARRAY", "MAP", "GEOGRAPHY",
                               "GEOMETRY", "VECTOR")},
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One argument or one column of a returned table, its type under Snowflake's own name for it."""

    name: str
    type: str
    default: str | None = None

    @property
    def family(self) -> str:
        return self.type.split("(")[0]


@dataclass
class Routine:
    """A procedure or function as its CREATE declares it; this is what the catalog keeps."""

    name: str
    arguments: list[Parameter] = field(default_factory=list)
    returns: str = ""
    columns: list[Parameter] | None = None
    """The columns of RETURNS TABLE (…); None where a single value is returned."""
    not_null: bool = False
    language: str = "SQL"
    body: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    execute_as: str = "OWNER"
    strict: bool = False
    immutable: bool = False
    secure: bool = False
    aggregate: bool = False

    @property
    def signature(self) -> str:
        """The name the catalog knows it by: overloads differ in the types of their arguments."""
        return f"{self.name}({', '.join(a.family for a in self.arguments)})"

    @property
    def required(self) -> int:
        return sum(a.default is None for a in self.arguments)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, read: dict[str, Any]) -> Routine:
        columns = None if read["columns"] is None else [Parameter(**c) for c in read["columns"]]
        return cls(**{**read, "arguments": [Parameter(**a) for a in read["arguments"]], "columns": columns})


def normal_type(text: str) -> str:
    """A type as written to the way Snowflake prints it: INT is NUMBER(38,0), STRING is VARCHAR."""
    text = " ".join(text.upper().split())
    head, _, size = text.partition("(")
    known = _SPELLINGS.get(head.strip())
    if known is None:
        raise unsupported(f"the type {text}") if head.strip().isidentifier() else syntax_error(f"unexpected '{text}'.")
    if known == "NUMBER":
        numbers = [part.strip() for part in size.rstrip(")").split(",") if part.strip()]
        return f"NUMBER({', '.join([*numbers, '0'][:2]) if numbers else '38, 0'})".replace(" ", "")
    if known in ("VARCHAR", "BINARY", "VECTOR") and size:
        return f"{known}({size}"
    return known


def family(text: str) -> str:
    return normal_type(text).split("(")[0]


def read_parameters(text: str) -> list[Parameter]:
    """`a INT, b VARCHAR DEFAULT 'x'`"""
    scanner = Scanner(text)
    found = []
    while not scanner.done:
        name = scanner.identifier()
        scanner.accept("IN")
        written = _type_text(scanner, ("DEFAULT", ","))
        default = None
        if scanner.accept("DEFAULT"):
            default = _up_to_comma(scanner)
        found.append(Parameter(name, normal_type(written), default))
        if not scanner.done:
            scanner.expect(",")
    return found


def _type_text(scanner: Scanner, stops: tuple[str, ...]) -> str:
    words = []
    while not scanner.done and scanner.peek() not in stops:
        if scanner.peek() == "(":
            words.append(f"({scanner.parenthesised()})")
        else:
            words.append(scanner.word())
    if not words:
        raise scanner.unexpected("a type")
    return " ".join(words)


def _up_to_comma(scanner: Scanner) -> str:
    token = scanner.token
    start = end = token.start if token else 0
    while not scanner.done and scanner.peek() != ",":
        if scanner.peek() == "(":
            scanner.parenthesised()
        else:
            scanner.at += 1
        end = scanner.tokens[scanner.at - 1].end + 1
    return scanner.text[start:end]


_LISTS = ("IMPORTS", "PACKAGES", "EXTERNAL_ACCESS_INTEGRATIONS", "SECRETS", "RESOURCE_CONSTRAINT",
          "ARTIFACT_REPOSITORY_PACKAGES")  # fmt: skip
_VALUES = ("RUNTIME_VERSION", "HANDLER", "COMMENT", "TARGET_PATH", "LOG_LEVEL", "TRACE_LEVEL", "METRIC_LEVEL",
           "AUTO_EVENT_LOGGING")  # fmt: skip


def read_routine(scanner: Scanner, name: str, *, ends_with: str = "") -> Routine:
    """Everything behind the name, up to the end of the statement or, for an anonymous procedure, its CALL."""
    found = Routine(name, read_parameters(scanner.parenthesised()))
    while not scanner.done and scanner.peek() != ends_with:
        word = scanner.word()
        match word:
            case "RETURNS" if scanner.accept("NULL", "ON", "NULL", "INPUT"):
                found.strict = True
            case "RETURNS":
                _read_returns(scanner, found)
            case "LANGUAGE":
                found.language = scanner.word()
            case "STRICT":
                found.strict = True
            case "CALLED":
                scanner.expect("ON", "NULL", "INPUT")
            case "VOLATILE" | "IMMUTABLE":
                found.immutable = word == "IMMUTABLE"
            case "MEMOIZABLE":
                pass
            case "COPY":
                scanner.expect("GRANTS")
            case "EXECUTE":
                scanner.expect("AS")
                found.execute_as = f"RESTRICTED {scanner.word()}" if scanner.accept("RESTRICTED") else scanner.word()
            case "ARTIFACT_REPOSITORY":
                scanner.expect("=")
                found.options[word] = ".".join(scanner.name())
            case _ if word in _LISTS:
                scanner.expect("=")
                found.options[word] = _read_list(scanner)
            case _ if word in _VALUES:
                scanner.expect("=")
                found.options[word] = _read_value(scanner)
            case "AS" if scanner.peek() in ("BEGIN", "DECLARE"):
                found.body = scanner.rest()
            case "AS":
                found.body = str(scanner.value())
            case _:
                scanner.at -= 1
                raise scanner.unexpected()
    return found


def _read_returns(scanner: Scanner, found: Routine) -> None:
    if scanner.peek() == "TABLE":
        scanner.expect("TABLE")
        found.columns = read_parameters(scanner.parenthesised())
        found.returns = f"TABLE ({', '.join(f'{c.name} {c.type}' for c in found.columns)})"
        return
    words = [scanner.word()]
    while True:
        if scanner.peek() == "(":
            words.append(f"({scanner.parenthesised()})")
        elif scanner.peek() == "PRECISION":
            words.append(scanner.word())
        else:
            break
    found.returns = normal_type(" ".join(words))
    found.not_null = scanner.accept("NOT", "NULL")
    scanner.accept("NULL")


def _read_value(scanner: Scanner) -> Any:
    """A version number stays as it is written: 3.10 is not 3.1."""
    token = scanner.token
    value = scanner.value()
    return token.text if token is not None and isinstance(value, float) else value


def _read_list(scanner: Scanner) -> list[str]:
    found = []
    scanner.expect("(")
    while not scanner.accept(")"):
        item = str(scanner.value())
        while scanner.accept(".") or scanner.accept("="):
            item += f".{scanner.value()}"
        found.append(item)
        scanner.accept(",")
    return found


def duckdb_type(kind: str, convert: Any) -> str:
    """The DuckDB type that holds values of a declared type; `convert` is the engine's rewrite of types."""
    try:
        built = exp.DataType.build(kind, dialect="snowflake")
    except SqlglotError:
        raise unsupported(f"the type {kind}") from None
    return str(convert(built).sql(dialect="duckdb"))
