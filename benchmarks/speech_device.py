"""Speech on one device: the first sound, a second of it, many sentences at once; prints JSON.

python -m benchmarks.speech_device [--device auto] [--runs 100] [--batch 64] [--rounds 5]

One run takes at most a minute on a GPU and reports all goals.

- first: text of 15 words in, the first piece of sound out, with all that lies between: the text
  front, prosody, decoder, limiter, joins. Sentences in turn, each spoken before; ``unseen`` are the
  very first times, with what a length that is new costs.
- second: a sentence of about a second; the whole call, and its two networks alone.
- batch: so many sentences, from phonemes to samples on the host, in passes of the two networks;
  then as many calls of the engine at the same moment, each from a thread, all of it counted:
  ``passes`` are those of these calls alone, by their number of sentences.
- host: a call over networks that take no time, alone and so many at once: what is not the GPU's.
- memory: what PyTorch's allocator gave out and what it holds, now and at most, after each step;
  ``card_used`` is the whole card's, with other programs and what CUDA itself takes.

What was spoken is held against the same sentences on the CPU in float32 (``autovoice.bench.gate``);
a figure counts only where ``sound`` holds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from autovoice.bench.gate import gate
from autovoice.bench.timing import timed, waiter
from autovoice.engine import Engine
from autovoice.types import Audio, FloatArray
from benchmarks.concurrency import percentiles_ms, together
from benchmarks.machine import about
from benchmarks.spoken import sentences

VOICE = "kumo"
FIRST = (
    "The old lighthouse keeper climbed the narrow stairs every evening to light the great lamp.",
    "She packed two warm coats and a small tent for the trip to the north.",
    "Our neighbour plants sunflowers along the wooden fence as soon as the snow has gone.",
    "He read the letter twice before he folded it and put it in his pocket.",
    "A freight train rolled slowly across the iron bridge while the children counted its wagons.",
    "The baker opens his shop at five and sells the last warm bread before noon.",
    "They walked along the quiet harbour until the rain stopped and the moon came out.",
    "Nobody in the village remembered a winter as long and as cold as this one.",
)  # fmt: skip
SECOND = "Come with me now."
WORDS = 15
QUIETEST_RMS = 0.005
# Goals of the project for a data-centre GPU.
FIRST_MS, SECOND_MS, REALTIME, MOST_BYTES = 40.0, 10.0, 1_500.0, 1_200_000_000


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    chosen = _parser().parse_args(words)
    engine = Engine(chosen.device)
    begin_s = time.perf_counter()
    engine.speak("Hello.", VOICE)
    memory = Memory(engine.device)
    found: dict[str, Any] = {
        "about": about(" ".join(["python -m benchmarks.speech_device", *(words or ())])),
        "device": engine.device,
        "why": engine.choice.reason,
        "load_s": round(time.perf_counter() - begin_s, 2),
    }
    memory.note("loaded")
    found["first"] = _first(engine, chosen.runs, FIRST[: chosen.sentences])
    memory.note("first")
    found["second"] = _second(engine, chosen.runs)
    memory.note("one_at_a_time")
    found["batch"] = _batch(engine, chosen.batch, chosen.rounds)
    memory.note("batch")
    found["host"] = _host(engine, chosen.batch, chosen.rounds)
    found["memory"] = memory.steps
    found["sound"] = _sound(engine, chosen.checked)
    found["goals"] = _goals(found)
    print(json.dumps(found, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speech_device", description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=len(FIRST), help="of 15 words, in turn")
    parser.add_argument("--checked", type=int, default=4, help="sentences compared with the CPU")
    return parser


def _first(engine: Engine, runs: int, texts: Sequence[str]) -> dict[str, Any]:
    """Time the first piece of sentences of 15 words."""
    assert all(len(text.split()) == WORDS for text in texts)
    spoken: list[float] = []

    def speak(text: str) -> float:
        begin_s = time.perf_counter()
        piece = next(engine.speak_stream(text, VOICE))
        took_s = time.perf_counter() - begin_s
        spoken.append(piece.seconds)
        return took_s

    unseen = [speak(text) for text in texts]
    for text in (*texts, *texts):  # a shape is captured when it comes for the second time
        speak(text)
    spoken.clear()
    taken = [speak(texts[number % len(texts)]) for number in range(runs)]
    stages: dict[str, list[float]] = {}
    for text in texts:
        talk = engine.speak_stream(text, VOICE)
        next(talk)
        for stage, seconds in talk.timings.items():
            stages.setdefault(stage, []).append(1_000 * seconds)
    return {
        "words": WORDS,
        "runs": runs,
        "sound_s": round(float(np.mean(spoken)), 2),
        **percentiles_ms(taken),
        "unseen": percentiles_ms(unseen),
        "stages_ms": {name: round(float(np.median(each)), 2) for name, each in stages.items()},
    }


def _second(engine: Engine, runs: int) -> dict[str, Any]:
    """Time a sentence of about a second: the call, and the networks from phonemes on."""
    from autovoice.speak.text import utterances

    speech = engine.speak(SECOND, VOICE)
    seconds = speech.samples.shape[1] / 24_000
    whole = timed(lambda: engine.speak(SECOND, VOICE), runs=runs, longest_s=15.0)
    (utterance,) = utterances(SECOND, language="en-us", lexicon=None, ssml=None)
    speaker, stages = engine.voice(VOICE).speaker, engine.stages
    decoded = [0.0]

    def networks() -> None:
        with engine._turn():
            features = stages.speech.features(utterance, speaker, speed=1.0)
            made = stages.speech_vocoder.synthesise(features, speaker, seed=0)
        decoded[0] = made.seconds

    alone = timed(networks, runs=runs, wait=waiter(engine.device), longest_s=15.0)
    return {
        "sound_s": round(seconds, 3),
        "call": whole.to_json(),
        "call_ms_per_s": round(whole.p50_ms / seconds, 2),
        "decoded_s": decoded[0],
        "networks": alone.to_json(),
        "networks_ms_per_s": round(alone.p50_ms / decoded[0], 2),
    }


def _batch(engine: Engine, count: int, rounds: int) -> dict[str, Any]:
    """Time sentences at once: the networks in passes, then whole calls from as many threads."""
    known = sentences()
    asked = [known[number % len(known)] for number in range(count)]
    speaker, stages = engine.voice(VOICE).speaker, engine.stages
    front: Any = stages.speech
    vocoder: Any = stages.speech_vocoder

    def passes() -> float:
        features = front.features_many([(each, speaker) for each in asked])
        made = vocoder.synthesise_many([(each, speaker, 0) for each in features])
        return float(sum(each.seconds for each in made))

    def fronts() -> None:
        front.features_many([(each, speaker) for each in asked])

    def alone(work: Callable[[], Any]) -> Any:
        """Run in the engine's own thread, where graphs and streams are."""
        return front.guarded(work)

    sound_s = alone(passes)
    wait = waiter(engine.device)
    whole = timed(lambda: alone(passes), runs=rounds, warm_up=2, wait=wait, longest_s=20.0)
    text = timed(lambda: alone(fronts), runs=rounds, warm_up=1, wait=wait, longest_s=10.0)
    return {
        "sentences": count,
        "sound_s": round(sound_s, 2),
        "networks": {
            **whole.to_json(),
            "prosody_p50_ms": round(text.p50_ms, 3),
            "times_real_time": round(1_000 * sound_s / whole.p50_ms, 1),
        },
        "calls": _calls(engine, [each.text for each in asked], rounds),
    }


