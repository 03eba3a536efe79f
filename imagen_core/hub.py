"""Repositories of the Hugging Face Hub: what is in the cache, and what has to be fetched.

Nothing is asked of the network where the cache holds all files; and whatever goes wrong becomes one sentence.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagen_core.checkpoint_error import CheckpointError

ANSWER_SECONDS = 2.5  # the longest wait for the Hub's first answer
_AGAIN = "what has arrived is kept, so ask for the model again and it goes on from there"


@dataclass(frozen=True)
class _File:
    """A file of a repository: its bytes, and the name of its content in the cache, None where the Hub does not tell."""

    nbytes: int
    blob: str | None


@dataclass(frozen=True)
class Hub:
    """Where repositories come from; None for the Hub itself and for the usual cache of its library."""

    endpoint: str | None = None
    cache: Path | None = None

    def cached(self, repository: str, revision: str | None) -> Path | None:
        """The folder of a repository in the cache, with whatever files are there of it; None where there is none.

        Raises:
            CheckpointError: no repository can have this name.
        """
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            found = try_to_load_from_cache(repository, "model_index.json", cache_dir=self.cache, revision=revision)
        except HFValidationError as error:
            raise CheckpointError(_sentence(repository, revision, error)) from error
        return Path(found).parent if isinstance(found, str) else None

    def fetch(
        self, repository: str, revision: str | None, wanted: Callable[[Mapping[str, int]], tuple[str, ...]]
    ) -> Path:
        """Fetch the files that `wanted` chooses among a repository's files and their sizes in bytes; their folder.

        Raises:
            CheckpointError: they cannot be had; within 3 seconds where there is no network.
        """
        from huggingface_hub import snapshot_download

        try:
            files = self._files(repository, revision)
            try:
                names = wanted({name: file.nbytes for name, file in files.items()})
            except CheckpointError as error:
                raise CheckpointError(f"{repository}: {error}") from None
            self._check_room(repository, [files[name] for name in names])
            folder = snapshot_download(
                repository,
                revision=revision,
                allow_patterns=list(names),
                cache_dir=self.cache,
                endpoint=self.endpoint,
            )
        except CheckpointError:
            raise
        except Exception as error:
            raise CheckpointError(_sentence(repository, revision, error)) from error
        return Path(folder)

    def _files(self, repository: str, revision: str | None) -> dict[str, _File]:
        """The files by their names; asked in a thread, because looking up a name has no time limit."""
        from huggingface_hub import HfApi

        answer: list[Any] = []

        def ask() -> None:
            try:
                api = HfApi(endpoint=self.endpoint)
                answer.append(
                    api.model_info(repository, revision=revision, timeout=ANSWER_SECONDS, files_metadata=True)
                )
            except Exception as error:
                answer.append(error)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(ANSWER_SECONDS)
        if not answer or "Timeout" in type(answer[0]).__name__:  # the client has several kinds of it
            raise TimeoutError
        if isinstance(answer[0], Exception):
            raise answer[0]
        return {
            file.rfilename: _File(file.size or 0, file.lfs.sha256 if file.lfs else file.blob_id)
            for file in answer[0].siblings
        }

    def _check_room(self, repository: str, files: Sequence[_File]) -> None:
        from huggingface_hub.constants import HF_HUB_CACHE

        folder = Path(self.cache or HF_HUB_CACHE)
        there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
        blobs = folder / f"models--{repository.replace('/', '--')}" / "blobs"
        missing = sum(max(0, file.nbytes - _held(blobs, file.blob)) for file in files)
        free = shutil.disk_usage(there).free
        if missing > free:
            raise CheckpointError(
                f"{repository} needs {missing / 1e9:.1f} GB more and the disk of {folder} has "
                f"{free / 1e9:.1f} GB free: make room, or name another folder in the environment variable HF_HOME."
            )


def _held(blobs: Path, blob: str | None) -> int:
    """How many bytes of a file's content the cache has, whole or of a fetch that broke off."""
    for path in () if blob is None else (blobs / blob, blobs / f"{blob}.incomplete"):
        with suppress(OSError):
            return path.stat().st_size
    return 0


def _sentence(repository: str, revision: str | None, error: Exception) -> str:
    """What happened and what to do, for a person."""
    from huggingface_hub import errors, get_token

    page = f"https://huggingface.co/{repository}"
    if _is_disk_full(error):
        return (
            f"The disk became full while {repository} was fetched: make room; {_AGAIN}, "
            "or name another folder in the environment variable HF_HOME."
        )
    match error:
        case errors.GatedRepoError() | errors.RepositoryNotFoundError() if get_token() is None:
            return (
                f"{repository} is given out after its licence was accepted: accept it on {page}, "
                "make a token at https://huggingface.co/settings/tokens and set it as HF_TOKEN."
            )
        case errors.GatedRepoError():
            return f"The licence of {repository} is not accepted: accept it on {page} with the account of your token."
        case errors.HFValidationError():
            return f"No repository of the Hub can be called {repository!r}: {_first_line(error)}"
        case errors.RepositoryNotFoundError():
            return f"There is no repository {repository} on the Hub, or your token may not read it: look at {page}."
        case errors.RevisionNotFoundError():
            return f"{repository} has no revision {revision!r}: look for the commit on {page}/commits."
        case PermissionError():
            return f"The cache of the Hub's library may not be written: {error.filename}; name another in HF_HOME."
        case TimeoutError() | errors.OfflineModeIsEnabled():
            return _no_network(repository)
        case errors.LocalEntryNotFoundError():
            return f"Fetching {repository} was interrupted: {_AGAIN}."
    if type(error).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError"):
        return _no_network(repository)
    return f"Fetching {repository} was interrupted ({_first_line(error)}): {_AGAIN}."


def _no_network(repository: str) -> str:
    return (
        f"{repository} is not in the cache and the Hub does not answer: connect to the network, "
        "or give the folder of a copy; the bundled model needs neither."
    )


def _is_disk_full(error: BaseException | None) -> bool:
    """Whether the disk became full, which hf_xet tells in words alone."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or os.strerror(errno.ENOSPC) in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
