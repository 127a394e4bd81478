"""Subtitles: every rule of readability, for any text and timing."""

import html
import io
import re

import numpy as np
import pytest
import regex
import srt as subrip
import webvtt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from simul.captions import VTT_HEADER, Cue, CueMaker, CueRules, srt, timestamp, vtt
from simul.session.events import End, Retract, SegmentEnd, Settled, from_json
from tests.vectors import beside

SECOND = 16_000


def segment(number, start, end, words, spans=None, source=None, space=" "):
    """A segment whose words settle one by one; spans are (start, end) seconds of each word."""
    events = []
    for i, word in enumerate(words):
        token = (space if i else "") + word
        span = None if spans is None else ((round(spans[i][0] * SECOND), round(spans[i][1] * SECOND)),)
        events.append(Settled(number, token, (token,), round(end * SECOND), end, spans=span))
    text = space.join(words)
    where = (number, round(start * SECOND), round(end * SECOND), text, "pause", round(end * SECOND), end)
    return [*events, SegmentEnd(*where, source=source)]


def cues_of(events, language="de", source_language=None):
    maker = CueMaker(language, source_language)
    return [cue for event in events for cue in maker.push(event)] + maker.finish()


def test_a_cue_stands_where_its_words_were_spoken():
    spans = [(1.0, 1.4), (1.4, 2.0), (2.2, 2.9)]
    (cue,) = cues_of(segment(0, 0.5, 4.0, ["Guten", "Morgen", "alle."], spans))
    assert cue == Cue(1.0, 2.9, ("Guten Morgen alle.",))


def test_words_without_times_are_spread_over_the_segment_by_length():
    cues = cues_of(segment(0, 10.0, 24.0, ["wort"] * 28))
    assert len(cues) == 2
    assert cues[0].start == 10.0
    assert cues[1].start == pytest.approx(17.0, abs=0.6)


def test_breaks_fall_at_sentences_and_clauses():
    text = (
        "Wir fahren morgen sehr früh mit dem Zug los. Danach, so sagt sie, sehen wir weiter und gehen heim."
    )
    cues = cues_of(segment(0, 0, 9, text.split()))
    assert [cue.lines for cue in cues] == [
        ("Wir fahren morgen sehr", "früh mit dem Zug los."),
        ("Danach, so sagt sie,", "sehen wir weiter und gehen heim."),
    ]


def test_a_short_cue_stays_a_second_where_nothing_follows():
    events = segment(0, 0, 1, ["Ja."], [(0.1, 0.3)]) + segment(1, 3, 9, ["Gut."], [(3.0, 3.2)])
    first, second = cues_of([*events, over(9)])
    assert (first.start, first.end) == (0.1, pytest.approx(1.1))
    assert (second.start, second.end) == (3.0, 4.0)


def test_a_word_or_two_are_joined_with_what_is_said_around_them():
    spans = [(0.1, 0.3), (0.9, 1.2), (1.3, 1.5), (1.6, 2.0)]
    events = segment(0, 0, 0.5, ["Ja."], spans[:1]) + segment(1, 0.5, 2, ["Gut", "so,", "ja."], spans[1:])
    assert [cue.lines for cue in cues_of(events)] == [("Ja. Gut so, ja.",)]
    parted = segment(0, 0, 0.5, ["Ja."], spans[:1]) + segment(1, 4, 9, ["Gut", "so,", "ja."])
    assert [cue.lines for cue in cues_of(parted)] == [("Ja.",), ("Gut so, ja.",)]


def test_what_is_taken_back_is_not_shown():
    events = segment(0, 0, 2, ["Eins", "zwei", "drei"])
    events.insert(3, Retract(0, len(" zwei drei"), 2, 16_000, 1.0))
    events.insert(4, Settled(0, " vier", (" vier",), 16_000, 1.0))
    assert [cue.lines for cue in cues_of(events)] == [("Eins vier",)]


def test_japanese_breaks_between_characters_but_not_before_punctuation():
    text = "今日はとても良い天気なので、公園まで歩いて行きました。それから友達に会いました。"
    events = [
        Settled(0, text, (text,), SECOND, 1.0),
        SegmentEnd(0, 0, 10 * SECOND, text, "pause", SECOND, 1.0),
    ]
    cues = cues_of(events, "ja")
    assert "".join(line for cue in cues for line in cue.lines) == text
    assert all(len(line) <= 16 for cue in cues for line in cue.lines)
    assert not any(line[0] in "、。" for cue in cues for line in cue.lines)


