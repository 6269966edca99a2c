"""Amounts of memory, as people write them."""

from __future__ import annotations

import re

from autovoice.errors import InputError

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_AMOUNT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*$", re.IGNORECASE)
_SHORTEST = 1 << 20
_LONGEST = 1 << 50


def parse_bytes(amount: str | int) -> int:
    """Read an amount of memory such as ``4G``, ``512MiB`` or ``1.5g`` (powers of 1024).

    Args:
        amount: a number of bytes, or a number with K, M, G or T.

    Raises:
        InputError: the text is no amount, or not between 1 MiB and 1 PiB.

    >>> parse_bytes("4G")
    4294967296
    """
    match = _AMOUNT.match(str(amount))
    if match is None:
        raise InputError(
            f"amount of memory: found {amount!r}, expected a number with K, M, G or T, such as 4G"
        )
    size = int(float(match[1]) * _UNITS[match[2].upper()])
    if not _SHORTEST <= size <= _LONGEST:
        raise InputError(
            f"amount of memory: found {amount!r} ({size} bytes), expected at least 1M; "
            "write the unit, such as 4G"
        )
    return size


def format_bytes(size: int) -> str:
    """Write an amount of memory with one digit after the point.

    >>> format_bytes(4294967296)
    '4.0 GiB'
    """
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
