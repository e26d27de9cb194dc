"""What the shell may complete; read from small files, never from a session."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def connection_names() -> list[str]:
    """`local`, `env` and the names in the user's connections.toml and config.toml, without their values."""
    named = {name for file in _connection_files() for name in _named_in(file)}
    return ["local", "env", *sorted(named)]


def environment_names() -> list[str]:
    return sorted(path.stem for path in Path("configs/env").glob("*.yaml"))


def _connection_files() -> list[Path]:
    folder = _snowflake_folder()
    return [folder / "connections.toml", folder / "config.toml"]


def _snowflake_folder() -> Path:
    own = Path(os.environ.get("SNOWFLAKE_HOME") or "~/.snowflake").expanduser()
    if own.is_dir():
        return own
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/snowflake").expanduser()
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "snowflake"


def _named_in(file: Path) -> list[str]:
    import tomllib

    try:
        content: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    sections = content if file.name == "connections.toml" else content.get("connections", {})
    return [name for name, section in sections.items() if isinstance(section, dict)]