def test_bilingual_cues_share_the_source_out():
    target = ("wort " * 40).split()
    source = " ".join(f"w{i}" for i in range(50))
    cues = cues_of(segment(0, 0, 20, target, source=source), source_language="en")
    assert " ".join(line for cue in cues for line in cue.source) == source
    assert all(len(cue.source) <= 2 and max(map(len, cue.source)) <= 42 for cue in cues)


WORD = st.text("abcdefghijklmnopäöü.,!?", min_size=1, max_size=14)


@st.composite
def streams(draw):
    """Segments one after the other with words and, for some, times."""
    events, texts, begin = [], [], 0.0
    for number in range(draw(st.integers(1, 4))):
        words = draw(st.lists(WORD, min_size=1, max_size=30))
        length = draw(st.floats(0.2, 25))
        spans = None
        if draw(st.booleans()):
            starts = np.sort(draw(st.lists(st.floats(0, length), min_size=len(words), max_size=len(words))))
            spans = [(begin + s, begin + min(length, s + 0.4)) for s in starts]
        source = " ".join(draw(st.lists(WORD, max_size=40))) or None
        events += segment(number, begin, begin + length, words, spans, source)
        texts += words
        begin += length + draw(st.floats(0, 3))
    return events, texts


@given(streams(), st.booleans())
def test_every_rule_holds_for_any_text(stream, bilingual):
    events, words = stream
    end = max(event.end for event in events if isinstance(event, SegmentEnd)) / SECOND
    cues = cues_of([*events, over(end)], "de", "en" if bilingual else None)
    rules = CueRules()
    assert " ".join(line for cue in cues for line in cue.lines).split() == words
    last = 0.0
    for cue in cues:
        assert cue.start >= last - 1e-9, "two cues at once"
        assert 0.0399 <= cue.end - cue.start <= rules.longest + 1e-9
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < len(line) <= rules.width for line in cue.lines)
        last = cue.end


@st.composite
def speech(draw):
    """Words as people say them, up to 30 characters a second: (word, start, end) and the last word of each segment."""
    spoken, borders, at = [], set(), draw(st.floats(0, 5))
    for number in range(draw(st.integers(1, 120))):
        word = f"{draw(WORD)}{number}"
        length = len(word) / draw(st.floats(8, 30))
        spoken.append((word, at, at + length))
        at += length
        if draw(st.integers(0, 9)) == 0:
            borders.add(number)
            at += draw(st.sampled_from([0.0, 0.2, 0.6, 1.5, 5.0]))
    return spoken, sorted({*borders, len(spoken) - 1})


def events_of(spoken, borders, source=False):
    events, begin = [], 0
    for number, border in enumerate(borders):
        part = spoken[begin : border + 1]
        text = " ".join(word.upper() for word, _, _ in part) if source else None
        where = (number, part[0][1], part[-1][2])
        events += segment(*where, [word for word, _, _ in part], [span for _, *span in part], text)
        begin = border + 1
    return [*events, over(spoken[-1][2])]


@settings(max_examples=40)
@given(speech(), st.booleans())
def test_cues_keep_to_the_speech_however_fast_it_is(said, bilingual):
    spoken, borders = said
    cues = cues_of(events_of(spoken, borders, bilingual), "de", "en" if bilingual else None)
    shown = [" ".join(cue.lines).split() for cue in cues]
    assert [word for words in shown for word in words] == [word for word, _, _ in spoken]
    if bilingual:
        source = [word for cue in cues for word in " ".join(cue.source).split()]
        assert source == [word.upper() for word, _, _ in spoken]
        assert all(len(cue.source) <= 2 for cue in cues)
    times = {word: (start, end) for word, start, end in spoken}
    for before, cue in zip([None, *cues], cues, strict=False):
        first = times[" ".join(cue.lines).split()[0]][0]
        assert first - 0.002 <= cue.start <= first + 2.0
        assert before is None or before.end <= cue.start + 1e-9
        assert cue.end <= max(spoken[-1][2], cue.start + 0.05) + 0.001


