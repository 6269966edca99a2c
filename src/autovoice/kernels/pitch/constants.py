"""What the rules of pitch are made of; the plain way, the reference and the kernel share it."""

from __future__ import annotations

SAMPLE_RATE_HZ = 16_000
# Every tracker ends on this grid: 8 ms, frame k centred on sample 128 k.
FINE_HOP_SAMPLES = 128
# What unvoiced frames are taken for where all are worked on.
ANY_HZ = 200.0

# A leap of an octave that holds for longer than this is the singer's own.
MAX_EXCURSION_S = 0.12
SHIFTS_OCTAVES = (0.0, 1.0, -1.0)
# Steps smaller than this are free: singers glide by a fifth, trackers fail by an octave.
FREE_STEP_OCTAVES = 0.6
# Frames over which the partials must agree before they are believed.
VOTE_FRAMES = 5

HARMONICS = 6
# Four periods hold two partials apart; the floor keeps high notes from resting on a few samples.
PERIODS = 4.0
SHORTEST_S = 0.016
LONGEST_S = 0.064
# A result further off than this is not the same pitch: the estimate is kept.
MAX_CHANGE = 0.03
# Amplitudes of partials between the harmonics, against the harmonics, that mean "an octave
# lower"; and of the odd harmonics, against the even ones, that mean "an octave higher".
HALF_PRESENT = 0.6
ODD_ABSENT = 0.03
