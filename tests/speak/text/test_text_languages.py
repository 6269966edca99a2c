"""Languages other than English: spelling rules, characters, kana, Devanagari, espeak-ng."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from autovoice.errors import InputError
from autovoice.speak.text import utterances
from autovoice.speak.text.alphabet import checked
from autovoice.speak.text.asian import hindi, japanese, mandarin
from autovoice.speak.text.readers import reader_of
from autovoice.speak.text.spelled import numbers

SENTENCES = [
    ("es", "La niña quiere queso y agua caliente.",
     "la nˈiɲa kjˈeɾe kˈeso i ˈaɣwa kaljˈente."),
    ("es", "¿Qué baile? El perro corre rápido.", "kˈe bˈIle? el pˈero kˈore rˈapiðo."),
    ("es", "El Sr. García tiene 21 años.", "el seɲˈoɾ ɡaɾθˈia tjˈene bAntjˈun ˈaɲos."),
    ("es", "ciudad, canción, México, guerra, pingüino, reloj",
     "θjuðˈað, kanθjˈon, mˈexiko, ɡˈera, piŋɡwˈino, relˈox"),
    ("it", "Gli gnocchi sono buonissimi.", "ʎi ɲˈokːi sˈono bwonˈisːimi."),
    ("it", "La citta' e perché, l'acqua, giovane.",
     "la ʧitːˈa e perkˈe, lˈakːwa, ʤˈovane."),
    ("pt-br", "O menino não gosta de leite quente.",
     "ʊ menˈinʊ nˈɐ̃ʊ̃ ɡˈostɐ ʤi lˈAʧɪ kˈẽʧɪ."),
    ("pt-br", "coração, filho, carro, caro, Brasil, história",
     "koɾasˈɐ̃ʊ̃, fˈiʎʊ, kˈaʁʊ, kˈaɾʊ, bɾazˈiw, istˈɔɾjɐ"),
    ("fr", "Les amis sont à l'école.", "lez amˈi sˈɔ̃t a lekˈɔl."),
    ("fr", "Bonjour tout le monde, qu'est-ce que c'est?",
     "bɔ̃ʒˈuʁ tˈu lə mˈɔ̃d, kɛs kə sɛ?"),
    ("fr", "Ils parlent; les oiseaux chantent.", "il pˈaʁl; lez wazˈo ʃˈɑ̃t."),
    ("fr", "la fille, le soleil, heureux, montagne, samedi, hier",
     "la fˈij, lə sɔlˈɛj, œʁˈø, mɔ̃tˈaɲ, samdˈi, jˈɛʁ"),
    ("fr", "Frère Jacques, dans la rue, la roue et la personne.",
     "fʁˈɛʁ ʒˈak, dˈɑ̃ la ʁˈy, la ʁˈu e la pɛʁsˈɔn."),
    ("fr", "Les enfants jouent, les chats crient; ils aiment le vent; très souvent, très lent.",
     "lez ɑ̃fˈɑ̃ ʒˈu, le ʃˈa kʁˈi; ilz ˈɛm lə vˈɑ̃; tʁˈɛ suvˈɑ̃, tʁˈɛ lˈɑ̃."),
    ("fr", "C'est un chat, il y a tout un monde; elles affirment, ils viennent.",
     "sɛt œ̃ ʃˈa, il i ˈa tˈut œ̃ mˈɔ̃d; ɛlz afˈiʁm, il vjˈɛn."),
    ("hi", "नमस्ते, मेरा नाम राम है।", "nəməstˈeː, mˈeːɾaː nˈaːm ɾˈaːm hˈɛː."),
    ("hi", "लड़का, ज़मीन, हिंदी, समझना, कमल",
     "ləɽkˈaː, zəmˈiːn, hɪndˈiː, səməʤʰnˈaː, kˈəməl"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "phonemes"), SENTENCES)
def test_sentences(language: str, text: str, phonemes: str) -> None:
    import unicodedata

    reader = reader_of(language, {})
    wanted = unicodedata.normalize("NFD", phonemes)
    assert checked(reader.phonemes(reader.words(text)) or "", text) == wanted


@pytest.mark.parametrize(
    ("language", "digits", "words"),
    [
        ("es", "21000", "veintiún mil"),
        ("es", "1984", "mil novecientos ochenta y cuatro"),
        (
            "es",
            "2345678",
            "dos millones trescientos cuarenta y cinco mil seiscientos setenta y ocho",
        ),
        ("it", "1998", "mille novecentonovantotto"),
        ("it", "23", "ventitré"),
        ("fr", "71", "soixante et onze"),
        ("fr", "80", "quatre-vingts"),
        ("fr", "1991", "mille neuf cent quatre-vingt-onze"),
        ("pt-br", "2100", "dois mil e cem"),
        ("pt-br", "234", "duzentos e trinta e quatro"),
        ("es", "007", "cero cero siete"),
    ],
)
def test_numbers(language: str, digits: str, words: str) -> None:
    assert numbers.number_words(digits, language) == words


@pytest.mark.parametrize("module", [numbers, mandarin, japanese, hindi], ids=lambda m: m.__name__)
def test_the_examples_in_the_code(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_figures_and_signs_become_words() -> None:
    assert reader_of("es", {}).words("Pagó 1.234,50 € a las 15:30") == (
        "Pagó mil doscientos treinta y cuatro coma cincuenta euros a las quince y treinta"
    )
    assert (
        reader_of("fr", {}).words("25 % à 15h30") == "vingt-cinq pour cent à quinze heures trente"
    )
    assert reader_of("it", {}).words("3,5 km il 1º") == "tre virgola cinque chilometri il primo"
    assert reader_of("pt-br", {}).words("R$ 20 & CPF") == "vinte reais e cê pê éfe"
    assert hindi.HindiReader({}).words("१९८४") == "एक हज़ार नौ सौ चौरासी"


@pytest.mark.parametrize(
    ("pinyin", "phonemes"),
    [
        ("zhong1", "ꭧʊ→ŋ"), ("guo2", "kwo↗"), ("ni3", "ni↓"), ("shi4", "ʂɨ↘"), ("de5", "tɤ"),
        ("yuan2", "ɥɛ↗n"), ("xue2", "ɕɥe↗"), ("liu4", "ljou↘"), ("wei4", "wei↘"), ("nü3", "ny↓"),
        ("er4", "ɚ↘"), ("qu4", "ʨʰy↘"), ("bo1", "pwo→"), ("yong4", "jʊ↘ŋ"), ("nonsense", ""),
    ],
)  # fmt: skip
def test_pinyin(pinyin: str, phonemes: str) -> None:
    assert mandarin.syllable_sound(pinyin) == phonemes


@pytest.mark.parametrize(
    ("digits", "words"),
    [("0", "零"), ("12", "十二"), ("110", "一百一十"), ("1005", "一千零五"), ("100000", "十万"),
     ("10001", "一万零一"), ("123456789", "一亿二千三百四十五万六千七百八十九")],
)  # fmt: skip
def test_chinese_numbers(digits: str, words: str) -> None:
    assert mandarin.cardinal(digits) == words


def test_mandarin_with_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = {"你好": ["ni3", "hao3"], "三": ["san1"]}
    pypinyin = SimpleNamespace(
        Style=SimpleNamespace(TONE3=8), lazy_pinyin=lambda word, **_: readings[word]
    )
    monkeypatch.setitem(sys.modules, "pypinyin", pypinyin)  # type: ignore[arg-type]
    cutter = SimpleNamespace(cut=lambda text: ["你好", "三"] if text == "你好三" else [text])
    monkeypatch.setitem(sys.modules, "rjieba", cutter)  # type: ignore[arg-type]
    (only,) = utterances("你好3！", language="zh")
    assert only.phonemes == "ni↓xau↓ sa→n!"


@pytest.mark.parametrize("language", ["zh", "ja"])
def test_missing_extras_are_named(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pypinyin", "rjieba", "pyopenjtalk"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(japanese, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'autovoice\[(chinese|japanese)\]'"):
        list(utterances("日本 3", language=language))


@pytest.mark.parametrize(
    ("kana", "phonemes"),
    [("こんにちは", "koɲɲiʨiha"), ("がっこう", "ɡaʔkoɯ"), ("シャツ", "ɕaʦɨ"), ("ファン", "ɸaɴ"),
     ("りんご。", "ɾʲiŋɡo."), ("ちゅう", "ʨɨɯ")],
)  # fmt: skip
def test_kana(kana: str, phonemes: str) -> None:
    assert japanese.sound_of_kana(kana) == phonemes


def test_japanese_with_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [
        {"string": "学校", "pron": "ガッコー", "chain_flag": -1},
        {"string": "は", "pron": "ワ", "chain_flag": 1},
        {"string": "近い", "pron": "チカイ", "chain_flag": 0},
        {"string": "。", "pron": "、", "chain_flag": 0},
    ]
    talk = SimpleNamespace(run_frontend=lambda _: words)
    monkeypatch.setitem(sys.modules, "pyopenjtalk", talk)  # type: ignore[arg-type]
    monkeypatch.setattr(japanese, "find_spec", lambda _: True)
    (only,) = utterances("学校は近い。", language="ja")
    assert only.phonemes == "ɡaʔkoːβa ʨikai."


def test_markup_works_in_every_language() -> None:
    for language in ("es", "fr", "it", "pt-br", "hi"):
        (only,) = utterances(
            '<speak><phoneme alphabet="kokoro" ph="kˈasa">x</phoneme> '
            '<say-as interpret-as="digits">12</say-as></speak>',
            language=language,
        )
        assert only.phonemes.startswith("kˈasa ")
        with pytest.raises(InputError, match="interpret-as='date'"):
            list(
                utterances(
                    '<speak><say-as interpret-as="date">1</say-as></speak>', language=language
                )
            )


def test_codes_are_read_generously() -> None:
    assert reader_of("PT_br", {}).phonemes("rua") == reader_of("pt", {}).phonemes("rua")


def test_espeak_is_optional(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="needs the program espeak-ng, which was not found"):
        utterances("Hallo", language="espeak:de")


def test_espeak_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text(
        f"#!{sys.executable}\nimport sys\ntext = sys.stdin.read()\n"
        "if 'xx' in sys.argv:\n    sys.exit('no such voice')\n"
        "sys.stdout.buffer.write({'Hallo': 'haˈloː', ' Welt': 'ˈvɛlt'}.get(text, 'a').encode())\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (only,) = utterances("Hallo, Welt.", language="espeak:de")
    assert only.phonemes == "halˈoː, vˈɛlt."
    with pytest.raises(InputError, match="cannot read 'xx': no such voice"):
        utterances("Hallo", language="espeak:xx")
    with pytest.raises(InputError, match=r"found '../x' after espeak:"):
        utterances("Hallo", language="espeak:../x")