def evenly(*lengths, pauses=()):
    """Words one after the other, with pauses (seconds) before some of them, by number."""
    spoken, at = [], 0.0
    for number, length in enumerate(lengths):
        at += dict(pauses).get(number, 0.0)
        spoken.append((f"w{number}", at, at + length))
        at += length
    return spoken


LAST_TWO = (
    evenly(*[0.25] * 10, *[0.375] * 7, 0.625, 0.625, 0.75, 0.375, 0.375, pauses=[(21, 1.5)]),
    [0, 18, 20, 21],
)
"""The neighbour of two words has to be broken, since all do not go together."""


@settings(max_examples=40)
@example(LAST_TWO)
@given(speech())
def test_no_cue_of_a_word_or_two_while_speech_goes_on(said):
    spoken, borders = said
    shown = [" ".join(cue.lines).split() for cue in cues_of(events_of(spoken, borders))]
    times = {word: (start, end) for word, start, end in spoken}
    for number, words in enumerate(shown):
        if len(words) > 2:
            continue
        quiet = [
            times[shown[after][0]][0] - times[shown[after - 1][-1]][1]
            for after in (number, number + 1)
            if 0 < after < len(shown)
        ]
        # Either pauses part it from both sides, or its neighbour holds few words too and both do not go together.
        around = [shown[n] for n in (number - 1, number + 1) if 0 <= n < len(shown)]
        assert (
            all(gap >= 0.99 for gap in quiet) or min(len(" ".join([*words, *other])) for other in around) > 60
        )


def over(seconds):
    """The end of a recording."""
    return End(round(seconds * SECOND), 0, 1, 1, 1, 0, seconds)


@pytest.mark.parametrize("rate", [15, 23, 35, 45])
def test_minutes_of_fast_speech_does_not_fall_behind(rate):
    spoken, at = [], 0.0
    for number in range(1000):
        word = f"wort{number}"
        spoken.append((word, at, at + len(word) / rate))
        at = spoken[-1][2]
    cues = cues_of(events_of(spoken, [*range(13, 1000, 14), 999]))
    times = {word: start for word, start, _ in spoken}
    assert max(cue.start - times[cue.lines[0].split()[0]] for cue in cues) <= 1.6
    assert max(cue.end for cue in cues) <= at + 0.001


def test_a_word_longer_than_a_line_is_cut():
    (cue,) = cues_of(segment(0, 0, 5, ["x" * 60]))
    assert cue.lines == ("x" * 42, "x" * 18)


def test_formats():
    cue = Cue(3725.5, 3727.0, ("a < b & c", "zwei"), ("quelle",))
    assert srt(cue, 7) == "7\n01:02:05,500 --> 01:02:07,000\na < b & c\nzwei\n<i>quelle</i>\n\n"
    assert vtt(cue) == "01:02:05.500 --> 01:02:07.000\na &lt; b &amp; c\nzwei\n<i>quelle</i>\n\n"


@given(st.floats(0, 359_999))
def test_timestamps_are_milliseconds(seconds):
    match = re.fullmatch(r"(\d{2,}):([0-5]\d):([0-5]\d),(\d{3})", timestamp(seconds, True))
    hours, minutes, whole, ms = map(int, match.groups())
    assert abs((hours * 60 + minutes) * 60 + whole + ms / 1000 - seconds) <= 0.0005001


def parsed_srt(cues):
    """What a parser of SubRip reads from the cues."""
    text = "".join(srt(cue, number) for number, cue in enumerate(cues, 1))
    found = list(subrip.parse(text))
    assert [cue.index for cue in found] == list(range(1, len(cues) + 1))
    return [(cue.start.total_seconds(), cue.end.total_seconds(), cue.content) for cue in found]


def parsed_vtt(cues):
    """What a parser of WebVTT reads from the cues."""
    found = webvtt.from_buffer(io.StringIO(VTT_HEADER + "".join(map(vtt, cues))))
    return [(seconds_of(cue.start), seconds_of(cue.end), cue.raw_text) for cue in found]


