"""Which connection a command uses, and its parameters. Nothing here connects, prints or logs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from intentscore.errors import ConfigurationError
from intentscore.settings import Settings

LOCAL, ENVIRONMENT = "local", "env"
PARAMETERS_FILE = "connection_parameters.json"
SECRET_KEYS = ("password", "token", "passcode", "private_key_file_pwd", "oauth_client_secret")
BOOLEAN_KEYS = ("client_session_keep_alive", "client_request_mfa_token", "client_store_temporary_credential")
NUMBER_KEYS = (
    *("port", "login_timeout", "network_timeout", "platform_detection_timeout_seconds"),
    "client_prefetch_threads",
)
TEXT_KEYS = (
    *("account", "user", "password", "role", "warehouse", "database", "schema"),
    *("authenticator", "private_key_file", "private_key_path", "private_key_file_pwd"),
    *("token", "token_file_path", "passcode", "workload_identity_provider"),
    *("oauth_client_id", "oauth_client_secret", "oauth_token_request_url", "oauth_authorization_url"),
    *("oauth_scope", "oauth_redirect_uri", "host", "protocol"),
)
ALLOWED_KEYS = (*TEXT_KEYS, *BOOLEAN_KEYS, *NUMBER_KEYS)
LOGIN_TIMEOUT_S = 30


@dataclass(frozen=True)
class Connection:
    """`source` names it in messages; `parameters` go to the connector and never into a message."""

    name: str
    source: str
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    exposed_file: Path | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(str(self.parameters[key]) for key in SECRET_KEYS if self.parameters.get(key))


def choose_connection(settings: Settings, name: str | None, folder: Path) -> Connection:
    """`name`, else INTENTSCORE_CONNECTION, settings, connection_parameters.json in `folder`, local engine."""
    name = name or os.environ.get("INTENTSCORE_CONNECTION") or settings.connection
    file = folder / PARAMETERS_FILE
    if name is None and file.exists():
        return connection_from_file(file)
    if name is None or name == LOCAL:
        return Connection(LOCAL, "the local engine")
    return connection_from_environment() if name == ENVIRONMENT else named_connection(name)


def connection_from_file(file: Path) -> Connection:
    values = _read_object(file)
    unknown = sorted(set(values) - set(ALLOWED_KEYS))
    if unknown:
        raise ConfigurationError(f"{file}: unknown key '{unknown[0]}'; allowed: {', '.join(ALLOWED_KEYS)}")
    for key, value in values.items():
        if not _has_right_type(key, value):
            raise ConfigurationError(f"{file}: the value of '{key}' must be {_right_type(key)}")
    exposed = any(values.get(key) for key in SECRET_KEYS) and _others_may_read(file)
    return Connection(file.name, str(file), _completed(values, str(file)), file if exposed else None)


def connection_from_environment(environment: Mapping[str, str] = os.environ) -> Connection:
    """SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and so on; values of switches and numbers are parsed."""
    texts = {key: environment.get(f"SNOWFLAKE_{key.upper()}", "") for key in ALLOWED_KEYS}
    values = {key: _from_text(key, text) for key, text in texts.items() if text}
    return Connection(ENVIRONMENT, "the SNOWFLAKE_* variables", _completed(values, "SNOWFLAKE_* variables"))


def named_connection(name: str) -> Connection:
    """A connection of the user's connections.toml or config.toml, which the connector itself reads."""
    from snowflake.connector.config_manager import CONFIG_MANAGER
    from snowflake.connector.errors import Error

    try:
        known = sorted(cast(Mapping[str, Any], CONFIG_MANAGER["connections"]))
    except Error as error:
        raise ConfigurationError(f"cannot read the Snowflake connections: {error.msg}") from None
    if name not in known:
        choices = ", ".join([LOCAL, ENVIRONMENT, *known])
        raise ConfigurationError(f"unknown connection '{name}'; known: {choices}")
    return Connection(name, f"connection '{name}'", {"connection_name": name})


def _read_object(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read ({type(error).__name__})") from None
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{file}: not valid JSON at line {error.lineno}") from None
    if not isinstance(values, dict):
        raise ConfigurationError(f"{file}: expected one JSON object with keys such as account, user, password")
    return values


def _completed(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    parameters = {"login_timeout": LOGIN_TIMEOUT_S, **values}
    if not parameters.get("account"):
        raise ConfigurationError(f"{source}: no account; set at least account and user")
    if "private_key_path" in parameters:
        parameters.setdefault("private_key_file", parameters.pop("private_key_path"))
        parameters.pop("private_key_path", None)
    if "private_key_file" in parameters:
        parameters.setdefault("authenticator", "SNOWFLAKE_JWT")
    return parameters


def _right_type(key: str) -> str:
    return "true or false" if key in BOOLEAN_KEYS else "a whole number" if key in NUMBER_KEYS else "text"


def _has_right_type(key: str, value: Any) -> bool:
    if key in BOOLEAN_KEYS:
        return isinstance(value, bool)
    return isinstance(value, int) and not isinstance(value, bool) if key in NUMBER_KEYS else isinstance(value, str)


def _from_text(key: str, text: str) -> str | bool | int:
    if key in NUMBER_KEYS:
        if not text.isdecimal():
            raise ConfigurationError(f"SNOWFLAKE_{key.upper()} must be a whole number")
        return int(text)
    if key not in BOOLEAN_KEYS:
        return text
    truth = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    if text.lower() not in truth:
        raise ConfigurationError(f"SNOWFLAKE_{key.upper()} must be true or false")
    return truth[text.lower()]


def _others_may_read(file: Path) -> bool:
    return os.name == "posix" and bool(file.stat().st_mode & 0o044)
