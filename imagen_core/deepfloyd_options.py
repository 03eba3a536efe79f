"""What a person may choose of a large model beside its name; no torch, so that a mistake is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from imagen_core.checkpoint_error import CheckpointError
from imagen_core.hub import Hub
from imagen_core.model_names import ModelName
from imagen_core.validation import shown

_OWN_NAMES: Mapping[str, str] = MappingProxyType({name: name for name in ("revisions", "eight_bit", "clean_caption")})


@dataclass(frozen=True)
class Options:
    """How a large model is loaded.

    revisions: by repository, the commit, tag or branch to fetch; the newest of "main" where there is none.
    eight_bit: T5 in 8 bits, with bitsandbytes. clean_caption: prompts are cleaned as IF's captions were.
    hub: where repositories come from.
    """

    revisions: Mapping[str, str] = field(default_factory=dict)
    eight_bit: bool = False
    clean_caption: bool = False
    hub: Hub = field(default_factory=Hub)

    def check(self, model: ModelName, called: Mapping[str, str] = _OWN_NAMES) -> None:
        """Find out whether `model` can be loaded so.

        called: what errors call each of these values, as who gave it knows it.

        Raises:
            CheckpointError: something is chosen that only models in DeepFloyd IF's layout have and it is none, or a
                revision of a repository that it is not fetched from.
        """
        for name in _OWN_NAMES:
            if getattr(self, name) and not model.is_deepfloyd:
                raise CheckpointError(
                    f"{called[name]} is for models in DeepFloyd IF's layout alone, and {shown(model.source)} is none."
                )
        known = [repository for _, repository in model.repositories]
        for repository in self.revisions:
            if not known:
                reason = f"{shown(model.source)} is a folder, not fetched"
                raise CheckpointError(f"{called['revisions']} must be left out: {reason}.")
            if repository not in known:
                raise CheckpointError(
                    f"{called['revisions']} must be of {' or '.join(known)}, which {model.source} is fetched from, "
                    f"not of {shown(repository)}."
                )
