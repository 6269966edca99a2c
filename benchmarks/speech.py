"""Speed of speech against the ONNX graph of Kokoro, side by side in one run on the same threads.

Turns are taken, so that what else runs on the machine hits both; seconds of processor time are
shown beside those of the clock, as they do not change with it.
"""

from __future__ import annotations

import json
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from autovoice import weights
from autovoice.bench.tables import table
from autovoice.engine import Builders, Engine
from autovoice.nn.styled_pieces import multiplies_bfloat16
from autovoice.speak.utterance import Utterance
from benchmarks.page import Section, against
from benchmarks.process import KIB
from benchmarks.spoken import front, sentences

VOICE, PACK = "kumo", "jm_kumo"
REALTIME, FIRST_S = 0.8, 3.0
Run = tuple[float, float, float]


def speech(*, runs: int = 5, threads: int = 2) -> Section:
    """Measure one sentence after another by both.

    Args:
        runs: sentences of each; the median is shown. Default 5.
        threads: of both. Default 2.
    """
    torch.set_num_threads(threads)
    chosen = sentences()[10 : 10 + runs]
    begin_s = time.perf_counter()
    engine = Engine("cpu", builders=Builders(text=front))
    engine.speak(chosen[0].text, VOICE)
    first_s = time.perf_counter() - begin_s
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    ours, theirs = _ours(engine), _graph(threads)
    theirs(chosen[0])
    found: dict[str, list[Run]] = {"AutoVoice": [], "ONNX Runtime": []}
    for utterance in chosen:
        found["AutoVoice"].append(_timed(ours, utterance))
        found["ONNX Runtime"].append(_timed(theirs, utterance))
    pace = {name: _median(each, 0) for name, each in found.items()}
    work = {name: _median(each, 1) for name, each in found.items()}
    rows = [
        ("x real time", *against(pace["AutoVoice"], REALTIME, "{:.2f}")),
        ("x real time, ONNX Runtime", f"{pace['ONNX Runtime']:.2f}", "-", "-"),
        *_against(pace, "time against ONNX Runtime"),
        ("processor time x real time", f"{work['AutoVoice']:.2f}", "-", "-"),
        ("processor time, ONNX Runtime", f"{work['ONNX Runtime']:.2f}", "-", "-"),
        *_against(work, "processor time against ONNX Runtime"),
        ("first sound, networks loaded from the cache, s", f"{first_s:.1f}", "-", "-"),
        ("peak memory, GB", f"{peak_bytes / 1e9:.2f}", "-", "-"),
    ]
    products = ", products of the vocoder's blocks bfloat16" if multiplies_bfloat16() else ""
    body = (
        f"Medians of {runs} sentences of 2 to 4 s, {threads} threads each, in turns. ONNX Runtime "
        f"runs Kokoro-82M's int8 graph, AutoVoice float32{products}.\n\n"
        + table(["", "measured", "goal", "reached"], rows)
    )
    return Section("speech", "Speech, phonemes to sound, on the CPU", body, {"runs": found})


def _against(measured: dict[str, float], name: str) -> list[tuple[str, ...]]:
    ratio = measured["AutoVoice"] / measured["ONNX Runtime"]
    return [(name, *against(ratio, 1.0, "{:.2f}"))]


def _median(runs: list[Run], place: int) -> float:
    """Return seconds of work (0: clock, 1: processor) for a second of sound."""
    return statistics.median(run[place] / run[2] for run in runs)


def _timed(speak: Callable[[Utterance], float], utterance: Utterance) -> Run:
    clock_s, processor_s = time.perf_counter(), time.process_time()
    seconds = speak(utterance)
    return time.perf_counter() - clock_s, time.process_time() - processor_s, seconds


def _ours(engine: Engine) -> Callable[[Utterance], float]:
    """Speak as users do; counted are the seconds before silence is cut off, as in the graph."""
    stages, speaker = engine._stages, engine.voice(VOICE).speaker

    def speak(utterance: Utterance) -> float:
        features = stages.speech.features(utterance, speaker, speed=1.0)
        return stages.speech_vocoder.synthesise(features, speaker, seed=0).seconds

    return speak


def _graph(threads: int) -> Callable[[Utterance], float]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    path = str(weights.file("kokoro-82m", "kokoro.onnx"))
    session: Any = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    vocabulary = json.loads(weights.file("kokoro-82m", "vocab.json").read_text("utf-8"))
    vocabulary = vocabulary.get("vocab", vocabulary)
    with np.load(weights.file("kokoro-82m", "voices_ja.npz")) as packs:
        pack = packs[PACK][:, 0]

    def speak(utterance: Utterance) -> float:
        tokens = [0, *(vocabulary[sign] for sign in utterance.phonemes), 0]
        style = pack[len(tokens) - 3][None].astype(np.float32)
        feed = {"tokens": np.array([tokens]), "style": style, "speed": np.ones(1, np.float32)}
        return len(session.run(None, feed)[0].ravel()) / 24_000

    return speak
