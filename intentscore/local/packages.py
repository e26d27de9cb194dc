"""PACKAGES of a procedure or function against what is installed where handlers run."""

from __future__ import annotations

import functools
import re
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from intentscore.local.errors import SnowflakeError

NOT_PACKAGES = {"python"}


@functools.cache
def installed() -> dict[str, str]:
    """Name to version of every package of the environment."""
    return {canonicalize_name(d.metadata["Name"]): d.version for d in metadata.distributions()}


def check(specifications: list[str]) -> None:
    """Refuse a package that is not there, or not in the version asked for, as an account does at CREATE."""
    missing = [text for text in specifications if not _is_met(text)]
    if missing:
        raise SnowflakeError(
            "SQL compilation error: Cannot create a Python function with the specified packages. "
            "Please check your packages specification and try again. "
            f"Packages not found:\n{chr(10).join('- ' + text for text in missing)}",
            391546, "42601",
        )  # fmt: skip


def resolved(specifications: list[str]) -> list[str]:
    """The versions that are installed of the packages asked for."""
    names = [canonicalize_name(_requirement(text).name) for text in specifications]
    return [f"{name}=={installed()[name]}" for name in names if name in installed()]


def _requirement(text: str) -> Requirement:
    """`pandas`, `pandas==2.2.*`, `pandas>=2`, and conda's `pandas=2.2`."""
    return Requirement(re.sub(r"(?<![=<>!~])=(?!=)\s*([\w.]+?)(?:\.\*)?$", r"==\1.*", text.strip()))


def _is_met(text: str) -> bool:
    try:
        wanted = _requirement(text)
    except InvalidRequirement:
        return False
    name = canonicalize_name(wanted.name)
    if name in NOT_PACKAGES:
        return True
    version = installed().get(name)
    return version is not None and wanted.specifier.contains(version, prereleases=True)
