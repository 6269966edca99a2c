"""Say and sing the same in another voice: analysis and speaker to decoder features."""

from autovoice.convert.converter import Converter
from autovoice.convert.features import DecoderFeatures
from autovoice.convert.fit import semitones_auto
from autovoice.convert.range_fit import range_fit
from autovoice.convert.style import StyleEncoder

__all__ = ["Converter", "DecoderFeatures", "StyleEncoder", "range_fit", "semitones_auto"]
