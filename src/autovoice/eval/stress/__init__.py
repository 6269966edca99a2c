"""The stress set: places at which converters are known to fail, and a figure for each fault.

``makers`` invents sources in closed form (``score``, ``tones``, ``noises``), ``cutters`` finds hard
places in recordings, ``run`` converts and measures them (``figures``, one measure per file),
``results``, ``compare``, ``tables`` and ``page`` tell what came of it.
"""

from autovoice.eval.stress.cutters import cut_places
from autovoice.eval.stress.makers import made, made_scores
from autovoice.eval.stress.place import Place
from autovoice.eval.stress.run import run

__all__ = ["Place", "cut_places", "made", "made_scores", "run"]
