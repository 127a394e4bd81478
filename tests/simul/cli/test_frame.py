"""The executable: finding commands, defaults from elsewhere, one line for what goes wrong, lazy imports."""

import io
import os
import subprocess
import sys

import pytest

from simul.cli.commands import BENCHES, COMMANDS, SCORES
from simul.cli.context import Context
from simul.cli.main import explain
from simul.cli.view.tables import print_table
from simul.errors import ExitCode, ModelMissingError
from tests.simul.scripted_cli import LINES, Terminal, command, load, talk


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Name a command"),
        (["transalte"], "did you mean 'translate'"),
        (["score", "longfrom"], "did you mean 'longform'"),
        (["xyzzy"], "choose one of translate"),
        (["translate"], "Name at least one audio file"),
        (["translate", "a.wav", "--flim"], "--flim"),
        (["translate", "a.wav", "--chunk-ms", "fast"], "--chunk-ms"),
        (["translate", "a.wav", "--chunk-ms", "5"], "5 ms"),
        (["translate", "a.wav", "--policy", "local-agrement"], "local-agreement"),
        (["translate", "a.wav", "--policy-arg", "n"], "NAME=VALUE"),
        (["translate", "a.wav", "--policy-arg", "n=zero"], "whole number"),
        (["translate", "a.wav", "--policy-arg", "m=2"], "no parameter 'm'"),
        (["translate", "a.wav", "--format", "pdf"], "pdf"),
        (
            [
                "score",
                "shortform",
                "--word_level",
                "--hypothesis_file",
                "a",
                "--bootstrap",
                "10",
                "--seed",
                "-1",
            ],
            "--seed: it is -1; give 0 to 4294967295",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, told):
    code, out, err = command(*arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["translate", "a.wav", "--threads", "100000"], "threads is 100000; give 0 to 128"),
        (["translate", "a.wav", "--threads", "-1"], "threads is -1; give 0 to 128"),
        (["translate", "a.wav", "--beam", "1000000"], "beam is 1000000; give 1 to 64"),
        (["mic", "--beam", "0"], "beam is 0; give 1 to 64"),
        (["translate", "a.wav", "--window", "causal", "--block-ms", "1000000"], "give 20 to 30000"),
        (["translate", "-", "--raw", "--rate", "0"], "--rate: it is 0; give 4000 to 192000"),
        (["translate", "-", "--raw", "--channels", "100000"], "--channels: it is 100000; give 1 to 64"),
        (["eval", "a.tsv", "--jobs", "100000"], "--jobs: it is 100000; give 1 to 256"),
        (["sweep", "a.tsv", "--jobs", "0"], "--jobs: it is 0; give 1 to 256"),
        (["sweep", "a.tsv", "--grid", " "], "--grid is empty"),
        (["eval", "a.tsv", "--limit", "0"], "--limit: it is 0"),
        (["score", "shortform", "--bootstrap", "10000000000"], "--bootstrap"),
        (["score", "shortform", "--seed", str(2**32)], "--seed: it is 4294967296"),
        (["text", "--beam", "9999"], "beam is 9999; give 1 to 64"),
        (["translate", ""], "The name of an input is empty"),
    ],
)
def test_numbers_have_bounds(arguments, told):
    code, out, err = command(*arguments, loader=never)
    assert (code, out) == (ExitCode.USAGE, "")
    assert told in err
    assert err.count("\n") == 1


def test_two_hyphens_end_the_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-dash.wav", "--target", "plain.wav", "--"):
        talk(tmp_path / "x.wav").rename(tmp_path / name)
    assert command("translate", "-q", "--", "-dash.wav")[:2] == (0, LINES)
    assert command("translate", "plain.wav", "-q", "--", "-dash.wav", "--target")[:2] == (0, 3 * LINES)
    assert command("translate", "-q", "--", "--")[:2] == (0, LINES)
    assert command("translate", "--", "-q", "-v")[0] == ExitCode.FAILED
    code, out, err = command("translate", "--", "-v")
    assert (code, out, "Traceback" in err) == (ExitCode.FAILED, "", False)
    assert "-v does not exist" in err


@pytest.mark.parametrize(
    ("source", "target"), [("EN", "DE"), ("en-US", "de-AT"), ("en_GB.UTF-8", "ger"), ("eng", "deu_Latn")]
)
def test_a_language_may_be_spelt_in_several_ways(tmp_path, source, target):
    seen = []
    path = talk(tmp_path / "a.wav")
    assert command("translate", path, "--source", source, "--target", target, loader=_record(seen))[0] == 0
    assert seen == [(None, "en", "de")]


