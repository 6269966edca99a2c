"""Batches: pieces of many conversions share the networks of one device."""

from __future__ import annotations

from autovoice.engine.batching.batcher import Batcher
from autovoice.engine.batching.calls import Call, Priority, calling, current_call
from autovoice.engine.batching.gate import Gate
from autovoice.engine.batching.queue import FairQueue, Job
from autovoice.engine.batching.scheduler import DeviceScheduler

__all__ = [
    "Batcher",
    "Call",
    "DeviceScheduler",
    "FairQueue",
    "Gate",
    "Job",
    "Priority",
    "calling",
    "current_call",
]