def _calls(engine: Engine, texts: Sequence[str], rounds: int) -> dict[str, Any]:
    """Time one call of the engine for each text, all at the same moment."""
    spoken = [0.0] * len(texts)

    def one(number: int) -> None:
        spoken[number] = engine.speak(texts[number], VOICE).samples.shape[1] / 24_000

    for _ in range(3):  # the sizes of passes differ from round to round, and with them shapes
        together(one, len(texts))
    before = engine.batch_sizes
    taken: list[float] = []
    walls: list[float] = []
    begin_s = time.perf_counter()
    while len(walls) < rounds and (not walls or time.perf_counter() - begin_s < 20.0):
        found, wall_s = together(one, len(texts))
        taken += found
        walls.append(wall_s)
    wall_s = float(np.median(walls))
    return {
        "rounds": len(walls),
        "sound_s": round(sum(spoken), 2),
        "wall_p50_ms": round(1_000 * wall_s, 2),
        **percentiles_ms(taken),
        "times_real_time": round(sum(spoken) / wall_s, 1),
        "passes": _since(before, engine.batch_sizes),
        "passes_per_round": round(
            sum(_since(before, engine.batch_sizes).values()) / max(1, len(walls)), 1
        ),
    }


class _Remembered:
    """Both networks of speech, which say at once what those of an engine said.

    Args:
        engine: who is asked first.
        texts: one sentence each.
    """

    def __init__(self, engine: Engine, texts: Sequence[str]) -> None:
        from autovoice.speak.text import utterances

        speaker, stages = engine.voice(VOICE).speaker, engine.stages
        self._features: dict[str, Any] = {}
        self._sounds: dict[int, Audio] = {}
        for text in texts:
            (asked,) = utterances(text, language="en-us", lexicon=None, ssml=None)
            with engine._turn():
                features = stages.speech.features(asked, speaker, speed=1.0)
                made = stages.speech_vocoder.synthesise(features, speaker, seed=0)
            self._features[asked.phonemes] = features
            self._sounds[id(features)] = made

    def features(self, utterance: Any, _speaker: Any, *, speed: float) -> Any:
        """Return what was said of these phonemes."""
        assert speed == 1.0
        return self._features[utterance.phonemes]

    def synthesise(self, features: Any, _speaker: Any, _manner: Any = None, *, seed: int) -> Audio:
        """Return what was made of these features."""
        assert seed == 0
        return self._sounds[id(features)]