def test_a_voice_that_is_not_there_is_wrong_usage_told_before_a_model_is_loaded(tmp_path):
    pytest.importorskip("espeakng_loader")
    path = talk(tmp_path / "a.wav")
    for voice, told in (("germann", "did you mean de?"), ("nosuchvoice", "there are de.")):
        code, out, err = command(
            "translate", path, "--voice", voice, "--speak", tmp_path / "v.wav", loader=never
        )
        assert (code, out) == (ExitCode.USAGE, "")
        assert f"has no voice '{voice}'; {told}" in err
        assert err.count("\n") == 1


def never(config, source, target, needs):
    raise AssertionError("a model was loaded")


def test_errors_of_every_package_are_told_by_their_exit_code():
    from latency_metrics.errors import LogFormatError
    from policies import PolicyError
    from segmenter import SegmenterError
    from tts import TtsError, TtsMissingError, TtsUsageError

    for error, code in (
        (PolicyError("A."), 2),
        (LogFormatError("a.log", 3, "no number"), 1),
        (SegmenterError("A."), 1),
        (TtsError("A."), 1),
        (TtsUsageError("A."), 2),
        (TtsMissingError("A."), 3),
        (ModelMissingError("A."), 3),
    ):
        assert explain(error) == (str(error), code)
    assert explain(ValueError("what"))[1] == 1
    assert "should not" in explain(ValueError("what"))[0]


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the stream")
@pytest.mark.parametrize("closed", [">&-", "<&- 2>&-"])
def test_closed_streams_are_told_of_or_not_needed(closed):
    line = f'"{sys.executable}" -m simul policies -q {closed}'
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    if closed == ">&-":
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "Standard output is closed" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert "wait-k" in done.stdout


def test_help_and_version_go_to_standard_output():
    code, out, _ = command("--help")
    assert code == 0
    assert all(name in out for name in COMMANDS)
    assert command("--version")[1].startswith("simul ")


def test_every_command_of_the_table_exists_and_describes_itself(capsys):
    for name in [*COMMANDS, *(f"score {name}" for name in SCORES), *(f"bench {name}" for name in BENCHES)]:
        code, out, _ = command(*name.split(), "--help")
        assert code == 0
        assert f"usage: simul {name}" in out + capsys.readouterr().out


