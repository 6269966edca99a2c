"""Side streams: small kernels that do not depend on one another run side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


class Lanes:
    """Lanes beside the current stream of a CUDA device; on other devices nothing happens.

    What a lane reads must have been made before ``fork``, and be kept until its ``join``. Inside a
    capture the lanes become branches of the graph.

    Args:
        count: how many lanes there are beside the main one.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._streams: dict[torch.device, list[torch.cuda.Stream]] = {}

    def fork(self, device: torch.device) -> Fork:
        """Let all lanes go on from where the current stream is."""
        if device.type != "cuda":
            return Fork(None)
        if device not in self._streams:
            lanes = range(self.count)
            self._streams[device] = [torch.cuda.Stream(device) for _ in lanes]  # type: ignore[no-untyped-call]
        streams = self._streams[device]
        main = torch.cuda.current_stream(device)
        for stream in streams:
            stream.wait_stream(main)
        return Fork(streams)


class Fork:
    """Lanes that have been let go."""

    def __init__(self, streams: list[torch.cuda.Stream] | None) -> None:
        self._streams = streams

    @contextlib.contextmanager
    def lane(self, index: int, *, after: int | None = None) -> Iterator[None]:
        """Work in a lane, if need be ``after`` what another one has done so far."""
        if self._streams is None:
            yield
            return
        if after is not None:
            self._streams[index].wait_stream(self._streams[after])
        with torch.cuda.stream(self._streams[index]):
            yield

    def join(self, index: int) -> None:
        """Let the current stream wait for a lane."""
        if self._streams is not None:
            torch.cuda.current_stream(self._streams[index].device).wait_stream(self._streams[index])
