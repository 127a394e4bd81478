"""The client of OpenAI-compatible servers against a scripted one on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from policies import make_policy
from policies.base import Need
from simul.backends.cascade import CascadeBackend
from simul.backends.families import ModelConfig, load_backend
from simul.clock import VirtualClock
from simul.errors import EvidenceError, ExitCode, UsageError
from simul.models.llm import client as llm_client
from simul.models.llm.client import EndpointError, Refused
from simul.models.llm.endpoint import Abilities, EndpointTranslator
from simul.models.llm.reply import Reply, parse
from simul.models.translation.interface import TextRequest
from simul.session import Session, SessionConfig
from simul.session.events import Settled
from tests.simul.backends.test_cascade import WORD, ScriptedRecognizer
from tests.simul.completion_server import Answer, Asked, Server, chat, serving

TEXT = ["Guten", " Mor", "gen", ",", " liebe", " Welt", "."]
KEY = "sk-not-to-be-seen-1234567890"


def is_probe(asked: Asked) -> bool:
    return "numbers from one to six" in asked.body["messages"][0]["content"]


def good(asked: Asked) -> Answer:
    """A server that does everything: it goes on from the beginning of its message, token by token."""
    if asked.path.endswith("/models"):
        return 200, {"data": [{"id": "tower"}]}
    if is_probe(asked):
        return chat(" four five six", [" four", " five", " six"])
    last = asked.body["messages"][-1]
    begun = last["content"] if last["role"] == "assistant" else ""
    tokens = list(TEXT)
    while begun:
        begun = begun[len(tokens.pop(0)) :]
    limit = asked.body["max_tokens"]
    cut = tokens[:limit]
    finish = "stop" if len(cut) == len(tokens) else "length"
    return chat("".join(cut), cut if asked.body.get("logprobs") else None, finish)


def plain(asked: Asked) -> Answer:
    """A server that refuses what is not in OpenAI's own interface, and repeats the beginning it is told."""
    if "continue_final_message" in asked.body or "logprobs" in asked.body:
        return 400, {"error": {"message": "Unrecognized request argument supplied."}}
    return chat("one two three four" if is_probe(asked) else "".join(TEXT))


def restarts(asked: Asked) -> Answer:
    """A server that ignores what it does not know and begins anew."""
    return chat("one two three four" if is_probe(asked) else "".join(TEXT))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm_client, "FIRST_WAIT", 0.01)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(good) as running:
        yield running


def translator(server: Server, **more: Any) -> EndpointTranslator:
    return EndpointTranslator(server.url, "tower", "en", "de", **more)


def ask(given: EndpointTranslator, prefix: tuple[str, ...] = (), complete: bool = True, **more: Any) -> Any:
    return given.translate([TextRequest("good morning dear world", "de", complete, prefix, (), **more)])[0]


def test_the_request_is_what_servers_expect(server: Server) -> None:
    made = translator(server, key=KEY)
    result = ask(made, (" Guten", " Mor", "gen"))
    assert result.tokens == (",", " liebe", " Welt", ".")
    np.testing.assert_allclose(result.logprobs, [-0.25, -0.5, -0.75, -1.0])
    assert result.ids == ()
    assert result.ended
    body = server.chats[-1]
    assert server.asked[-1].path == "/v1/chat/completions"
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    assert body["model"] == "tower"
    assert body["temperature"] == 0
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant"]
    system, user, begun = (m["content"] for m in body["messages"])
    assert "English into German" in system
    assert "never complete" in system
    assert user == "good morning dear world"
    assert begun == "Guten Morgen"
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False
    assert body["logprobs"] is True
    first = ask(made)
    assert first.tokens == (" Guten", *TEXT[1:])
    assert "continue_final_message" not in server.chats[-1]
    assert server.chats[-1]["messages"][0] == body["messages"][0]


def test_without_a_key_none_is_sent(server: Server) -> None:
    ask(translator(server))
    assert all("authorization" not in asked.headers for asked in server.asked)


def test_an_unfinished_text_does_not_end_and_length_is_bounded(server: Server) -> None:
    made = translator(server)
    assert not ask(made, complete=False).ended
    short = ask(made, max_new_tokens=2)
    assert short.tokens == (" Guten", " Mor")
    assert not short.ended
    assert server.chats[-1]["max_tokens"] == 2
    ask(made)
    assert 4 < server.chats[-1]["max_tokens"] < 64
    assert made.translate([TextRequest("  ", "de")])[0].tokens == ()