def _since(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    """Return how many passes of each size were run between two counts."""
    fresh = {size: count - before.get(size, 0) for size, count in sorted(after.items())}
    return {size: count for size, count in fresh.items() if count}


def _host(engine: Engine, count: int, rounds: int) -> dict[str, Any]:
    """Time calls whose networks answer at once with what they said before."""
    from autovoice.engine import Builders

    texts = [SECOND, *FIRST]
    known = _Remembered(engine, texts)
    made = Builders(speech=lambda _device: known, speech_vocoder=lambda _device: known)
    host = Engine("cpu", builders=made)
    host.speak(SECOND, VOICE)
    second = timed(lambda: host.speak(SECOND, VOICE), runs=50, longest_s=5.0)
    first = timed(lambda: host.speak(FIRST[0], VOICE), runs=50, longest_s=5.0)

    def one(number: int) -> None:
        host.speak(texts[number % len(texts)], VOICE)

    walls = [together(one, count)[1] for _ in range(rounds + 1)][1:]
    return {
        "second_call_ms": round(second.p50_ms, 2),
        "first_call_ms": round(first.p50_ms, 2),
        "calls": count,
        "calls_wall_p50_ms": round(1_000 * float(np.median(walls)), 2),
    }


def _sound(engine: Engine, count: int) -> dict[str, Any]:
    """Check what is spoken: finite, heard, and that of the CPU in float32."""
    texts = list(FIRST[:count])
    found = [engine.speak(text, VOICE) for text in texts]
    # The decoder's product in bfloat16 on some processors is no reference for anything.
    plain = Engine("cpu")
    for module in getattr(plain.stages.speech_vocoder, "network", torch.nn.Module()).modules():
        if hasattr(module, "piece_dtype"):
            module.piece_dtype = torch.float32
    expected = [plain.speak(text, VOICE) for text in texts]
    rows = [_compared(one, other) for one, other in zip(found, expected, strict=True)]
    return {"sentences": rows, "held": all(row["held"] for row in rows)}


def _compared(found: Audio, expected: Audio) -> dict[str, Any]:
    one, other = found.samples[0], expected.samples[0]
    apart = abs(len(one) - len(other))
    length = min(len(one), len(other))
    row: dict[str, Any] = {
        "finite": bool(np.isfinite(one).all()),
        "rms": round(_rms(one), 4),
        "length_apart_samples": apart,
    }
    row |= gate(
        torch.from_numpy(one[None, :length]), torch.from_numpy(other[None, :length])
    ).to_json()
    # Where silence is cut off may differ by a frame of 5 ms; more is another duration.
    row["held"] = bool(row["held"] and row["finite"] and row["rms"] > QUIETEST_RMS and apart <= 240)
    return row


def _rms(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


class Memory:
    """What speech takes of a GPU, step by step; nothing on the CPU.

    Args:
        device: where.
    """

    def __init__(self, device: str) -> None:
        self.device, self.steps = device, dict[str, dict[str, int]]()

    def note(self, step: str) -> None:
        """Keep what is taken now, and the most of it since the step before."""
        if not self.device.startswith("cuda"):
            return
        free, total = torch.cuda.mem_get_info(self.device)
        self.steps[step] = {
            "allocated_bytes": torch.cuda.memory_allocated(self.device),
            "reserved_bytes": torch.cuda.memory_reserved(self.device),
            "peak_allocated_bytes": torch.cuda.max_memory_allocated(self.device),
            "peak_reserved_bytes": torch.cuda.max_memory_reserved(self.device),
            "card_used_bytes": total - free,
        }
        torch.cuda.reset_peak_memory_stats(self.device)


def _most(steps: dict[str, dict[str, int]], names: Sequence[str]) -> int:
    """Return the most that was reserved in some steps."""
    return max(steps[name]["peak_reserved_bytes"] for name in names)


def _goals(found: dict[str, Any]) -> dict[str, Any]:
    reached = {
        "first_p50_ms": (found["first"]["p50_ms"], FIRST_MS, False),
        "second_ms": (found["second"]["networks"]["p50_ms"], SECOND_MS, False),
        "second_call_ms": (found["second"]["call"]["p50_ms"], SECOND_MS, False),
        "batch_times_real_time": (found["batch"]["networks"]["times_real_time"], REALTIME, True),
        "calls_times_real_time": (found["batch"]["calls"]["times_real_time"], REALTIME, True),
    }
    steps = found["memory"]
    if steps:
        alone = _most(steps, ("loaded", "first", "one_at_a_time"))
        reached["memory_bytes"] = (alone, MOST_BYTES, False)
        reached["memory_batch_bytes"] = (max(alone, _most(steps, ("batch",))), MOST_BYTES, False)
    return {
        name: {"measured": value, "goal": goal, "reached": value >= goal if more else value <= goal}
        for name, (value, goal, more) in reached.items()
    }


if __name__ == "__main__":
    main(sys.argv[1:])
