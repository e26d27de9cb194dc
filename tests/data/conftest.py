from __future__ import annotations

from hypothesis import settings

# The tests read and write files: how long one example takes says nothing.
settings.register_profile("files", deadline=None)
settings.load_profile("files")
