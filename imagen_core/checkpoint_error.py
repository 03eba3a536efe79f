"""The one error of models that cannot be loaded; apart from what loads them, because it needs no torch."""

from __future__ import annotations


class CheckpointError(RuntimeError):
    """A model cannot be loaded; the message says which file, why, and what to do."""