@pytest.mark.parametrize(("answers", "refusals"), [(plain, 3), (restarts, 0)])
def test_servers_that_do_not_go_on_are_told_the_beginning(
    answers: Callable[[Asked], Answer], refusals: int
) -> None:
    with serving(answers) as server:
        made = translator(server)
        assert made.abilities == Abilities(False, False, True)
        assert len(server.asked) == refusals + 1
        assert made.lacks == {Need.SPANS, Need.LOGPROBS}
        result = ask(made, (" Guten", " Morgen,"))
        assert result.tokens == (" liebe", " Welt.")
        assert result.logprobs is None
        assert result.ended
        assert "exactly these words" in server.chats[-1]["messages"][0]["content"]
        assert "Guten Morgen," in server.chats[-1]["messages"][0]["content"]
        assert server.chats[-1]["messages"][-1]["role"] == "user"
        other = ask(made, (" Gute", " Nacht"))
        assert (other.tokens, other.ended) == ((), False)
        half = ask(made, (" Guten", " Mor"))
        assert half.tokens == ("gen,", " liebe", " Welt.")
        over = ask(made, (" Guten", " Mor"), word_complete=True)
        assert over.tokens == (" liebe", " Welt.")


def test_a_word_that_is_over_is_not_made_longer(server: Server) -> None:
    made = translator(server)
    assert ask(made, (" Guten", " Mor")).tokens[:2] == ("gen", ",")
    held = ask(made, (" Guten", " Mor"), word_complete=True)
    assert held.tokens == (",", " liebe", " Welt", ".")
    assert len(held.logprobs) == 4


def test_a_server_that_drops_the_space_is_known_by_it() -> None:
    def strips(asked: Asked) -> Answer:
        return chat("four five" if is_probe(asked) else "liebe Welt.")

    with serving(strips) as server:
        made = translator(server)
        assert made.abilities == Abilities(True, False, True)
        assert ask(made, (" Guten", " Morgen"), word_complete=True).tokens == (" liebe", " Welt.")
        assert ask(made, (" Guten", " Mor")).tokens == ("liebe", " Welt.")


def test_a_batch_gives_what_single_calls_give(server: Server) -> None:
    made = translator(server)
    requests = [
        TextRequest("good morning", "de", True, tuple([" Guten", *TEXT[1:]][:n]), max_new_tokens=5)
        for n in range(5)
    ]
    requests.append(TextRequest(" ", "de"))
    for request, found in zip(requests, made.translate(requests), strict=True):
        alone = made.translate([request])[0]
        assert (alone.tokens, alone.ended) == (found.tokens, found.ended)


def test_the_only_model_need_not_be_named(server: Server) -> None:
    assert EndpointTranslator(server.url, None, "en", "de").model == "tower"
    with (
        serving(lambda asked: (200, {"data": [{"id": "a"}, {"id": "b"}]})) as several,
        pytest.raises(UsageError, match=r"#MODEL; it has: a, b"),
    ):
        EndpointTranslator(several.url, None, "en", "de")


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(status: int) -> None:
    times: list[float] = []

    def busy(asked: Asked) -> Answer:
        times.append(time.monotonic())
        if len(times) in (2, 3):
            return status, {"error": {"message": "busy"}}, {"Retry-After": "0.05"}
        return good(asked)

    with serving(busy) as server:
        made = translator(server, retries=2)
        assert ask(made).tokens
        assert len(times) == 4
        assert times[2] - times[1] >= 0.05


def test_errors_are_sentences_and_never_hold_the_key() -> None:
    def refusing(status: int, body: Any) -> EndpointError:
        with serving(lambda asked: (status, body)) as server, pytest.raises(EndpointError) as raised:
            translator(server, key=KEY, retries=1)
        assert KEY not in str(raised.value)
        assert raised.value.exit_code is ExitCode.CONNECTION
        return raised.value

    said = str(refusing(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}))
    assert "refused the API key (401)" in said
    assert "--mt-key-variable" in said
    assert isinstance(refusing(400, {"error": f"you sent {KEY}"}), Refused)
    assert "does not know the model" in str(refusing(404, {"error": {"message": "no model tower"}}))
    assert "(tried 2 times)" in str(refusing(500, b"oops"))
    assert "not JSON" in str(refusing(200, b"<html>"))
    assert "no message" in str(refusing(200, {"choices": []}))
    with pytest.raises(EndpointError, match="is it running"):
        EndpointTranslator("http://127.0.0.1:9/v1", "m", "en", "de", retries=0)
    for address in (
        "ftp://127.0.0.1/v1",
        "127.0.0.1",
        "http://me:secret@127.0.0.1/v1",
        "http://127.0.0.1/v1?a=b",
    ):
        with pytest.raises(UsageError, match="is no address") as raised:
            EndpointTranslator(address, "m", "en", "de")
        assert "secret" not in str(raised.value)
    with pytest.raises(UsageError, match="line break") as raised:
        EndpointTranslator("http://127.0.0.1:9/v1", "m", "en", "de", key=KEY + "\nsecond")
    assert KEY not in str(raised.value)


