"""The published DNSMOS graph, run so that overlapping windows share their work.

A window of 9 s begins every second, so that the graph hears each second nine times over. All but
a few per cent of its time goes into four convolutions before the first pooling, and these see four
frames to either side only. So they run once over the whole sound, and once more over both ends of
each window, where the window has zeros in place of its neighbours. What comes out is what the
graph gives window by window, to rounding.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view

from autovoice.errors import AutoVoiceError, WeightsError
from autovoice.types import FloatArray

HOP_SAMPLES = 160
FRAME_SAMPLES = 320
WINDOW_FRAMES = 900
# Four convolutions of three frames each.
REACH_FRAMES = 4
POOLED = 2
_END_FRAMES = 2 * REACH_FRAMES
_CHUNK_FRAMES = 256
_BATCH = 8


class SharedGraph:
    """Run the two halves of the graph: frames to pooled features, and these to raw scores.

    Args:
        path: the published ``sig_bak_ovr.onnx``.
        threads: processor threads; 0 lets ONNX Runtime choose.

    Raises:
        AutoVoiceError: ONNX Runtime is not installed.
        WeightsError: the graph is another one.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        runtime = _runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that wait must not keep a processor busy: other judges work beside this one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        frames, pooled, model = _seams(path)
        halves = (frames, pooled), (pooled, model.graph.output[0].name)
        self._near, self._far = (
            runtime.InferenceSession(
                _between(model, *half).SerializeToString(),
                options,
                providers=["CPUExecutionProvider"],
            )
            for half in halves
        )

    def scores(self, samples: FloatArray, starts: Sequence[int]) -> FloatArray:
        """Judge windows of a sound.

        Args:
            samples: ``[T]`` at 16 kHz.
            starts: first frames of the windows, each a multiple of 2; 144160 samples follow.

        Shape: ``[T] -> [N, 3]``: voice, background, overall, before the polynomials.
        """
        frames = sliding_window_view(samples, FRAME_SAMPLES)[::HOP_SAMPLES]
        whole = np.concatenate(list(self._whole(frames[: starts[-1] + WINDOW_FRAMES])), axis=1)
        scores = []
        for index in range(0, len(starts), _BATCH):
            batch = starts[index : index + _BATCH]
            features = np.stack(
                [whole[:, s // POOLED : (s + WINDOW_FRAMES) // POOLED] for s in batch]
            )
            edge = REACH_FRAMES // POOLED
            features[:, :, :edge] = self._ends(frames, batch, 0)[:, :, :edge]
            last = WINDOW_FRAMES - _END_FRAMES
            features[:, :, -edge:] = self._ends(frames, batch, last)[:, :, -edge:]
            scores.append(_run(self._far, features))
        return np.concatenate(scores)

    def _whole(self, frames: FloatArray) -> Iterator[FloatArray]:
        """Yield the pooled features, ``[32, F // 2, 80]`` in pieces; wrong at both ends only."""
        for start in range(0, len(frames), _CHUNK_FRAMES):
            first = max(0, start - REACH_FRAMES)
            end = min(len(frames), start + _CHUNK_FRAMES)
            pooled = _run(self._near, frames[None, first : end + REACH_FRAMES])[0]
            left = (start - first) // POOLED
            yield pooled[:, left : left + (end - start) // POOLED]

    def _ends(self, frames: FloatArray, starts: Sequence[int], place: int) -> FloatArray:
        """Return the features of eight frames of each window, cut off from the others."""
        first = [start + place for start in starts]
        return _run(self._near, np.stack([frames[at : at + _END_FRAMES] for at in first]))


def _run(session: Any, values: FloatArray) -> FloatArray:
    name = session.get_inputs()[0].name
    result: FloatArray = session.run(None, {name: np.ascontiguousarray(values)})[0]
    return result


def _seams(path: Path) -> tuple[str, str, onnx.ModelProto]:
    """Return the names of the frames, of the first pooling's output, and the graph."""
    model = onnx.load(str(path))
    found = {}
    for wanted in ("Concat", "MaxPool"):
        named = [node.output[0] for node in model.graph.node if node.op_type == wanted]
        if not named:
            raise WeightsError(
                f"{path.name}: found no {wanted}, expected the graph of DNSMOS P.835"
            )
        found[wanted] = named[0]
    return found["Concat"], found["MaxPool"], model


def _between(model: onnx.ModelProto, start: str, end: str) -> onnx.ModelProto:
    """Return the part of a graph that makes the value ``end`` of the value ``start``."""
    needed, nodes = {end}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output) and start not in node.output:
            needed.update(node.input)
            nodes.append(node)
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in (start, end)
    ]
    held = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    graph = onnx.helper.make_graph(nodes[::-1], "part", values[:1], values[1:], held)
    part = onnx.helper.make_model(graph, opset_imports=model.opset_import)
    part.ir_version = model.ir_version
    return part


def _runtime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise AutoVoiceError(
            "found no onnxruntime, which predicts DNSMOS; run `pip install 'autovoice[eval]'`"
        ) from error
