"""SimulEval's remote evaluation, both ways: by a plain HTTP client always, by SimulEval where it is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from latency_metrics.formats.simuleval import read_instances
from simul.adapters.appended import AppendedText
from simul.adapters.remote.backend import AgentBackend, AgentUnreachableError, LoadAgent
from simul.adapters.remote.service import LARGEST_BODY, AgentService, RemoteAgent
from simul.adapters.remote.wire import SegmentError, SourceSegment, TargetSegment
from simul.adapters.sessions import Sessions
from simul.backends.base import Limits, StreamSpec
from simul.config import ModelConfig, StreamOptions
from simul.errors import SimulError, UsageError
from simul.session.factory import SessionFactory
from tests.simul.adapters.marked import backend as marked_backend
from tests.simul.adapters.marked.backend import REFERENCES, SECONDS, write_recording
from tests.simul.scripted_cli import command

NUMBERS = (1, 2, 3, 4, 5)
TEXTS = {
    1: "Morgen fahren wir früh los, sagt sie. Und spät kommen wir zurück.",
    2: "Die Straßenbahn hält am Marktplatz, glaube ich.",
    3: "Guten Tag. Wie geht es Ihnen?",
    4: "",
    5: "Ja.",
}


def agent(target: str = "de", policy: str = "local-agreement") -> RemoteAgent:
    stream = StreamOptions(target=target, policy=policy)
    return RemoteAgent(
        AppendedText(Sessions(SessionFactory(stream, ModelConfig(), marked_backend.load))), "A model."
    )


@contextmanager
def service(made: RemoteAgent) -> Iterator[AgentService]:
    """The agent at a free port of this machine."""
    with AgentService(made, "127.0.0.1", 0) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()


def segments(number: int, step: int = 8000) -> Iterator[SourceSegment]:
    """A recording as SimulEval sends it."""
    samples = np.zeros(int(SECONDS[number] * 16_000), np.float32)
    samples[0] = number / 1024
    for begin in range(0, len(samples), step):
        part = samples[begin : begin + step].tolist()
        yield SourceSegment(part, 16_000, begin + step >= len(samples))


def ask(connection: HTTPConnection, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection.request(method, path, body)
    answer = connection.getresponse()
    data = answer.read()
    return answer.status, json.loads(data) if data else None


def test_a_plain_client_gets_what_is_settled_and_the_end() -> None:
    with service(agent()) as found:
        connection = HTTPConnection("127.0.0.1", found.server_port)
        assert ask(connection, "GET", "/") == (200, {"info": "A model."})
        for number in NUMBERS:
            assert ask(connection, "POST", "/reset") == (200, None)
            written = []
            for segment in segments(number):
                assert ask(connection, "PUT", "/input", segment.to_json()) == (200, None)
                status, output = ask(connection, "GET", "/output")
                assert status == 200
                assert output["finished"] == segment.finished
                assert set(output) >= {"index", "content", "finished", "is_empty", "data_type", "tgt_lang"}
                if not output["is_empty"]:
                    assert output["data_type"] == "text"
                    written.append(output["content"])
            assert " ".join(written) == TEXTS[number]
            assert number != 1 or len(written) > 3
            assert ask(connection, "GET", "/output")[1]["finished"] is True
        connection.close()


def test_segments_may_come_before_an_output_is_asked_for() -> None:
    one = agent()
    for segment in segments(2):
        one.push(segment)
    assert one.pop() == TargetSegment(TEXTS[2], True)


def test_the_source_may_end_with_an_empty_segment() -> None:
    one = agent()
    for segment in segments(2):
        one.push(SourceSegment(segment.samples, segment.rate))
    assert not one.pop().finished
    one.push(SourceSegment(finished=True))
    assert one.pop().finished


def test_a_recording_may_have_a_language_of_its_own() -> None:
    one = agent("de")
    first, *rest = segments(6)
    for segment in (SourceSegment(first.samples, first.rate, False, "zh"), *rest):
        one.push(segment)
    assert one.pop().text.replace(" ", "") == "今天天气很好，我们去公园。你来吗？"
    one.reset()
    for segment in segments(5):
        one.push(segment)
    assert one.pop().text == TEXTS[5]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("PUT", "/input", "{", 400, "not JSON"),
        ("PUT", "/input", "[" * 100_000, 400, "nested too deeply"),
        ("PUT", "/input", "[]", 400, "not an object"),
        ("PUT", "/input", '{"data_type": "text", "content": "a"}', 400, "this agent hears speech"),
        ("PUT", "/input", '{"data_type": "speech", "content": "a"}', 400, "not a list of numbers"),
        ("PUT", "/input", '{"data_type": "speech", "content": [true]}', 400, "not a list of numbers"),
        ("PUT", "/input", '{"data_type": "speech", "content": [1], "sample_rate": "x"}', 400, "sample_rate"),
        (
            "PUT",
            "/input",
            '{"data_type": "speech", "content": [1], "sample_rate": 1, "tgt_lang": 1}',
            400,
            "tgt_lang",
        ),
        ("PUT", "/elsewhere", "{}", 404, "PUT /elsewhere"),
        ("POST", "/input", None, 404, "POST /input"),
        ("GET", "/input", None, 404, "GET /input"),
    ],
)
def test_what_is_wrong_is_refused_in_a_sentence(
    method: str, path: str, body: str | None, status: int, sentence: str
) -> None:
    with service(agent()) as found:
        connection = HTTPConnection("127.0.0.1", found.server_port)
        got, answer = ask(connection, method, path, body)
        assert got == status
        assert sentence in answer["error"]
        connection.close()


def test_what_is_too_long_is_not_read() -> None:
    with service(agent()) as found:
        connection = HTTPConnection("127.0.0.1", found.server_port)
        connection.putrequest("PUT", "/input")
        connection.putheader("Content-Length", str(LARGEST_BODY + 1))
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()
        connection.putrequest("PUT", "/input")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        assert connection.getresponse().status == 411
        connection.close()


def test_a_recording_that_fails_says_so_until_the_next_one() -> None:
    one = agent()
    one.push(SourceSegment([0.0] * 10, 3))
    for _ in range(2):
        with pytest.raises(SimulError, match="3 Hz"):
            one.pop()
    one.reset()
    for segment in segments(5):
        one.push(segment)
    assert one.pop().text == "Ja."
    one.reset()
    one.push(SourceSegment([0.0], 16_000))
    with pytest.raises(SegmentError, match="changes within a recording"):
        one.push(SourceSegment([0.0], 8_000))


def test_policies_that_take_text_back_are_refused() -> None:
    with pytest.raises(UsageError, match="takes text back, which SimulEval cannot record"):
        agent(policy="sliding-window")


def test_a_port_that_is_taken_is_named() -> None:
    with service(agent()) as found, pytest.raises(UsageError, match=f"port {found.server_port}"):
        AgentService(agent(), "127.0.0.1", found.server_port)


def lists(folder: Path, numbers: tuple[int, ...] = NUMBERS) -> list[Any]:
    paths = [str(write_recording(folder / f"r{number}.wav", number)) for number in numbers]
    (folder / "source.txt").write_text("\n".join(paths) + "\n", encoding="utf-8")
    references = "\n".join(REFERENCES[number] for number in numbers) + "\n"
    (folder / "target.txt").write_text(references, encoding="utf-8")
    return ["--source-list", folder / "source.txt", "--references", folder / "target.txt"]


def test_evaluating_an_agent_gives_what_evaluating_its_model_gives(tmp_path: Path) -> None:
    files = lists(tmp_path)
    code, _, said = command("eval", *files, "--log", tmp_path / "own", loader=marked_backend.load)
    assert code == 0, said
    with service(agent()) as found:
        code, _, said = command(
            "eval", *files, "--remote-eval", "--remote-address", "127.0.0.1", "--remote-port",
            found.server_port, "--log", tmp_path / "remote",
        )  # fmt: skip
    assert code == 0, said
    assert f"The agent at http://127.0.0.1:{found.server_port}." in said
    own, remote = (list(read_instances(tmp_path / name / "instances.log")) for name in ("own", "remote"))
    assert [each.prediction for each in remote] == [TEXTS[number] for number in NUMBERS]
    assert [each.prediction for each in own] == [each.prediction for each in remote]
    for a, b in zip(own, remote, strict=True):
        # A word whose end is not in sight yet is written by an agent when it is.
        assert all(x <= y for x, y in zip(a.delays, b.delays, strict=True))
        assert a.source_length == b.source_length
        assert list(b.delays) == sorted(b.delays)


def test_no_agent_is_said_in_a_sentence(tmp_path: Path) -> None:
    with service(agent()) as found:
        port = found.server_port
    code, _, said = command(
        "eval", *lists(tmp_path, (5,)), "--remote-eval", "--remote-address", "127.0.0.1", "--remote-port", port
    )  # fmt: skip
    assert code == 1
    assert f"No agent answers at http://127.0.0.1:{port}" in said
    assert "Traceback" not in said


def backend(answer: str, status: int = 200) -> AgentBackend:
    """One whose agent always says the same."""

    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=answer if request.method == "GET" else "")

    limits = Limits(frozenset({"en"}), frozenset({"de"}))
    return AgentBackend("http://agent", limits, httpx.MockTransport(handle))


@pytest.mark.parametrize(
    ("answer", "status", "sentence"),
    [
        ("<html>", 200, "not JSON"),
        ('{"data_type": "speech", "content": [0.1]}', 200, "only agents that write text"),
        ('{"data_type": null}', 200, "does not finish"),
        ("no", 500, "answers POST /reset with 500"),
    ],
)
def test_an_agent_that_breaks_is_said_in_a_sentence(
    answer: str, status: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simul.adapters.remote.backend.LAST_SEGMENTS", 5)
    made = backend(answer, status)
    stream = made.open(StreamSpec("en", "de"))
    made.push(stream, np.zeros(800, np.float32))
    made.end(stream)
    with pytest.raises((SegmentError, AgentUnreachableError), match=sentence):
        made.advance([stream])


def test_an_agent_that_finishes_early_hears_no_more() -> None:
    made = backend('{"data_type": "text", "content": "Genug jetzt.", "finished": true}')
    stream = made.open(StreamSpec("en", "de"))
    for _ in range(3):
        made.push(stream, np.zeros(800, np.float32))
        made.advance([stream])
    assert made.state(stream).tokens == [" Genug", " jetzt."]
    assert made.view(stream).heard == 2400
    assert not made.view(stream).segment_final


def test_characters_are_units_of_their_own() -> None:
    loaded = LoadAgent("http://agent")(ModelConfig(), "en", "zh")
    assert loaded.backend.limits.targets == {"zh"}
    limits = Limits(frozenset({"en"}), frozenset({"zh"}))
    made = AgentBackend("http://agent", limits, httpx.MockTransport(lambda _: httpx.Response(
        200, text='{"data_type": "text", "content": "今 天", "finished": true}'
    )))  # fmt: skip
    stream = made.open(StreamSpec("en", "zh"))
    made.push(stream, np.zeros(800, np.float32))
    made.advance([stream])
    assert made.state(stream).tokens == ["今", "天"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--standalone", "--remote-eval"), "give one of them"),
        (("--standalone", "list.tsv"), "takes no list"),
        (("list.tsv", "--remote-eval", "--jobs", "2"), "one recording at a time"),
        (("list.tsv", "--remote-eval", "--policy", "wait-k"), "give --policy where it is started"),
    ],
)
def test_options_that_do_not_go_together(options: tuple[str, ...], sentence: str) -> None:
    code, _, said = command("eval", *options)
    assert code == 2
    assert sentence in said


EVALUATE = """
from simuleval.cli import main
from simuleval.evaluator import SentenceLevelEvaluator