def seconds_of(clock):
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@settings(max_examples=30)
@given(streams(), st.booleans())
def test_parsers_read_what_was_written(stream, bilingual):
    events, _ = stream
    end = max(event.end for event in events if isinstance(event, SegmentEnd)) / SECOND
    cues = cues_of([*events, over(end)], "de", "en" if bilingual else None)
    for found in (parsed_srt(cues), parsed_vtt(cues)):
        assert len(found) == len(cues)
        last = 0.0
        for (start, stop, text), cue in zip(found, cues, strict=True):
            assert last <= start < stop
            assert abs(start - cue.start) <= 0.00051
            assert abs(stop - cue.end) <= 0.00051
            lines = [html.unescape(line) for line in text.splitlines()]
            assert lines == [*cue.lines, *(f"<i>{line}</i>" for line in cue.source)]
            last = stop


@pytest.mark.parametrize(
    "text", ["<i>kein Auszeichnungsbefehl</i> & -->", "1", "00:00:01,000 --> 00:00:02,000", "WEBVTT"]
)
def test_text_that_looks_like_markup_or_times_stays_text(text):
    cues = [Cue(1.0, 2.0, (text,)), Cue(2.0, 3.0, ("weiter",))]
    assert [html.unescape(content) for _, _, content in parsed_vtt(cues)] == [text, "weiter"]
    assert "-->" not in vtt(cues[0]).split("\n", 1)[1]


@pytest.mark.parametrize("between", ["\n\n", "\r", "\r\n", "\x85", "\u2028", "\0", "\x1b", "\x1c", "\x0b"])
def test_line_ends_and_control_characters_within_a_text_are_spaces(between):
    (cue,) = cues_of(segment(1, 0.0, 2.0, [f"eins{between}zwei", "drei"]))
    assert cue.lines == ("eins zwei drei",)


THAI = (
    "เมื่อวานนี้คุณครูพานักเรียนทุกคนไปเที่ยวที่สวนสัตว์ใกล้แม่น้ำแล้วก็กินข้าวกลางวันด้วยกันใต้ต้นไม้ใหญ่"
    "ก่อนที่ฝนจะตกลงมาอย่างหนักและทุกคนต้องวิ่งกลับไปที่รถบัสสีเหลืองอย่างรวดเร็ว"
)
SPACELESS_TEXTS = {
    "th": THAI,
    "lo": "ມື້ວານນີ້ຄູສອນພານັກຮຽນທຸກຄົນໄປທ່ຽວສວນສັດໃກ້ແມ່ນ້ຳແລ້ວກໍກິນເຂົ້າທ່ຽງນຳກັນໃຕ້ຕົ້ນໄມ້ໃຫຍ່ກ່ອນທີ່ຝົນຈະຕົກລົງມາຢ່າງໜັກ",
    "km": "ម្សិលមិញគ្រូបានយកសិស្សទាំងអស់ទៅលេងសួនសត្វនៅជិតទន្លេហើយបានញ៉ាំអាហារថ្ងៃត្រង់ជាមួយគ្នានៅក្រោមដើមឈើធំមុនពេលភ្លៀងធ្លាក់យ៉ាងខ្លាំង",
    "my": "မနေ့ကဆရာမကကျောင်းသားအားလုံးကိုမြစ်နားကတိရစ္ဆာန်ရုံကိုခေါ်သွားပြီးသစ်ပင်ကြီးအောက်မှာနေ့လယ်စာအတူစားခဲ့ကြတယ်",
    "ja": "昨日、先生は生徒たちを川の近くの動物園へ連れて行き、"
    "大きな木の下でいっしょに昼ごはんを食べました。それから雨が降りました。",
    "zh": "昨天老师带着所有的学生去了河边的动物园，大家在大树下一起吃了午饭，"
    "然后下起了大雨，每个人都跑回了黄色的公共汽车。",
}


