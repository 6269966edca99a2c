"""Read XML and zipped XML from strangers: bounded, nothing expanded, nothing fetched."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from autovoice.errors import InputError

LARGEST_BYTES = 64_000_000
MOST_ELEMENTS = 3_000_000
DEEPEST = 64
LONGEST_TEXT = 20_000
MOST_FILES = 1_000


@dataclass
class Element:
    """An XML element.

    Args:
        name: of the element.
        attributes: by name.
        text: directly inside of it.
        children: in order.
    """

    name: str
    attributes: Mapping[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, path: str) -> Element | None:
        """Return the first element at a path such as ``pitch/step``."""
        head, _, rest = path.partition("/")
        for child in self.children:
            if child.name == head:
                found = child.find(rest) if rest else child
                if found is not None:
                    return found
        return None

    def all(self, name: str) -> list[Element]:
        """Return the children of a name."""
        return [child for child in self.children if child.name == name]

    def words(self, path: str) -> str:
        """Return the text at a path, trimmed; empty where there is none."""
        found = self.find(path)
        return found.text.strip() if found is not None else ""


def parsed(data: bytes, where: str) -> Element:
    """Return the root element of a document.

    A document type may name an outer definition, which is not fetched; entities of its own are
    refused, so nothing can grow.

    Args:
        data: the document.
        where: its name, for messages.

    Raises:
        InputError: it is malformed, declares entities, or is too deep or too large.
    """
    return _Builder(where).build(data)


class _Builder:
    """Build elements from the events of the parser."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity
        self._open: list[Element] = []
        self._root: Element | None = None
        self._count = 0

    def build(self, data: bytes) -> Element:
        if len(data) > LARGEST_BYTES:
            self._refuse(f"found {len(data)} bytes, expected at most {LARGEST_BYTES}")
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise InputError(
                f"{self._where}, line {error.lineno}, column {error.offset + 1}: found "
                f"{expat.ErrorString(error.code)}, expected well-formed XML; export the score again"
            ) from error
        except (LookupError, UnicodeError, ValueError) as error:
            raise InputError(
                f"{self._where}: found XML in an unknown encoding ({error})"
            ) from error
        if self._root is None:
            self._refuse("found no element, expected a score")
        return self._root

    def _refuse(self, problem: str) -> NoReturn:
        raise InputError(f"{self._where}, line {self._parser.CurrentLineNumber}: {problem}")

    def _entity(self, name: str, *_: object) -> None:
        self._refuse(f"found the entity {name!r}, expected none; remove it from the document type")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS:
            self._refuse(f"found more than {MOST_ELEMENTS} elements; split the score")
        if len(self._open) >= DEEPEST:
            self._refuse(f"found elements nested deeper than {DEEPEST}")
        element = Element(name.rpartition("}")[2].rpartition(":")[2], attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _characters(self, data: str) -> None:
        element = self._open[-1]
        if not data.strip() and not element.text:
            return
        element.text += data
        if len(element.text) > LONGEST_TEXT:
            self._refuse(f"found more than {LONGEST_TEXT} characters in <{element.name}>")


def unzipped(data: bytes, where: str) -> bytes:
    """Return the score inside of a compressed MusicXML file.

    Raises:
        InputError: it is no such file, or unpacks to more than 64 MB.

    Source: MusicXML 4.0, "Compressed .MXL files" (W3C Music Notation Community Group).
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if len(names) > MOST_FILES:
                raise InputError(f"{where}: found {len(names)} files inside, expected one score")
            return _member(archive, _score_name(archive, names, where), where)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as error:
        raise InputError(
            f"{where}: found a damaged or locked archive ({error}), expected compressed MusicXML"
        ) from error


def _score_name(archive: zipfile.ZipFile, names: list[str], where: str) -> str:
    if "META-INF/container.xml" in names:
        listed = parsed(_member(archive, "META-INF/container.xml", where), where)
        files = listed.find("rootfiles")
        for root in files.all("rootfile") if files is not None else []:
            if root.attributes.get("full-path") in names:
                return str(root.attributes["full-path"])
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF/"):
            return name
    raise InputError(f"{where}: found no score inside of the archive")


def _member(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise InputError(
            f"{where}: found an archive that unpacks to more than {LARGEST_BYTES} bytes"
        )
    return data
