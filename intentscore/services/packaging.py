"""The package as a zip for a stage: reproducible, and named by what is in it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import intentscore

LEFT_BEHIND = ("cli", "local")
SHIPPED = (".py", ".j2", ".css")
PACKAGES = (
    "snowflake-snowpark-python", "snowflake-ml-python", "lightgbm", "scikit-learn", "scipy", "numpy", "pandas",
    "pyarrow", "pydantic", "pyyaml", "shap",
)  # fmt: skip
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class PackageZip:
    """`name` holds the first 12 hex digits of the content's SHA-256."""

    name: str
    content: bytes


def package_zip() -> PackageZip:
    """Source and templates of intentscore without command line and local engine: same files, same bytes."""
    root = Path(intentscore.__file__).parent
    shipped = (path for path in root.rglob("*") if path.suffix in SHIPPED)
    files = sorted(path for path in shipped if path.relative_to(root).parts[0] not in LEFT_BEHIND)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(f"intentscore/{path.relative_to(root).as_posix()}", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    content = buffer.getvalue()
    return PackageZip(f"intentscore_{content_hash(root, files)}.zip", content)


def content_hash(root: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def pinned_packages() -> list[str]:
    """What the procedures run with: exactly the versions of this environment, which are those of the lock."""
    return [f"{name}=={metadata.version(name)}" for name in PACKAGES]