@pytest.mark.parametrize("language", SPACELESS_TEXTS)
@pytest.mark.parametrize("tokens", [1, 7, 10_000])
def test_languages_without_spaces(language, tokens):
    text = SPACELESS_TEXTS[language]
    length = max(1, len(text) // tokens)
    cut = tuple(text[i : i + length] for i in range(0, len(text), length))
    spans = tuple((18 * SECOND * i // len(cut), 18 * SECOND * (i + 1) // len(cut)) for i in range(len(cut)))
    events = [
        Settled(0, text, cut, 18 * SECOND, 18.0, spans=spans),
        SegmentEnd(0, 0, 18 * SECOND, text, "pause", 18 * SECOND, 18.0),
        over(18),
    ]
    cues = cues_of(events, language)
    assert len(cues) >= 3
    assert "".join(line for cue in cues for line in cue.lines) == text
    borders = {found.end() for found in regex.finditer(r"\X", text)}
    place = 0
    for line in [line for cue in cues for line in cue.lines]:
        place += len(line)
        assert place in borders
        assert not regex.match(r"[\p{M}\p{Pe}\p{Pf}、。，ๆฯー]", line)
        assert line[-1] not in "เแโใไເແໂໃໄ\u17d2\u1039「（"
        assert cell_len(line) <= CueRules.of(language).width
    assert all(len(cue.lines) <= 2 and cue.end - cue.start <= 7.001 for cue in cues)
    assert cues[-1].start > 9
    assert cues[-1].end <= 18.001


NARROW = "\u202f"


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Il y avait bien plus de monde que prévu, 10\u00a0000 personnes", "10\u00a0000"),
        (f"Le train part du quai numéro douze à 18{NARROW}h{NARROW}30", f"18{NARROW}h{NARROW}30"),
        (f"Et vous, pensez-vous vraiment que cela ira{NARROW}? Moi non", f"ira{NARROW}?"),
        ("Il y avait bien plus de monde que prévu, 10 000 personnes", "10 000"),
        ("Et vous, qu'est-ce que vous en pensez vraiment ? Moi non", "vraiment ?"),
        ("Elle répond alors d'une voix presque douce : « Bonjour à tous »", "« Bonjour"),
        ("Die Sitzung fand statt am Montag um 9\u2060:\u2060" + "30 Uhr früh", "9\u2060:\u2060" + "30"),
    ],
)
@pytest.mark.parametrize("padding", range(0, 24))
def test_what_belongs_together_is_not_broken(text, pair, padding):
    words = ("x" * padding + " " + text + " et cetera et cetera et cetera").strip()
    cues = cues_of([*segment(0, 0, 9, [words]), over(9)], "fr")
    assert any(pair in line for cue in cues for line in cue.lines)


def test_a_family_is_one_character():
    family = "👨\u200d👩\u200d👧\u200d👦"
    cues = cues_of([*segment(0, 0, 9, [family * 60]), over(9)], "en")
    assert all(len(line) % len(family) == 0 for cue in cues for line in cue.lines)


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("صباح الخير.", True),
        ("NATO تعلن عن قمة جديدة!", True),
        ("שלום, 12 ימים (בערך).", True),
        ("Guten Morgen.", False),
        ("12 : 30", False),
        ("Das Wort سلام bedeutet Frieden.", False),
    ],
)
def test_lines_from_right_to_left_are_marked(line, marked):
    cue = Cue(0.0, 1.0, (line,), (line,))
    wanted = f"\u200f{line}\u200f" if marked else line
    assert srt(cue, 1).splitlines()[2:4] == [wanted, f"<i>{wanted}</i>"]
    assert vtt(cue).splitlines()[1:3] == [wanted, f"<i>{wanted}</i>"]


def field_cues(name, language):
    with open(beside("cases", name), encoding="utf-8") as file:
        events = [from_json(line) for line in file]
    ends = [event.end / SECOND for event in events if isinstance(event, SegmentEnd)]
    return cues_of(events, language), events, max(ends)


def test_eight_minutes_of_fast_german_from_the_field():
    cues, events, end = field_cues("fast-speech-8min.jsonl", "de")
    words, starts = [], []
    for event in events:
        if isinstance(event, Settled):
            words += event.text.split()
            starts += [span[0] / SECOND for span in event.spans]
    assert [word for cue in cues for line in cue.lines for word in line.split()] == words
    place = 0
    for cue in cues:
        assert starts[place] - 0.01 <= cue.start <= starts[place] + 2.0
        place += len(" ".join(cue.lines).split())
    assert cues[-1].end <= end + 0.001


def test_thai_from_the_field():
    cues, _, _ = field_cues("thai.jsonl", "th")
    assert len(cues) >= 3
    assert all(len(cue.lines) <= 2 for cue in cues)
    assert not any(regex.match(r"\p{M}", line) for cue in cues for line in cue.lines)