@pytest.mark.parametrize("command_line", [["--help"], ["translate", "--help"], ["mic", "-h"], ["eval", "-h"]])
def test_help_imports_nothing_heavy(command_line):
    heavy = ["numpy", "rich", "torch", "ctranslate2", "numba", "soundfile", "sacrebleu", "sounddevice"]
    script = (
        "import sys\nfrom simul.cli.main import main\n"
        f"code = main({command_line!r})\n"
        f"print(code, [m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "0 []\n"


def test_a_model_that_is_missing_ends_with_code_3(tmp_path):
    def missing(config, source, target, needs):
        raise ModelMissingError("No model; run `simul translate --download`.")

    code, _, err = command("translate", talk(tmp_path / "a.wav"), loader=missing)
    assert (code, err) == (ExitCode.MODEL_MISSING, "simul: No model; run `simul translate --download`.\n")


def test_ctrl_c_that_a_library_wrapped_ends_with_130(tmp_path):
    def interrupted(config, source, target, needs):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise RuntimeError("Error calling __set_name__ on 'cached_property' instance") from error

    code, out, err = command("translate", talk(tmp_path / "a.wav"), loader=interrupted)
    assert (code, out, err) == (ExitCode.INTERRUPTED, "", "")


def test_the_beginning_of_a_command_names_it():
    assert "did you mean 'translate'?" in command("transl")[2]
    assert "did you mean 'score'?" in command("scroe")[2]


def test_an_option_without_a_value_behind_its_sign_is_a_sentence(tmp_path):
    for option in ("--target=--", "--chunk-ms=--", "-o=--"):
        code, _, err = command("translate", talk(tmp_path / "a.wav"), option)
        assert (code, f"{option[:-3]} is given --, which is no value" in err) == (ExitCode.USAGE, True)


@pytest.mark.parametrize("name", ["score stats", "score compare"])
def test_a_log_without_a_name_is_a_sentence(name):
    code, _, err = command(*name.split(), "")
    assert (code, err.startswith("simul: ")) == (ExitCode.USAGE, True)
    assert "should not" not in err


def test_the_unexpected_is_one_line_and_a_traceback_only_with_v(tmp_path):
    def broken(config, source, target, needs):
        raise RuntimeError("first line\nsecond line")

    path = talk(tmp_path / "a.wav")
    code, _, err = command("translate", path, loader=broken)
    assert code == ExitCode.FAILED
    assert "RuntimeError: first line" in err
    assert "-v" in err
    assert err.count("\n") == 1
    assert "Traceback" in command("translate", path, "-v", loader=broken)[2]


def test_quiet_keeps_only_what_went_wrong(tmp_path):
    assert command("translate", talk(tmp_path / "a.wav"), "-q")[2] == ""
    assert command("translate", tmp_path / "b.wav", "-q")[2].startswith("simul: ")


def _record(seen):
    def loader(config, source, target, needs):
        seen.append((config.beam, source, target))
        return load(config, source, target, needs)

    return loader


def test_options_win_over_variables_and_variables_over_the_file(tmp_path):
    config = tmp_path / "simul.toml"
    config.write_text('target = "es"\nbeam = 3\n[translate]\nsource = "fr"\n', encoding="utf-8")
    path, seen = talk(tmp_path / "a.wav"), []
    command("translate", path, "--config", config, loader=_record(seen))
    command("translate", path, "--config", config, environ={"SIMUL_TARGET": "fr"}, loader=_record(seen))
    command(
        "translate",
        path,
        "--target",
        "de",
        environ={"SIMUL_CONFIG": str(config), "SIMUL_TARGET": "fr"},
        loader=_record(seen),
    )
    assert seen == [(3, "fr", "es"), (3, "fr", "fr"), (3, "fr", "de")]


def test_policy_arguments_of_the_command_line_override_those_of_the_file(tmp_path):
    config = tmp_path / "simul.toml"
    config.write_text("[translate]\npolicy_arg = {n = 7, words = true}\nquiet = true\n", encoding="utf-8")
    path = talk(tmp_path / "a.wav")
    slow = command("translate", path, "--format", "json", "--config", config)
    fast = command("translate", path, "--format", "json", "--config", config, "--policy-arg", "n=1")
    assert slow[2] == fast[2] == ""
    assert slow[1].count('"settled"') < fast[1].count('"settled"')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("target = ", "not TOML"),
        ("[translate]\nspeed = 3\n", "[translate] has no option 'speed'"),
        ("[translate]\ntraget = 'es'\n", "[translate] has no option 'traget' (did you mean 'target'?)"),
        ("[translate]\njobs = 3\n", "[translate] has no option 'jobs'"),
        ("pollicy = 'wait-k'\n", "has no option 'pollicy' (did you mean 'policy'?)"),
        ("[transalte]\ntarget = 'es'\n", "has no option 'transalte' (did you mean 'translate'?)"),
        ("[longform]\njobs = 3\n", "has no option 'longform'"),
        ("[translate]\nsimulate = 'often'\n", "true or false"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path, text, told):
    config = tmp_path / "simul.toml"
    config.write_text(text, encoding="utf-8")
    code, _, err = command("translate", "a.wav", "--config", config)
    assert code == ExitCode.USAGE
    assert told in err
    assert str(config) in err
    assert command("translate", "a.wav", "--config", tmp_path / "none.toml")[0] == ExitCode.USAGE


def test_a_configuration_serves_all_commands(tmp_path):
    config = tmp_path / "simul.toml"
    config.write_text(
        "jobs = 1\npolicy_arg = {n = 3}\n[eval]\nlimit = 1\n[score]\nmax-gap = 2\n[score.longform]\nlang = 'de'\n",
        encoding="utf-8",
    )
    assert command("policies", "wait-k", "--config", config)[0] == 0
    code, _, err = command("score", "longform", "--config", config)
    assert (code, "max-gap" in err) == (ExitCode.USAGE, True)


def test_variables_of_options_that_a_command_lacks_do_not_disturb_it():
    assert command("policies", environ={"SIMUL_TARGET": "xx", "SIMUL_BEAM": "many"})[0] == 0


@pytest.mark.parametrize("columns", [20, 40, 60, 100, 200])
def test_no_figure_of_a_table_is_cut_short(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Terminal()
    context = Context(io.BytesIO(), screen, io.StringIO(), {"NO_COLOR": "1"})
    header = ("policy", "window in s", *(f"score {i}" for i in range(6)))
    rows = [["a policy with a long name", "2", *["-43.33"] * 6], ["b", "1", *["n/a"] * 6]]
    print_table(context, screen, "", header, rows)
    text = screen.getvalue()
    assert text.count("-43.33") == 6
    assert text.count("n/a") == 6
    assert "…" not in text
