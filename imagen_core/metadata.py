"""A picture that carries its recipe: PNG text and provenance (XMP), written whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imagen_core.check import Check
from imagen_core.png_text import PngTexts
from imagen_core.presets import PRESETS
from imagen_core.recipe import Recipe, RecipeError

if TYPE_CHECKING:
    from PIL.Image import Image

KEY = "imagen_recipe"  # keyword of the PNG text chunk that holds the recipe's JSON
CHECK_KEY = "imagen_check"  # of the one that holds what `check.py` compares the picture with when it is drawn again
MAX_FILE_SIZE = 20_000_000  # bytes
# The IPTC's word for pictures made by a trained model, where other programs look for it.
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:CreatorTool="imagen_core"
    Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


class MetadataError(ValueError):
    """A file that cannot be read as a picture with a recipe, or cannot be written; the text is one sentence."""


def to_png(image: Image, recipe: Recipe, check: Check | None = None) -> bytes:
    """`image` as a PNG file that carries `recipe`, the one that draws this image alone, and its check.

    Where the recipe's model was fetched, the licence of its weights stands beside it under the keyword "License".
    """
    texts = {} if check is None else {CHECK_KEY: check.to_text()}
    return png_with(image, {KEY: recipe.to_json()} | texts, recipe.model)


def png_with(image: Image, texts: Mapping[str, str], model: str) -> bytes:
    """`image`, drawn by `model`, as a PNG file with these texts by their keywords."""
    from PIL.PngImagePlugin import PngInfo  # here, because reading a recipe needs no Pillow

    text = PngInfo()
    text.add_text("Software", "imagen_core")
    for key, value in texts.items():
        text.add_itxt(key, value)
    preset = PRESETS.get(model)
    if preset is not None and preset.fetched:
        text.add_itxt("License", f"{preset.licence}, {preset.licence_url}")
    text.add_itxt("XML:com.adobe.xmp", _XMP)
    data = io.BytesIO()
    # Filtered rows hold hardly any repeats but runs: looking for these alone is quicker, and the file is smaller.
    image.save(data, format="PNG", pnginfo=text, compress_level=1, compress_type=zlib.Z_RLE)
    return data.getvalue()


def check_destination(path: Path) -> None:
    """Find out before a long run whether `save_png` could write `path`; raise `MetadataError` where it could not."""
    with _told("write", path):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            raise MetadataError(f"Cannot write {quoted(path)}: it is {_kind(target)}, not a file.")
        if not target.parent.is_dir():
            raise MetadataError(f"Cannot write {quoted(path)}: there is no folder {quoted(path.parent)}.")
        probe = _beside(target)
        probe.touch(exist_ok=False)
        probe.unlink()


def save_png(image: Image, recipe: Recipe, path: Path, check: Check | None = None) -> None:
    """Write `to_png(image, recipe, check)` to `path`; a file that is there is replaced, in one step, at the end.

    Raises `MetadataError` where that fails, on a full disk for example; then what was at `path` is untouched and
    nothing else is left behind.
    """
    write(to_png(image, recipe, check), path)


def write(data: bytes, path: Path) -> None:
    """Write a file whole or not at all, as `save_png` does it."""
    check_destination(path)
    with _told("write", path):
        target = Path(os.path.realpath(path))
        temporary = _beside(target)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


class Carried:
    """The texts that a PNG file carries. The file is read once, whatever is asked for."""

    def __init__(self, source: Path | bytes) -> None:
        """Read the file.

        Raises `MetadataError` where it is unreadable, larger than `MAX_FILE_SIZE` or too wide, no PNG, damaged or cut
        off.
        """
        self._name = "The picture" if isinstance(source, bytes) else quoted(Path(source.name))
        data = source if isinstance(source, bytes) else read_limited(source, MAX_FILE_SIZE)
        if len(data) > MAX_FILE_SIZE:
            raise MetadataError(f"{self._name} is larger than {MAX_FILE_SIZE:,} bytes.")
        with self._told("header"):
            self._texts = PngTexts(data)

    def recipe(self) -> Recipe:
        """The recipe. Raises `MetadataError` where there is none, or one that is not valid."""
        try:
            return Recipe.from_json(self.text(KEY, "recipe"))
        except RecipeError as error:
            raise MetadataError(f"{self._name} carries a recipe that is not valid: {error}") from None

    def check(self) -> Check | None:
        """What the picture was when it was drawn; None without a check, or with one that cannot be read."""
        try:
            return Check.from_text(self.text(CHECK_KEY, "check"))
        except MetadataError:
            return None

    def text(self, key: str, what: str) -> str:
        """The text under the keyword `key`, called `what` in errors. Raises `MetadataError` where there is none."""
        with self._told(what):
            text = self._texts.text(key, what)
        if text is None:
            raise MetadataError(f"{self._name} carries no {what}: another program made it, or saved it anew.")
        return text

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what is wrong with the file into one sentence."""
        try:
            yield
        except UnicodeDecodeError:
            raise MetadataError(f"{self._name} is damaged: its {what} is not UTF-8.") from None
        except zlib.error:
            raise MetadataError(f"{self._name} is damaged: its {what} cannot be unpacked.") from None
        except (EOFError, struct.error):
            raise MetadataError(f"{self._name} is cut off: it ends before a PNG file does.") from None
        except ValueError as error:
            raise MetadataError(f"{self._name} {error}.") from None


def read_recipe(source: str | os.PathLike[str] | bytes) -> Recipe:
    """The recipe that a PNG file carries; `source` is its path, or its bytes.

    Raises:
        MetadataError: the file cannot be read, is no PNG, or carries no valid recipe; see `Carried`.
    """
    return Carried(source if isinstance(source, bytes) else Path(source)).recipe()


def read_limited(path: Path, limit: int, *, pipes: bool = False) -> bytes:
    """The bytes of the file `path`, or with `pipes` of what a pipe gives up to its end.

    Raises `MetadataError` where it cannot be read or holds more than `limit`.
    """
    with _told("read", path):
        if path.exists() and not path.is_file() and not (pipes and path.is_fifo()):
            raise MetadataError(f"Cannot read {quoted(path)}: it is {_kind(path)}, not a file.")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    if len(data) > limit:
        raise MetadataError(f"{quoted(Path(path.name))} is larger than {limit:,} bytes.")
    return data


def _beside(target: Path) -> Path:
    """A new name in the folder of `target`, so that renaming it to `target` is one step on one disk."""
    return target.with_name(f".imagen-{secrets.token_hex(8)}.tmp")


def quoted(path: Path) -> str:
    """A file's name for a sentence: its end where it is very long, and escapes for what is not printable."""
    name = str(path)
    return repr(name if len(name) <= 200 else f"…{name[-200:]}")


def _kind(path: Path) -> str:
    return "a folder" if path.is_dir() else "a pipe" if path.is_fifo() else "a device"


@contextlib.contextmanager
def _told(doing: str, path: Path) -> Iterator[None]:
    """Turn what the system says of a file into one sentence."""
    try:
        yield
    except MetadataError:
        raise
    except OSError as error:
        raise MetadataError(f"Cannot {doing} {quoted(path)}: {error.strerror}.") from None
    except ValueError:
        raise MetadataError(f"Cannot {doing} {quoted(path)}: that is no name of a file.") from None