def test_a_server_on_this_machine_is_not_asked_through_a_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ask(translator(server, retries=0)).tokens


def test_a_server_that_does_not_answer_in_time_is_asked_again_and_then_named(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = translator(server, timeout=27.5, retries=1)
    seconds: list[float] = []

    def slow(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        seconds.append(request.extensions["timeout"]["read"])
        raise httpx.ReadTimeout("timed out", request=request)

    with monkeypatch.context() as patched:
        patched.setattr(httpx.HTTPTransport, "handle_request", slow)
        with pytest.raises(EndpointError, match=r"did not answer within 27\.5 s \(tried 2 times\)"):
            ask(made)
    assert seconds == [27.5, 27.5]
    assert ask(made).tokens


def test_closing_ends_a_request_in_flight(server: Server) -> None:
    made = translator(server, timeout=30)
    waiting, hold = threading.Event(), threading.Event()

    def slow(asked: Asked) -> Answer:
        waiting.set()
        hold.wait(10)
        return good(asked)

    server.answer = slow
    failed: list[Exception] = []

    def run() -> None:
        try:
            ask(made)
        except EndpointError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert waiting.wait(10)
    made.close()
    thread.join(10)
    assert not thread.is_alive()
    hold.set()
    assert "was closed" in str(failed[0])
    with pytest.raises(EndpointError, match="was closed"):
        ask(made)


def test_tokens_that_do_not_make_up_the_text_are_not_believed() -> None:
    found = parse(chat("Guten Tag. \nNote: polite", ["Guten", " Tag", ". ", "\n", "Note"])[1])
    assert found == Reply(("Guten", " Tag", "."), (-0.25, -0.5, -0.75), True)
    odd = parse(chat("Guten Tag", ["Bonjour"])[1])
    assert odd.tokens == ("Guten", " Tag")
    assert odd.logprobs == (-np.inf, -np.inf)
    halves = parse(chat("ü", ["\udcc3", "\udcbc"], "length")[1])
    assert "".join(halves.tokens).encode("utf-8", "surrogateescape").decode() == "ü"
    assert not halves.ended
    with pytest.raises(ValueError, match="no message"):
        parse({"choices": [{}]})


def test_a_session_settles_the_whole_text_once(server: Server) -> None:
    backend = CascadeBackend(
        lambda: ScriptedRecognizer(["good", "morning", "dear", "world", "|"]), translator(server)
    )
    assert Need.SPANS not in backend.provides
    assert Need.LOGPROBS in backend.provides
    session = Session(make_policy("local-agreement"), backend, VirtualClock(), SessionConfig(chunk=WORD))
    events = session.feed(np.zeros(6 * WORD, np.float32)) + session.finish()
    settled = [e for e in events if isinstance(e, Settled)]
    assert "".join(e.text for e in settled) == "".join(TEXT)
    assert len(settled) > 1
    with pytest.raises(EvidenceError, match="source times"):
        Session(make_policy("align-bridge"), backend, VirtualClock())


def test_the_address_is_an_option(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pocketsphinx", reason="the embedded recogniser needs pocketsphinx")
    monkeypatch.setenv("TOWER_KEY", KEY)
    config = ModelConfig(mt=f"{server.url}#tower", mt_key_variable="TOWER_KEY")
    loaded = load_backend(config, "en", "de", [])
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    assert loaded.description.endswith(f"translator tower at {server.url[7:-3]}.")
    assert KEY not in loaded.description
    with pytest.raises(UsageError, match="no name of an environment variable") as raised:
        ModelConfig(mt=server.url, mt_key_variable=KEY)
    assert KEY not in str(raised.value)
