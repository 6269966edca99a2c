"""Tell a lack of memory from other errors: PyTorch has a class of its own for one case of four."""

from __future__ import annotations

import torch

# A failed allocation on the CPU is known by these words only.
_CPU = "DefaultCPUAllocator"
# Nor does the stable ABI pass on why a kernel of our own got no memory for its result; nothing else
# can fail in that call.
_KERNEL = "aten::new_empty"


def is_out_of_memory(error: BaseException) -> bool:
    """Tell a lack of memory, on any device, from other errors."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(error) for words in (_CPU, _KERNEL))


def reason(error: BaseException) -> str:
    """Return in a line what a lack of memory says of itself."""
    if _KERNEL in str(error):
        return "a kernel found no memory for its result"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
