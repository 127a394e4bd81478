"""Logs, references and segmentations as people have them: line ends, paths, spaces, numbers, units, other languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latency_metrics.formats import read_recordings, read_segmentation, read_simulstream
from latency_metrics.formats.segmentation import seconds_of
from latency_metrics.scoring.recordings import RecordingHypothesis, ReferenceSegment, match_recordings
from simul.cli.lists import Columns, read_segments, read_table, read_two_files
from simul.errors import ExitCode
from simul.evaluation.items import Item
from tests.simul.scripted_cli import command, talk

CASES = Path(__file__).parent / "cases"


def longform(log, segments="seg.json", references="ref.txt", *more, level="word"):
    """(exit code, scores by name, standard error) of `simul score longform`; files are those of the cases."""
    code, out, err = command(
        "score", "longform", f"--{level}_level", "--format", "json", "--hypothesis_file", CASES / log,
        "--speech_segmentation", CASES / segments, "--ref_sentences_file", CASES / references, *more,
    )  # fmt: skip
    scores = {s["name"]: s["value"] for s in json.loads(out)["scores"]} if out else {}
    return code, scores, err


BASE = longform("base.log")[1]


def log_line(source, text="Guten Morgen zusammen heute", delays=(1000, 1600, 2200, 2800), **more):
    return json.dumps({"source": [str(source)], "prediction": text, "delays": list(delays), **more}) + "\n"


@pytest.mark.parametrize(
    ("log", "segments", "references"),
    [
        ("bom.log", "seg.json", "ref.txt"),
        ("base.log", "seg-crlf.yaml", "ref.txt"),
        ("base.log", "seg.json", "ref-bom.txt"),
        ("winpath.log", "seg.json", "ref.txt"),
    ],
)
def test_files_written_elsewhere_score_the_same(log, segments, references):
    code, scores, err = longform(log, segments, references)
    assert (code, err) == (0, "")
    assert scores == BASE
    assert BASE["BLEU"] == pytest.approx(100)


# Line ends.


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_only_line_ends_end_lines(tmp_path, end, inside):
    text = f"one{inside}half{end}two{end}"
    (tmp_path / "refs.txt").write_bytes(text.encode())
    (tmp_path / "list.txt").write_bytes(f"a.wav{end}b.wav".encode())
    items = read_two_files(str(tmp_path / "list.txt"), str(tmp_path / "refs.txt")).items
    assert [item.reference for item in items] == [f"one{inside}half", "two"]
    (tmp_path / "table.tsv").write_bytes(f"audio\treference{end}a.wav\tone{inside}half{end}".encode())
    (tmp_path / "table.csv").write_bytes(f'audio,reference{end}a.wav,"one{inside}half, more"{end}'.encode())
    for name, more in (("table.tsv", ""), ("table.csv", ", more")):
        found = read_table(str(tmp_path / name), Columns(), "en", "de").items
        assert [item.reference for item in found] == [f"one{inside}half{more}"]


def test_a_line_separator_within_a_reference_is_text(tmp_path):
    for name in ("talk-1.wav", "talk-2.wav"):
        talk(tmp_path / name, 1)
    listed = tmp_path / "sources.txt"
    listed.write_text("\n".join(str(tmp_path / name) for name in ("talk-1.wav", "talk-2.wav")))
    code, _, err = command(
        "eval", "--source-list", listed, "--references", CASES / "references-ls.txt", "--target", "en"
    )
    assert code == 0, err


# Names of recordings.


@pytest.mark.parametrize(
    ("given", "names", "found"),
    [
        (r"D:\corpus\wav\a.wav", ["a.wav", "b.wav"], "a.wav"),
        (r"\\server\share\day 1\a.wav", ["a.wav", "b.wav"], "a.wav"),
        (r"\\?\C:\x\a.wav", ["a.wav"], "a.wav"),
        ("C:/corpus/a.wav", ["wav\\a.flac", "wav\\b.flac"], "wav\\a.flac"),
        (r"sub\a.wav", ["a"], "a"),
        ("a", [r"D:\x\a.wav", r"D:\x\b.wav"], r"D:\x\a.wav"),
        ("file:///data/a.wav", ["a.wav"], "a.wav"),
        ("/abs/day2/a.wav", ["day1/a.wav", "day2/a.wav"], "day2/a.wav"),
        (r"E:\abs\day2\a.wav", ["day1/a.wav", "day2/a.wav"], "day2/a.wav"),
        ("/y/day2/part/a.wav", ["/x/day1/part/a.wav", "/x/day2/part/a.wav"], "/x/day2/part/a.wav"),
        ("day2/a", ["x/day1/a.wav", "x/day2/a.wav"], "x/day2/a.wav"),
        ("a.wav", ["a.wav", "x/a.wav"], "a.wav"),
        ("a.wav", ["day1/a.wav", "day2/a.wav"], None),
        ("day3/a.wav", ["day1/a.wav", "day2/a.wav"], None),
        ("a.wav", ["a.flac", "a.wav"], "a.wav"),
        ("a", ["a.flac", "a.wav"], None),
        ("talk.v2", ["talk.v1.wav", "talk.v2.wav"], "talk.v2.wav"),
        ("A.WAV", ["a.wav", "b.wav"], "a.wav"),
        ("caf\u00e9.wav", ["cafe\u0301.wav"], "cafe\u0301.wav"),
        ("c.wav", ["a.wav"], None),
    ],
)
def test_recordings_are_found_by_file_and_folder(given, names, found):
    segments = [ReferenceSegment(name, 0, 1000, "x", number) for number, name in enumerate(names)]
    matched = match_recordings(segments, [RecordingHypothesis(given, ())])
    assert matched == ({} if found is None else {given: found})


def test_recordings_of_one_name_in_two_folders_are_scored_apart(tmp_path):
    (tmp_path / "seg.yaml").write_text(
        "- {wav: day1/talk.wav, offset: 0, duration: 3}\n- {wav: day2/talk.wav, offset: 0, duration: 3}\n"
    )
    (tmp_path / "ref.txt").write_text("Guten Morgen zusammen heute\nund noch einmal dasselbe\n")
    log = tmp_path / "x.log"
    log.write_text(
        log_line("/data/day2/talk.wav", "und noch einmal dasselbe") + log_line(r"D:\data\day1\talk.wav")
    )
    code, scores, err = longform(log, tmp_path / "seg.yaml", tmp_path / "ref.txt")
    assert (code, err.count("\n"), "no instance has CA times" in err) == (0, 1, True)
    assert scores["BLEU"] == pytest.approx(100)


def test_a_hypothesis_for_the_folder_wins_over_one_from_elsewhere():
    segments = [ReferenceSegment("day1/a.wav", 0, 1000, "x")]
    hypotheses = [RecordingHypothesis(name, ()) for name in ("day3/a.wav", "/y/day1/a.wav", "z/a.wav")]
    assert match_recordings(segments, hypotheses) == {"/y/day1/a.wav": "day1/a.wav"}


def test_simulstream_recordings_of_one_stem_keep_their_folders(tmp_path):
    lines = []
    for number, wav in enumerate(("day1/a.wav", r"day2\a.wav", "b.wav")):
        lines.append({"id": number, "metadata": {"wav_name": wav}})
        lines.append({
            "id": number, "total_audio_processed": 1.0, "computation_time": 0.1,
            "generated_tokens": [str(number)], "deleted_tokens": [],
        })  # fmt: skip
    log = tmp_path / "x.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = {h.recording: h.text for h in read_simulstream(log, "word")}
    assert found == {"day1/a.wav": "0", r"day2\a.wav": "1", "b": "2"}


def test_lists_written_on_windows_name_files_here(tmp_path):
    (tmp_path / "wav").mkdir()
    talk(tmp_path / "wav" / "a.wav", 1)
    (tmp_path / "list.tsv").write_text("audio\nwav\\a.wav\n")
    (tmp_path / "list.txt").write_text(f"{tmp_path}\\wav\\a.wav\n")
    here = str(tmp_path / "wav" / "a.wav")
    assert read_table(str(tmp_path / "list.tsv"), Columns(), "en", "de").items[0].audio == here
    assert read_two_files(str(tmp_path / "list.txt"), None).items[0].audio == here


# Units and their times.


def test_pieces_between_plain_spaces_are_the_units_where_the_times_say_so():
    code, scores, err = longform("nbsp.log", "seg-fr.json", "ref-fr.txt", "--lang", "fr")
    assert (code, "its delays are not scored" in err) == (0, False)
    assert scores["BLEU"] == pytest.approx(100)
    assert scores["LongYAAL (CU)"] > 0


@pytest.mark.parametrize("space", ["\u00a0", "\u202f", "\u2009", "\u3000", "\u2028", "\x85", "\x1f"])
def test_every_space_that_does_not_break_keeps_a_unit_together(tmp_path, space):
    text = f"Bonjour{space}! Nous partons demain{space}?"
    path = tmp_path / "x.log"
    path.write_text(log_line("a.wav", text, (1, 2, 3, 4)), encoding="utf-8")
    assert len(read_recordings(path)[0].units) == 4
    path.write_text(log_line("a.wav", text, range(6)), encoding="utf-8")
    assert len(read_recordings(path)[0].units) == 6
    path.write_text(log_line("fr.wav", text, range(5)), encoding="utf-8")
    _, _, err = longform(path, "seg-fr.json", "ref-fr.txt")
    assert "6 units but 5 delays" in err


@pytest.mark.parametrize("times", [(1.0, 1.6, 2.2, 2.8), (0.5, 0.9, 2.0, 2.7)])
def test_times_in_seconds_are_noticed(tmp_path, times):
    path = tmp_path / "x.log"
    path.write_text(log_line("talk_a.wav", delays=times) + log_line("talk_b.wav", "das Wasser", (1000, 1600)))
    code, _, err = longform(path)
    assert code == 0
    assert "recording talk_a.wav: its times look like seconds" in err
    assert "talk_b.wav: its times" not in err


def test_lengths_in_seconds_are_noticed_in_utterances(tmp_path):
    path = tmp_path / "x.log"
    good = {"reference": "Guten Morgen zusammen heute", "source_length": 3000.0}
    path.write_text(log_line("a.wav", **good))
    options = ("score", "shortform", "--word_level", "--hypothesis_file", path)
    assert "seconds" not in command(*options)[2]
    for delays, length in (((1.0, 1.6, 2.2, 2.8), 3.0), ((1.0, 1.6, 2.2, 2.8), 3000.0)):
        path.write_text(log_line("a.wav", delays=delays, **{**good, "source_length": length}))
        assert "its times look like seconds" in command(*options)[2]


# Numbers.


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1e-05", 1e-05),
        ("5e-3", 0.005),
        ("1.5e3", 1500),
        ("1E3", 1000),
        ("12", 12),
        ("012", 12),
        ("+1.5", 1.5),
        ("-0.25", -0.25),
        (".5", 0.5),
        ("5.", 5),
        ("1_000.5", 1000.5),
        ("0x1F", 31),
        ("0o17", 15),
        ("1:30", 90),
        ("0:05.25", 5.25),
        ("1:02:03.5", 3723.5),
        ("'2.5'", 2.5),
        ('"3"', 3),
        (".inf", None),
        (".nan", None),
        ("nan", None),
        ("one", None),
        ("'1,5'", None),
        ("~", None),
        ("true", None),
        ("[1]", None),
        ("2024-01-01", None),
        ("1e999", None),
        ("9" * 500, None),
    ],
)
def test_numbers_of_yaml_in_every_form(tmp_path, written, seconds):
    path = tmp_path / "seg.yaml"
    path.write_text(f"- {{wav: a.wav, offset: {written}, duration: 2}}\n")
    if seconds is not None:
        assert read_segmentation(path)[0].offset == pytest.approx(seconds * 1000)
        return
    code, out, err = longform("base.log", path)
    assert (code, out) == (ExitCode.FAILED, {})
    assert "line 1: the entry needs a number of seconds as 'offset'" in err
    assert err.count("\n") == 1


def test_names_that_look_like_something_else_are_names(tmp_path):
    path = tmp_path / "seg.yaml"
    names = ["2024-01-01", "no", "007", "1e5", "12:30"]
    path.write_text("".join(f"- {{wav: {name}, offset: 0, duration: 2}}\n" for name in names))
    assert [segment.recording for segment in read_segmentation(path)] == names


def test_a_number_of_another_form_scores_the_same():
    code, scores, err = longform("base.log", "seg-exp.yaml")
    assert (code, err) == (0, "")
    assert scores["BLEU"] == BASE["BLEU"]
    assert scores["LongYAAL (CU)"] == pytest.approx(BASE["LongYAAL (CU)"], abs=10)


def test_tables_of_segments_take_the_same_numbers(tmp_path):
    path = tmp_path / "seg.tsv"
    path.write_text("wav\tstart\tend\treference\na.wav\t1:00\t1:02.5\tx\nb.wav\t1e1\t12\ty\n")
    found = read_segments(str(path), None, [Item("a", "a.wav"), Item("b", "b.wav")])
    assert [(segment.offset, segment.duration) for segment in found] == [(60_000, 2_500), (10_000, 2_000)]
    path.write_text("wav\toffset\tduration\na.wav\t0:10\t1e-1\n")
    assert [(s.offset, s.duration) for s in read_segmentation(path)] == [(10_000, 100)]


def test_numbers_too_large_for_arithmetic_are_refused(tmp_path):
    assert seconds_of(10**400) is None
    path = tmp_path / "x.log"
    path.write_text(log_line("talk_a.wav", delays=(1, 2, 3, 10**400)))
    code, _, err = longform(path)
    assert (code, err.count("\n")) == (ExitCode.FAILED, 1)
    assert "must be a finite number" in err


# Languages without spaces.


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("今日はとても寒いです", "--bleu_tokenizer ja-mecab, or char"),
        ("今天下雨我们回家", "--bleu_tokenizer zh, or char"),
        ("วันนี้อากาศหนาวมาก", "--bleu_tokenizer char"),
        ("ថ្ងៃនេះត្រជាក់ណាស់", "--bleu_tokenizer char"),
        ("ມື້ນີ້ອາກາດໜາວຫຼາຍ", "--bleu_tokenizer char"),
        ("ဒီနေ့အရမ်းအေးတယ်", "--bleu_tokenizer char"),
        ("오늘은 매우 춥습니다", None),
        ("Der Film 千と千尋の神隠し läuft heute Abend", None),
        ("سنعود إلى البيت", None),
    ],
)
def test_13a_on_text_without_spaces_is_noticed_and_its_score_stays(tmp_path, text, asked):
    path = tmp_path / "x.log"
    line = {"prediction": text, "reference": text, "delays": [1000.0] * len(text), "source_length": 3000.0}
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    options = ("score", "shortform", "--char_level", "--format", "json", "--hypothesis_file", path)
    code, _, err = command(*options)
    assert code == 0
    assert ("BLEU says little" in err) == (asked is not None)
    assert (asked or "") in err
    with_char = command(*options, "--bleu_tokenizer", "char")
    assert "BLEU says little" not in with_char[2]
    assert json.loads(with_char[1])["scores"][0]["value"] == pytest.approx(100)


def test_japanese_keeps_the_score_of_the_field_with_a_notice():
    code, scores, err = longform("ja.log", "seg-ja.json", "ref-ja.txt", "--lang", "ja", level="char")
    assert (code, scores["BLEU"]) == (0, 0.0)
    assert "--bleu_tokenizer ja-mecab, or char" in err


def test_white_space_at_the_end_of_character_units_is_scored():
    code, scores, err = longform(
        "ss-trail.jsonl", "ss-seg.json", "ss-ref.txt", "--hypothesis_format", "simulstream",
        "--simulstream_config_file", CASES / "ss.yaml", "--bleu_tokenizer", "zh", level="char",
    )  # fmt: skip
    assert code == 0, err
    assert scores["BLEU"] == pytest.approx(100)


# Nothing in common.


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_log_is_an_error_everywhere(tmp_path, content):
    path, other = tmp_path / "x.log", CASES / "base.log"
    path.write_text(content, encoding="utf-8")
    segmented = ("--speech_segmentation", CASES / "seg.json", "--ref_sentences_file", CASES / "ref.txt")
    for arguments in (
        ("longform", "--word_level", "--hypothesis_file", path, *segmented),
        ("longform", "--word_level", "--resegmented_hypothesis", path),
        ("shortform", "--word_level", "--hypothesis_file", path),
        ("speech", path),
        ("speech", "--words", path, *segmented),
        ("stats", path),
        ("compare", "--word_level", other, path, *segmented),
        ("compare", "--word_level", other, path),
    ):
        code, out, err = command("score", *arguments)
        assert (code, out) == (ExitCode.FAILED, ""), arguments
        assert "so there is nothing to score" in err
        assert err.count("\n") == 1


def test_recordings_that_have_nothing_in_common_are_an_error(tmp_path):
    path = tmp_path / "x.log"
    path.write_text(log_line("opening.wav") + log_line("closing.wav"))
    code, scores, err = longform(path)
    assert (code, scores, err.count("\n")) == (ExitCode.FAILED, {}, 1)
    assert "None of the 2 recordings of the log is in the segmentation" in err
    assert "'opening.wav', the segmentation 'talk_a.wav'" in err
    (tmp_path / "seg.json").write_text("[]")
    (tmp_path / "ref.txt").write_text("")
    code, scores, err = longform("base.log", tmp_path / "seg.json", tmp_path / "ref.txt")
    assert (code, scores) == (ExitCode.FAILED, {})
    assert "seg.json: it holds no segments" in err


def test_a_recording_that_is_missing_is_scored_as_empty_and_ends_with_6(tmp_path):
    path = tmp_path / "x.log"
    path.write_text(log_line("talk_a.wav"))
    code, scores, err = longform(path)
    assert code == ExitCode.PARTIAL
    assert scores["chrF"] > 0
    assert "talk_b.wav: there is no hypothesis for it" in err


def test_a_text_log_is_no_speech():
    code, out, err = command("score", "speech", CASES / "base.log")
    assert (code, out) == (ExitCode.FAILED, "")
    assert "it is not speech output" in err


def test_a_result_does_not_overwrite_what_it_is_made_of_nor_another(tmp_path):
    log, references = tmp_path / "x.json", tmp_path / "ref.txt"
    log.write_bytes((CASES / "base.log").read_bytes())
    references.write_bytes((CASES / "ref.txt").read_bytes())
    for outputs, told in (
        (["-o", log], "is an input and would be overwritten by -o"),
        (["-o", references], "is an input and would be overwritten by -o"),
        (["-o", tmp_path / "r.html", "-o", tmp_path / "r.html"], "-o and -o would both write to"),
        (["-o", tmp_path / "r.tsv", "--per-segment", tmp_path / "r.tsv"], "--per-segment and -o would both"),
        (["--output_folder", tmp_path, "-o", tmp_path / "scores.tsv"], "--output_folder and -o would both"),
        (["--output_folder", "-"], "--output_folder names a folder"),
    ):
        code, scores, err = longform(log, "seg.json", references, *outputs)
        assert (code, scores, err.count("\n")) == (ExitCode.USAGE, {}, 1)
        assert told in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ref.txt", "x.json"]


def test_a_dash_is_standard_output_in_its_own_format():
    code, scores, err = longform("base.log", "seg.json", "ref.txt", "-o", "-")
    assert (code, scores, err) == (0, BASE, "")


def test_intervals_of_few_drawn_corpora_are_remarked_on():
    assert (
        "say little; give --bootstrap 1000"
        in longform("base.log", "seg.json", "ref.txt", "--bootstrap", "1")[2]
    )
    assert "say little" not in longform("base.log", "seg.json", "ref.txt", "--bootstrap", "100")[2]


def test_an_evaluation_whose_segments_are_of_other_recordings_is_refused_before_it_runs(tmp_path):
    def never(config, source, target, needs):
        raise AssertionError("a model was loaded")

    (tmp_path / "list.txt").write_text(f"{talk(tmp_path / 'other.wav', 1)}\n")
    code, out, err = command(
        "eval", "--source-list", tmp_path / "list.txt", "--segmentation", CASES / "seg.json", "--references",
        CASES / "ref.txt", loader=never,
    )  # fmt: skip
    assert (code, out, err.count("\n")) == (ExitCode.FAILED, "", 1)
    assert "The recording of the list is not in the segmentation" in err
