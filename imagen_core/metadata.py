"""A picture that carries its recipe: PNG text and provenance (XMP), written whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from imagen_core.recipe import MAX_JSON_LENGTH, Recipe, RecipeError

if TYPE_CHECKING:
    from PIL.Image import Image

KEY = "imagen_recipe"  # keyword of the PNG text chunk that holds the recipe's JSON
MAX_FILE_SIZE = 20_000_000  # bytes
MAX_SIDE = 4096  # pixels
_MAX_CHUNKS = 10_000  # of a PNG file; 20 MB in the smallest pieces in use are 2,500
_MAX_TEXT = 4 * MAX_JSON_LENGTH  # bytes; UTF-8 needs at most four for a character
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
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


def to_png(image: Image, recipe: Recipe) -> bytes:
    """`image` as a PNG file that carries `recipe`, the one that draws this image alone."""
    from PIL.PngImagePlugin import PngInfo  # here, because reading a recipe needs no Pillow

    text = PngInfo()
    text.add_text("Software", "imagen_core")
    text.add_itxt(KEY, recipe.to_json())
    text.add_itxt("XML:com.adobe.xmp", _XMP)
    data = io.BytesIO()
    image.save(data, format="PNG", pnginfo=text, compress_level=3)  # a tenth larger than 6 and twice as fast
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


def save_png(image: Image, recipe: Recipe, path: Path) -> None:
    """Write `to_png(image, recipe)` to `path`; a file that is there is replaced, in one step, at the end.

    Raises `MetadataError` where that fails, on a full disk for example; then what was at `path` is untouched and
    nothing else is left behind.
    """
    data = to_png(image, recipe)
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


def read_recipe(source: Path | bytes) -> Recipe:
    """The recipe that the PNG file `source` carries. Pixels are not decoded; every chunk's checksum is compared.

    Raises `MetadataError` for a file that is unreadable, larger than `MAX_FILE_SIZE` or `MAX_SIDE`, no PNG, damaged,
    cut off, without a recipe, or with one that is not valid.
    """
    name = "The picture" if isinstance(source, bytes) else quoted(Path(source.name))
    data = source if isinstance(source, bytes) else read_limited(source, MAX_FILE_SIZE)
    if len(data) > MAX_FILE_SIZE:
        raise MetadataError(f"{name} is larger than {MAX_FILE_SIZE:,} bytes.")
    try:
        texts = _recipe_texts(data)
    except UnicodeDecodeError:
        raise MetadataError(f"{name} is damaged: its recipe is not UTF-8.") from None
    except zlib.error:
        raise MetadataError(f"{name} is damaged: its recipe cannot be unpacked.") from None
    except (EOFError, struct.error):
        raise MetadataError(f"{name} is cut off: it ends before a PNG file does.") from None
    except ValueError as error:
        raise MetadataError(f"{name} {error}.") from None
    if len(texts) != 1:
        why = "more than one recipe" if texts else "no recipe: another program made it, or saved it anew"
        raise MetadataError(f"{name} carries {why}.")
    try:
        return Recipe.from_json(texts[0])
    except RecipeError as error:
        raise MetadataError(f"{name} carries a recipe that is not valid: {error}") from None


def read_limited(path: Path, limit: int) -> bytes:
    """The bytes of the file `path`; raise `MetadataError` where it cannot be read or holds more than `limit`."""
    with _told("read", path):
        if path.exists() and not path.is_file():
            raise MetadataError(f"Cannot read {quoted(path)}: it is {_kind(path)}, not a file.")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    if len(data) > limit:
        raise MetadataError(f"{quoted(Path(path.name))} is larger than {limit:,} bytes.")
    return data


def _recipe_texts(data: bytes) -> list[str]:
    """Every recipe text in the PNG file `data`; ValueError tells what is wrong with the file."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("is no PNG file, and only those carry a recipe")
    texts = []
    for kind, body in _chunks(data):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
            if max(width, height) > MAX_SIDE:
                raise ValueError(f"is {width} × {height} pixels, more than {MAX_SIDE} a side")
        if kind in (b"tEXt", b"zTXt", b"iTXt") and body.startswith(KEY.encode() + b"\0"):
            texts.append(_text(kind, body[len(KEY) + 1 :]))
    return texts


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of the chunks of a PNG file, up to its end chunk; EOFError where that never comes."""
    start = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 8 + length
        if end + 4 > len(data):
            raise EOFError
        if struct.unpack_from(">I", data, end)[0] != zlib.crc32(memoryview(data)[start + 4 : end]):
            raise ValueError("is damaged: a checksum in it is wrong")
        yield kind, data[start + 8 : end]
        if kind == b"IEND":
            return
        start = end + 4
    raise ValueError(f"is damaged: it is made of more than {_MAX_CHUNKS:,} chunks")


def _text(kind: bytes, content: bytes) -> str:
    """The text of a text chunk behind its keyword (PNG specification, section 11.3.3); never unpacks a bomb."""
    if kind == b"tEXt":
        return content.decode("latin-1")
    packed = kind == b"zTXt" or content[:1] == b"\1"
    # Before the text: the compression method; in iTXt a flag, the method, a language and a translated keyword.
    content = content[1:] if kind == b"zTXt" else content[2:].split(b"\0", 2)[-1]
    if packed:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(content, _MAX_TEXT)
        if unpacker.unconsumed_tail:
            raise ValueError(f"carries a recipe of more than {_MAX_TEXT:,} bytes")
    return content.decode("latin-1" if kind == b"zTXt" else "utf-8")


def _beside(target: Path) -> Path:
    """A new name in the folder of `target`, so that renaming it to `target` is one step on one disk."""
    return target.with_name(f".imagen-{secrets.token_hex(8)}.tmp")


def quoted(path: Path) -> str:
    """A file's name for a sentence: its end where it is very long, and escapes for what is not printable."""
    name = str(path)
    return repr(name if len(name) <= 200 else f"…{name[-200:]}")


def _kind(path: Path) -> str:
    return "a folder" if path.is_dir() else "a device"


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