# SimulEval 1.1.4 asks for an attribute that it calls `instances` elsewhere.
SentenceLevelEvaluator.instance_iterator = property(lambda self: self.instances.values())
main()
"""


def test_simuleval_evaluates_our_agent(tmp_path: Path) -> None:
    pytest.importorskip(
        "simuleval", reason="SimulEval is not installed; `make test` installs it (tests/peers.txt)"
    )
    numbers = (1, 2, 3, 5)
    lists(tmp_path, numbers)
    with service(agent()) as found:
        program = [sys.executable, "-c", EVALUATE, "--remote-eval", "--no-progress-bar"]
        given = ["--remote-address", "127.0.0.1", "--remote-port", str(found.server_port)]
        files = ["--source", tmp_path / "source.txt", "--target", tmp_path / "target.txt"]
        kinds = ["--source-type", "speech", "--target-type", "text", "--source-segment-size", "500"]
        done = subprocess.run(
            list(map(str, [*program, *given, *files, *kinds, "--output", tmp_path / "theirs"])),
            capture_output=True, text=True, encoding="utf-8", timeout=240,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1", "no_proxy": "127.0.0.1"},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    log = list(read_instances(tmp_path / "theirs" / "instances.log"))
    assert [each.prediction for each in log] == [TEXTS[number] for number in numbers]
    files = ["--source-list", tmp_path / "source.txt", "--references", tmp_path / "target.txt"]
    code, _, said = command("eval", *files, "--log", tmp_path / "own", loader=marked_backend.load)
    assert code == 0, said
    own = read_instances(tmp_path / "own" / "instances.log")
    assert [list(each.delays) for each in log] == [list(each.delays) for each in own]


SERVE_THEIRS = """
import sys
from simuleval.agents import SpeechToTextAgent, service
from simuleval.agents.actions import ReadAction, WriteAction
from simuleval.data.segments import TextSegment

