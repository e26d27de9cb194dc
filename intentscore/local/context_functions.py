"""Functions whose value the session knows before the query runs: CURRENT_ROLE(), SYSTEM$…, ENTITY_DETAIL()."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any

from sqlglot import Expr, exp

from intentscore.local.errors import invalid, unsupported

if TYPE_CHECKING:
    from intentscore.local.session import Session

Function = Callable[..., Any]
FUNCTIONS: dict[str, Function] = {}


def context_function(*spellings: str) -> Callable[[Function], Function]:
    """Register `f(session, *literal arguments) -> value` under its names in SQL."""

    def register(function: Function) -> Function:
        FUNCTIONS.update(dict.fromkeys(spellings, function))
        return function

    return register


def evaluate(root: Expr, session: Session) -> Expr:
    """Replace every context function by the literal it stands for."""
    for node in list(root.find_all(exp.Func)):
        name = sql_name(node)
        function = FUNCTIONS.get(name)
        if function is None:
            if name.startswith("SYSTEM$") and not isinstance(node.parent, exp.TableFromRows):
                raise unsupported(f"the function {name}")
            continue
        arguments = [_literal(argument, name) for argument in _arguments(node)]
        value = exp.convert(function(session, *arguments))
        if node is root:
            root = value
        else:
            node.replace(value)
    return root


def sql_name(node: exp.Func) -> str:
    return node.name.upper() if isinstance(node, exp.Anonymous) else node.sql_name().upper()


def _arguments(node: exp.Func) -> list[Expr]:
    if isinstance(node, exp.Anonymous):
        return node.expressions
    return [value for value in node.args.values() if isinstance(value, Expr)]


def _literal(argument: Expr, name: str) -> Any:
    if isinstance(argument, exp.Null):
        return None
    if isinstance(argument, exp.RawString):
        return argument.name
    if isinstance(argument, (exp.Literal, exp.Boolean, exp.Neg)):
        return argument.to_py()
    raise invalid(f"argument of {name} must be a constant")


@context_function("CURRENT_WAREHOUSE")
def current_warehouse(session: Session) -> str | None:
    return session.warehouse


@context_function("CURRENT_DATABASE")
def current_database(session: Session) -> str | None:
    return session.database


@context_function("CURRENT_SCHEMA")
def current_schema(session: Session) -> str | None:
    return session.schema


@context_function("CURRENT_ROLE")
def current_role(session: Session) -> str:
    return session.role


@context_function("CURRENT_USER")
def current_user(session: Session) -> str:
    return session.engine.user.upper()


@context_function("CURRENT_ACCOUNT", "CURRENT_ACCOUNT_NAME", "CURRENT_ORGANIZATION_NAME")
def current_account(session: Session) -> str:
    return session.engine.account.upper()


@context_function("CURRENT_REGION")
def current_region(session: Session) -> str:
    return "LOCAL"


@context_function("CURRENT_SECONDARY_ROLES")
def current_secondary_roles(session: Session) -> str:
    return '{"roles":"","value":""}'


@context_function("CURRENT_SESSION")
def current_session(session: Session) -> str:
    return str(session.id)


@context_function("CURRENT_VERSION")
def current_version(session: Session) -> str:
    return session.engine.server_version


@context_function("CURRENT_CLIENT")
def current_client(session: Session) -> str:
    return session.client or "PythonConnector " + metadata.version("snowflake-connector-python")


@context_function("LAST_QUERY_ID")
def last_query_id(session: Session, offset: int = -1) -> str | None:
    return session.results.last_id


@context_function("SYSTEM$CLIENT_VERSION_INFO")
def client_version_info(session: Session) -> str:
    return "[]"


@context_function("SYSTEM$ML_PLATFORM_CAPABILITIES")
def ml_platform_capabilities(session: Session) -> str:
    return "{}"


@context_function("SYSTEM$GET_DEFAULT_PYTHON_ARTIFACT_REPOSITORY")
def default_artifact_repository(session: Session, *where: str) -> str:
    return "snowflake.snowpark.anaconda_shared_repository"


@context_function("SYSTEM$ARE_ANACONDA_TERMS_ACKNOWLEDGED")
def are_anaconda_terms_acknowledged(session: Session) -> bool:
    """The packages are those of the engine's own environment: there are no terms to acknowledge."""
    return True
