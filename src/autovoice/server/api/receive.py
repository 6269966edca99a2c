"""Receive uploads: bytes are counted and written while they come, and the clock runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from autovoice.io.sniff import HEAD_BYTES, identify
from autovoice.server.api.errors import ApiError
from autovoice.server.api.service import Service
from autovoice.server.files import FileStore, Part, Received
from autovoice.server.names import shown_name

MOST_FIELD_BYTES = 64 << 10
MOST_FIELDS = 64
MOST_HEADER_BYTES = 8 << 10


@dataclass
class Upload:
    """A file of a form.

    Args:
        field: the form's name for it.
        name: harmless name for people.
        received: where it is.
    """

    field: str
    name: str
    received: Received


@dataclass
class Form:
    """What a request brought."""

    fields: dict[str, str] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)


class _Receiver:
    """Callbacks of the multipart parser; they run in a thread and may raise ``ApiError``."""

    def __init__(self, store: FileStore, most_files: int, stack: contextlib.ExitStack) -> None:
        self.form = Form()
        self.is_complete = False
        self._store, self._most_files, self._stack = store, most_files, stack
        self._header, self._value = b"", b""
        self._headers: dict[str, bytes] = {}
        self._part: Part | None = None
        self._field, self._filename, self._text = "", "", b""
        self._head: bytes | None = b""
        self._field_bytes = self._count = 0

    def callbacks(self) -> dict[str, object]:
        """Return what the parser calls."""
        names = (
            "on_part_begin", "on_part_data", "on_part_end", "on_header_field", "on_header_value",
            "on_header_end", "on_headers_finished", "on_end",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def on_part_begin(self) -> None:
        self._headers, self._header, self._value = {}, b"", b""
        self._part, self._text, self._head = None, b"", b""
        self._count += 1
        if self._count > MOST_FIELDS + self._most_files:
            raise ApiError(413, "too_many_parts", "the form has too many parts", close=True)

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_header()

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header) + len(self._value) > MOST_HEADER_BYTES or len(self._headers) > 16:
            raise ApiError(400, "bad_form", "a part of the form has a huge head", close=True)

    def on_header_end(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = self._value
        self._header, self._value = b"", b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        self._field = options.get(b"name", b"").decode("utf-8", "replace")[:64]
        filename = options.get(b"filename")
        if filename is None:
            return
        if len(self.form.uploads) >= self._most_files:
            raise ApiError(
                413, "too_many_files", f"expected at most {self._most_files} files", close=True
            )
        self._filename = shown_name(filename.decode("utf-8", "replace"))
        self._part = self._stack.enter_context(self._store.receive())

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        block = data[start:end]
        if self._part is None:
            self._field_bytes += len(block)
            if self._field_bytes > MOST_FIELD_BYTES:
                raise ApiError(
                    413, "fields_too_large", "the fields are too long; send files as files",
                    close=True,
                )  # fmt: skip
            self._text += block
            return
        if self._head is not None:
            self._head += block[: HEAD_BYTES - len(self._head)]
            if len(self._head) >= HEAD_BYTES:
                self._sniff()
        self._part.write(block)

    def on_part_end(self) -> None:
        if self._part is None:
            if self._field in self.form.fields:
                raise ApiError(422, "invalid_request", f"the field {self._field!r} came twice")
            self.form.fields[self._field] = self._text.decode("utf-8", "replace")
            return
        if self._head is not None:
            self._sniff()
        self.form.uploads.append(Upload(self._field, self._filename, self._part.keep()))

    def on_end(self) -> None:
        self.is_complete = True

    def _sniff(self) -> None:
        """Refuse what is no audio after its first bytes, not after its last."""
        head, self._head = self._head or b"", None
        if self._field == "voice_file":
            return
        if not head:
            raise ApiError(422, "empty_file", f"{self._filename}: found an empty file", close=True)
        found = identify(head, PurePosixPath(self._filename).suffix)
        if not found.readable:
            raise ApiError(
                415,
                "unsupported_audio",
                f"{self._filename}: found {found.description}, expected WAV, FLAC, MP3, OGG or "
                f"Opus; {found.advice}",
                close=True,
            )


async def receive_form(request: Request, service: Service, *, most_files: int = 1) -> Form:
    """Receive a form with files; when anything is wrong, none of its files stays.

    Raises:
        ApiError: 400 no form, 408 too slow, 413 too large, 415 no audio, 503 no room.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 200:
        raise ApiError(
            415, "not_a_form", "found no multipart/form-data, expected a form with files"
        )
    claimed = _claimed(request, service)
    await run_in_threadpool(service.check_storage, claimed)
    with contextlib.ExitStack() as stack:
        receiver = _Receiver(service.store, most_files, stack)
        parser = MultipartParser(boundary, receiver.callbacks())  # type: ignore[arg-type]
        counted = 0
        try:
            async for block in _blocks(request, service):
                counted += len(block)
                service.receiving_bytes += len(block)
                await run_in_threadpool(parser.write, block)
            await run_in_threadpool(parser.finalize)
        except BaseException as error:
            await run_in_threadpool(_discard, service, receiver.form)
            if not isinstance(error, FormParserError):
                raise
            raise ApiError(400, "bad_form", f"the form is damaged ({error})", close=True) from error
        finally:
            service.receiving_bytes -= counted
        if not receiver.is_complete:
            await run_in_threadpool(_discard, service, receiver.form)
            raise ApiError(400, "bad_form", "the form is cut off", close=True)
    return receiver.form


async def receive_json(request: Request, service: Service, most_bytes: int) -> dict[str, Any]:
    """Receive a JSON object.

    Args:
        request: whose body it is.
        service: its deadlines hold here too.
        most_bytes: longest body.

    Raises:
        ApiError: 400 no object, 408 too slow, 413 too long.
    """
    content = bytearray()
    async for block in _blocks(request, service):
        content += block
        if len(content) > most_bytes:
            raise ApiError(413, "fields_too_large", "the request is too long", close=True)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ApiError(400, "bad_json", "found no JSON object, expected one")
    return values


def _discard(service: Service, form: Form) -> None:
    for upload in form.uploads:
        service.store.remove(upload.received.path)


def _claimed(request: Request, service: Service) -> int:
    text = request.headers.get("content-length", "0")
    claimed = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    if claimed > service.settings.max_upload_bytes:
        raise _too_large(service)
    return claimed


def _too_large(service: Service) -> ApiError:
    most = service.settings.max_upload_bytes
    return ApiError(
        413, "upload_too_large", f"expected at most {most} bytes in one request", close=True
    )


async def _blocks(request: Request, service: Service) -> AsyncIterator[bytes]:
    """Yield the body as it comes; a client that is too slow or sends too much is refused."""
    settings = service.settings
    stream = request.stream()
    received, end = 0, time.monotonic() + settings.receive_s
    while True:
        left = min(settings.receive_idle_s, end - time.monotonic())
        try:
            block = await asyncio.wait_for(anext(stream), max(left, 0.0))
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _too_slow() from None
        except asyncio.TimeoutError:
            raise _too_slow() from None
        except ClientDisconnect:
            raise ApiError(400, "disconnected", "the client went away", close=True) from None
        received += len(block)
        if received > settings.max_upload_bytes:
            raise _too_large(service)
        if block:
            yield block


def _too_slow() -> ApiError:
    return ApiError(408, "too_slow", "the request came too slowly; try again", close=True)