class Counting(SpeechToTextAgent):
    def policy(self):
        states, seconds = self.states, len(self.states.source) // 16000
        said = getattr(states, "said", 0) if states.source else 0
        words = [f"w{i}" for i in range(said, seconds)]
        states.said = seconds
        if not words and not states.source_finished:
            return ReadAction()
        return WriteAction(TextSegment(
            content=" ".join(words), finished=states.source_finished, tgt_lang=None
        ), finished=states.source_finished)

service.start_agent_service(Counting())
"""


def test_we_evaluate_an_agent_of_simuleval(tmp_path: Path) -> None:
    pytest.importorskip(
        "simuleval", reason="SimulEval is not installed; `make test` installs it (tests/peers.txt)"
    )
    with AgentService(agent(), "127.0.0.1", 0) as probe:
        port = probe.server_port
    theirs = subprocess.Popen([sys.executable, "-c", SERVE_THEIRS, "--remote-port", str(port)])
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
                break
            except httpx.ConnectError:
                assert theirs.poll() is None
        code, _, said = command(
            "eval", *lists(tmp_path, (1, 2)), "--remote-eval", "--remote-address", "127.0.0.1",
            "--remote-port", port, "--log", tmp_path / "log",
        )  # fmt: skip
    finally:
        theirs.kill()
        theirs.wait()
    assert code == 0, said
    log = list(read_instances(tmp_path / "log" / "instances.log"))
    assert [each.prediction for each in log] == ["w0 w1 w2 w3 w4 w5", "w0 w1 w2 w3"]
    assert list(log[0].delays) == [1000.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0]
