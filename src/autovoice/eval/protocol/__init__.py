"""The evaluation protocol: convert and judge many pairs, sum up, compare with an earlier run.

A run reads an evaluation folder (``items``), chooses pairs (``pairs``, ``quick``), converts and
judges them one by one and keeps each row (``run``, ``rows``), and sums them up (``results``,
``compare``, ``page``).
"""

from autovoice.eval.protocol.items import Item, read_items
from autovoice.eval.protocol.pairs import Pair, all_pairs, only_named
from autovoice.eval.protocol.quick import quick_pairs
from autovoice.eval.protocol.run import Run, Standing

__all__ = [
    "Item",
    "Pair",
    "Run",
    "Standing",
    "all_pairs",
    "only_named",
    "quick_pairs",
    "read_items",
]
