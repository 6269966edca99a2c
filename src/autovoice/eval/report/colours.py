"""A colour map whose lightness rises evenly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.float64]

# From night blue over plum and coral to pale yellow: in order of lightness.
_ANCHORS = ("#07101c", "#23215e", "#6b2a7d", "#b83a6b", "#ee6b4d", "#fbb24e", "#fdf6bf")
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def palette(size: int) -> NDArray[np.uint8]:
    """Return colours from dark to light, ``[size, 3]``, equal steps of lightness apart.

    Args:
        size: how many, 2 to 256.

    Source: B. Ottosson, "A perceptual color space for image processing" (OKLab), 2020.
    """
    anchors = to_lab(np.array([_channels(text) for text in _ANCHORS]))
    wanted = np.linspace(anchors[0, 0], anchors[-1, 0], size)
    lab = np.stack([np.interp(wanted, anchors[:, 0], anchors[:, k]) for k in range(3)], axis=1)
    return np.rint(255.0 * _to_rgb(lab)).astype(np.uint8)


def to_lab(rgb: Colours) -> Colours:
    """Return sRGB colours (0 to 1) as lightness and two opponent axes, ``[N, 3] -> [N, 3]``."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab: Colours = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    return lab


def _to_rgb(lab: Colours) -> Colours:
    linear = (lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_CONES).T
    linear = np.clip(linear, 0.0, 1.0)
    rgb: Colours = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return np.clip(rgb, 0.0, 1.0)


def _channels(text: str) -> list[float]:
    return [int(text[at : at + 2], 16) / 255.0 for at in (1, 3, 5)]
