"""Written English becomes what a reader says."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from autovoice.speak.text.english import amounts as amounts_module
from autovoice.speak.text.english import clock, normalise, numbers, rules, say_as, spelling, web


def said(text: str) -> str:
    return normalise.normalise(text).replace(rules.LETTER, "")


@pytest.mark.parametrize(
    "module", [amounts_module, clock, normalise, numbers, spelling, web], ids=lambda m: m.__name__
)
def test_the_examples_in_the_code(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


PROSE = [
    # Public domain: Dickens, Melville, Austen, Doyle, Carroll, Lincoln, Thoreau.
    (
        "It was the best of times, it was the worst of times.",
        "It was the best of times, it was the worst of times.",
    ),
    (
        "Some years ago--never mind how long precisely--I thought I would sail.",
        "Some years ago—never mind how long precisely—I thought I would sail.",
    ),
    (
        "“My dear Mr. Bennet,” said his lady to him one day.",
        '"My dear Mister Bennet," said his lady to him one day.',
    ),
    (
        "Mr. Sherlock Holmes, who was usually very late in the mornings, was seated.",
        "Mister Sherlock Holmes, who was usually very late in the mornings, was seated.",
    ),
    (
        "I had called upon my friend at 221B Baker St. on the 2nd of June, 1889.",
        "I had called upon my friend at two hundred twenty-one B Baker Street on the second of "
        "June, eighteen eighty-nine.",
    ),
    (
        "“—so long as I get somewhere,” Alice added...",
        '"—so long as I get somewhere," Alice added…',
    ),
    (
        "In 1776, 56 men signed it; by 1865 over 620,000 had died.",
        "In seventeen seventy-six, fifty-six men signed it; by eighteen sixty-five over six "
        "hundred twenty thousand had died.",
    ),
    (
        "CHAPTER XIV. Henry VIII and Louis XIV met Pope John Paul II.",
        "CHAPTER fourteen. Henry the eighth and Louis the fourteenth met Pope John Paul the "
        "second.",
    ),
    (
        "His house cost $28.12, and the beans 3¾ cents.",
        "His house cost twenty-eight dollars and twelve cents, and the beans three and "
        "three quarters cents.",
    ),
]
MODERN = [
    ("Dr. Lee paid $5.99 at 3:45 p.m.",
     "Doctor Lee paid five dollars and ninety-nine cents at three forty-five PM."),
    ("The U.S. Army bought it for $2.3 billion.",
     "The US Army bought it for two point three billion dollars."),
    ("It costs €20, £1.05 or ¥3000.",
     "It costs twenty euros, one pound and five pence or three thousand yen."),
    ("A €1 coin and a $0.50 stamp; 20¢; 5 USD; $5M.",
     "A one euro coin and a fifty cents stamp; twenty cents; five dollars; five million dollars."),
    ("On March 14, 2024 and 2024-03-05 and 12/25/2023.",
     "On March fourteenth, twenty twenty-four and March fifth, twenty twenty-four and December "
     "twenty-fifth, twenty twenty-three."),
    ("On 14 March 1999 and the 4th of July.",
     "On the fourteenth of March, nineteen ninety-nine and the fourth of July."),
    ("We met at 10:00, 7:05, 15:30 and 9 a.m.",
     "We met at ten o'clock, seven oh five, fifteen thirty and nine AM."),
    ("Open 9am–5:30pm, Mon-Fri.", "Open nine AM to five thirty PM, Monday to Friday."),
    ("Call (555) 010-4477 or +44 20 7946 0958.",
     "Call five five five, oh one oh, four four seven seven or plus four four, two oh, seven nine "
     "four six, oh nine five eight."),
    ("See https://www.example.com/docs or mail john.smith@example.org.",
     "See example dot com slash docs or mail john dot smith at example dot org."),
    ("@JaneDoe likes #OpenSource", "at Jane Doe likes hashtag Open Source"),
    ("It rose 3.5% in the 1980s and '90s.",
     "It rose three point five percent in the nineteen eighties and nineties."),
    ("Between 2019-2021, 5–10% and 3-4 miles.",
     "Between twenty nineteen to twenty twenty-one, five to ten percent and three to four miles."),
    ("Mix 2 1/2 cups, ½ tsp and 3/4 of it at 180°C.",
     "Mix two and a half cups, one half teaspoon and three quarters of it at one hundred eighty "
     "degrees Celsius."),
    ("5 km in 25 min at 12 km/h with 1 kg and 100 m².",
     "five kilometers in twenty-five minutes at twelve kilometers per hour with one kilogram and "
     "one hundred square meters."),
    ("He is 5'10\" and walked 5-mile loops.",
     "He is five feet ten inches and walked five mile loops."),
    ("The 1st, 22nd and 101st; No. 5; #1; 007.",
     "The first, twenty-second and one hundred first; number five; number one; oh oh seven."),
    ("J. R. R. Tolkien, Ph.D., and the F.B.I. agent", "JRR Tolkien, PHD, and the FBI agent"),
    ("World War II, Chapter IV, the XIX century",
     "World War two, Chapter four, the nineteenth century"),
    ("Elizabeth I think is late. Elizabeth I of England.",
     "Elizabeth I think is late. Elizabeth the first of England."),
    ("St. Paul's on Elm St. near Oak Dr. today",
     "Saint Paul's on Elm Street near Oak Drive today"),
    ("Cats vs. dogs, e.g. Rex, etc.", "Cats versus dogs, for example Rex, et cetera."),
    ("Q&A, R&D and AT&T", "Q and A, R and D and AT and T"),
    ("x = 5 & y ≤ 3 ± 1", "x equals five and y at most three plus or minus one"),
    ("I love it 😂😂 ❤️!", "I love it, tears of joy, red heart!"),
    ("👍🏽 from 🇯🇵", "thumbs up, from flag of JP"),
    ("Version 3.11.2 of mp3 and COVID-19",
     "Version three point eleven point two of MP three and COVID nineteen"),
    ("It was -5° outside.", "It was minus five degrees outside."),
    ("44 B.C. and A.D. 79", "forty-four BC and AD seventy-nine"),
    ("What?! No!! Wait....", "What? No! Wait…"),
    ("The *very* **best** [1] of it", "The very best of it"),
    ("pp. 3-7 of vol. 2", "pages three to seven of volume two"),
    ("1,234,567 and 3.14159", "one million two hundred thirty-four thousand five hundred "
     "sixty-seven and three point one four one five nine"),
    ("the ratio 3:1", "the ratio three to one"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), PROSE + MODERN)
def test_normalise(text: str, words: str) -> None:
    assert said(text) == words


def test_no_figure_is_left() -> None:
    left = [text for text, _ in PROSE + MODERN if any(c.isdigit() for c in said(text))]
    assert left == []


@pytest.mark.parametrize(
    ("kind", "text", "layout", "words"),
    [
        ("characters", "AB1-x", "", "A, B, one, dash, X"),
        ("cardinal", "1984", "", "one thousand nine hundred eighty-four"),
        ("ordinal", "21", "", "twenty-first"),
        ("digits", "1984", "", "one nine eight four"),
        ("fraction", "3/4", "", "three quarters"),
        ("date", "4.3.2021", "dmy", "March fourth, twenty twenty-one"),
        ("date", "2021-03-04", "", "March fourth, twenty twenty-one"),
        ("time", "7:05", "", "seven oh five"),
        ("telephone", "5550147", "", "five five five oh one four seven"),
        ("currency", "$1.01", "", "one dollar and one cent"),
    ],
)
def test_say_as(kind: str, text: str, layout: str, words: str) -> None:
    assert say_as.say_as(kind, text, layout).replace(rules.LETTER, "") == words
