"""Errors as sentences for the person at the page."""

from __future__ import annotations

import logging
import re

import gradio as gr

from imagen_core.events import StageError
from imagen_core.metadata import MetadataError
from imagen_core.recipe import RecipeError

_log = logging.getLogger(__name__)


def sentence(error: Exception) -> str:
    """`error` as one sentence; what nobody expected goes to the log whole."""
    from imagen_core.checkpoints import CheckpointError  # here, because it brings torch

    if isinstance(error, RecipeError | StageError | MetadataError | CheckpointError):
        return str(error)
    if isinstance(error, OSError):
        return f"A file of the picture cannot be written or read: {error.strerror or type(error).__name__}."
    if isinstance(error, gr.Error):  # of the package that lends the accelerator: none is free, or the time is over
        return f"The accelerator of this Space did not draw it: {re.sub(r'<[^>]*>', '', error.message)}"
    _log.error("Something failed that should not.", exc_info=error)
    return f"Something is wrong in the program itself ({type(error).__name__}); its log tells where."
