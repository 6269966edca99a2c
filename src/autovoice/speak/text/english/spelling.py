"""From letters to sounds, for names and new words: a small recurrent network.

Source: g2p_en (Park & Kim, 2019, Apache-2.0): a GRU encoder and a GRU decoder of 256 units trained
on the CMU Pronouncing Dictionary; here in NumPy, with Kokoro's phonemes coming out.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autovoice import weights
from autovoice.errors import WeightsError

Floats = NDArray[np.floating[Any]]
LONGEST_LETTERS = 24
LONGEST_SOUNDS = 24
_LETTERS = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
_CLOSED = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH"
_VOWELS = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "EH": "ɛ", "ER": "ɜɹ",
    "EY": "A", "IH": "ɪ", "IY": "i", "OW": "O", "OY": "Y", "UH": "ʊ", "UW": "u",
}  # fmt: skip
_CONSONANTS = {
    "B": "b", "CH": "ʧ", "D": "d", "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "ʤ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t",
    "TH": "θ", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
_STRESS = {"1": "ˈ", "2": "ˌ", "0": ""}


def _sounds() -> list[str]:
    """Return the network's outputs in their order."""
    names = ["<pad>", "<unk>", "<s>", "</s>"]
    for name in [*_CLOSED.split(), "UW", "V", "W", "Y", "Z", "ZH"]:
        # The network knows UW without a stress besides the three with one.
        names += [name] if name in _CONSONANTS or name == "UW" else []
        names += [name + stress for stress in "012"] if name in _VOWELS else []
    return names


def kokoro(arpabet: list[str]) -> str:
    """Turn ARPAbet with stress digits into Kokoro's phonemes.

    >>> kokoro(["HH", "AH0", "L", "OW1"])
    'həlˈO'
    """
    said = ""
    for name in arpabet:
        base, stress = (name[:-1], name[-1]) if name[-1].isdecimal() else (name, "0")
        if base in _CONSONANTS:
            said += _CONSONANTS[base]
        elif base in _VOWELS:
            weak = {"AH": "ə", "ER": "əɹ"}.get(base) if stress == "0" else None
            said += _STRESS[stress] + (weak or _VOWELS[base])
    return said


class Speller:
    """Guess how a word is said from its letters.

    Args:
        arrays: the network's, by name: ``enc_emb`` ``[29, 256]``, ``dec_emb`` ``[74, 256]``,
            ``{enc,dec}_{w,b}_{ih,hh}`` of the two GRUs, ``fc_w`` ``[74, 256]``, ``fc_b``.
    """

    def __init__(self, arrays: Mapping[str, Floats]) -> None:
        self._arrays = arrays
        self._names = _sounds()
        if arrays["fc_b"].shape != (len(self._names),):
            raise WeightsError(
                f"spelling network: found {arrays['fc_b'].shape[0]} sounds, "
                f"expected {len(self._names)}; run `autovoice models verify g2p-en`"
            )

    def arpabet(self, word: str) -> list[str]:
        """Return sounds with stress digits.

        Args:
            word: letters a to z, at most 24; others count as unknown.
        """
        numbers = [_LETTERS.index(c) if c in _LETTERS else 1 for c in word[:LONGEST_LETTERS]]
        hidden: Floats = np.zeros(self._arrays["enc_w_hh"].shape[1], np.float32)
        for number in [*numbers, _LETTERS.index("</s>")]:
            hidden = self._step("enc", self._arrays["enc_emb"][number], hidden)
        names: list[str] = []
        number = self._names.index("<s>")
        for _ in range(LONGEST_SOUNDS):
            hidden = self._step("dec", self._arrays["dec_emb"][number], hidden)
            number = int(np.argmax(self._arrays["fc_w"] @ hidden + self._arrays["fc_b"]))
            if self._names[number] == "</s>":
                break
            names.append(self._names[number])
        return names

    def __call__(self, word: str) -> str:
        """Return Kokoro's phonemes; never empty for a word that has a letter."""
        folded = unicodedata.normalize("NFD", word.lower())
        letters = "".join(c for c in folded if "a" <= c <= "z")
        pieces = [letters[at : at + 20] for at in range(0, len(letters), 20)]
        said = "".join(kokoro(self.arpabet(piece)) for piece in pieces)
        if said and "ˈ" not in said:
            said = said.replace("ˌ", "ˈ", 1)
        return said

    def _step(self, part: str, x: Floats, hidden: Floats) -> Floats:
        """Run one GRU step, ``[256]`` and ``[256]`` -> ``[256]``; gates in the order r, z, n."""
        a = self._arrays
        r_x, z_x, n_x = np.split(a[f"{part}_w_ih"] @ x + a[f"{part}_b_ih"], 3)
        r_h, z_h, n_h = np.split(a[f"{part}_w_hh"] @ hidden + a[f"{part}_b_hh"], 3)
        reset = 1 / (1 + np.exp(-(r_x + r_h)))
        update = 1 / (1 + np.exp(-(z_x + z_h)))
        new: Floats = (1 - update) * np.tanh(n_x + reset * n_h) + update * hidden
        return new


@functools.cache
def speller() -> Speller:
    """Return the pinned network.

    Raises:
        WeightsError: it cannot be fetched, or is not what it must be.
    """
    with np.load(weights.file("g2p-en", "checkpoint20.npz"), allow_pickle=False) as arrays:
        return Speller({name: arrays[name] for name in arrays.files})
