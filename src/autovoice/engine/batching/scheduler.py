"""What the stages see of the batcher: their networks run on its thread, with those of others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from autovoice.engine.batching.batcher import Batcher
from autovoice.engine.batching.calls import current_call
from autovoice.engine.batching.queue import Job

if TYPE_CHECKING:
    from autovoice.nn.stage import NetworkStage

Item = TypeVar("Item")
Result = TypeVar("Result")


def no_cost(_stage: str, _seconds: float) -> int:
    """Say that a pass costs nothing worth counting."""
    return 0


class DeviceScheduler:
    """Run the networks of stages on one device; see ``nn.stage.Scheduler``.

    Args:
        batcher: owns the device.
        cost_bytes: memory that a pass of a stage over so many seconds needs.
    """

    def __init__(self, batcher: Batcher, cost_bytes: Callable[[str, float], int] = no_cost) -> None:
        self.batcher = batcher
        self._cost_bytes = cost_bytes

    def alone(self, stage: NetworkStage, work: Callable[[], Result]) -> Result:
        """Run ``work`` by itself, when its turn comes."""
        precision = current_call().mixed_precision

        def one(_item: None) -> Result:
            _set_precision(stage, precision)
            return stage.tried(work)

        result: Result = self._result(Job(None, _never_many, one, call=current_call()))
        return result

    def together(
        self,
        stage: NetworkStage,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        item: Item,
        *,
        key: Hashable,
        seconds: float,
        shrink: Callable[[], bool] | None,
    ) -> Result:
        """Run ``work`` over ``item`` and whatever else of its kind waits then."""
        call = current_call()
        precision = call.mixed_precision

        def many(items: list[Any]) -> list[Any]:
            _set_precision(stage, precision)
            return list(stage.once(lambda: work(items)))

        def one(item: Any) -> Any:
            _set_precision(stage, precision)
            return stage.tried(lambda: work([item]), shrink=shrink)[0]

        name = type(stage).__name__
        alike = (id(stage), getattr(work, "__name__", ""), key, precision)
        cost = self._cost_bytes(name, seconds)
        job = Job(item, many, one, alike, call, cost, any_size=stage.fills_up)
        result: Result = self._result(job)
        return result

    def _result(self, job: Job) -> Any:
        if self.batcher.on_its_thread:
            return job.one(job.item)  # within another job: waiting for a turn would never end
        return self.batcher.run(job)


def _set_precision(stage: NetworkStage, precision: bool | None) -> None:
    if precision is not None:
        stage.mixed_precision = precision and stage.device.type != "cpu"


def _never_many(_items: list[Any]) -> list[Any]:
    raise RuntimeError("this job runs alone")
