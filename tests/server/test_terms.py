"""Terms of a session: given at its start, changed while it runs, and what of other protocols they are."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from server import protocol as p
from server.codec import CloseCode
from server.dialects.base import Dialect, read_query
from server.dialects.deepgram import DeepgramDialect
from server.dialects.openai import OpenAITranscription
from server.dialects.vosk import VoskDialect
from server.stage.stage import Stage
from tests.server.proof import expected
from tests.server.rig import MemoryClient, Rig, noise
from tests.server.stage.test_stage import Seat

AUDIO = noise(4.1, seed=31)
WORDS = expected(AUDIO).split()
PCM = np.rint(AUDIO * 32768).astype("<i2").tobytes()


def named(number: int, name: str) -> str:
    """A term that the word of this number sounds like."""
    return f"{name}\t{WORDS[number]}"


def test_terms_are_given_at_the_start_and_changed_while_it_runs() -> None:
    rig = Rig()
    client = rig.connect().say(p.SessionStart(glossary=(named(2, "Newgate"), " ")))
    assert client.of(p.SessionReady)[0].config.terms == 2
    client.play(AUDIO[:32_000]).say(p.SessionUpdate(glossary=(named(12, "Neild"), named(2, "Kessland"))))
    client.play(AUDIO[32_000:]).say(p.SessionClose())
    assert client.text() == " ".join({2: "Newgate", 12: "Neild"}.get(n, word) for n, word in enumerate(WORDS))
    assert client.of(p.SessionUpdated)[0].config.terms == 2


def test_what_is_left_out_of_a_change_stays() -> None:
    client = Rig().connect().say(p.SessionStart(glossary=(named(15, "Neild"),)))
    client.play(AUDIO[:32_000]).say(p.SessionUpdate(targets=()))
    client.play(AUDIO[32_000:]).say(p.SessionClose())
    assert client.text().split()[15] == "Neild"


def test_a_worker_that_breaks_forgets_no_terms() -> None:
    rig = Rig(workers=2)
    client = rig.connect().say(p.SessionStart(glossary=(named(15, "Neild"),))).play(AUDIO[:24_000])
    rig.workers.kill(next(iter(rig.host.sessions.values())).worker)
    client.play(AUDIO[24_000:]).say(p.SessionClose())
    assert client.text().split()[15] == "Neild"


@pytest.mark.parametrize(
    ("glossary", "said"),
    [
        (("x",) * 501, "The glossary has 501 terms; 500 are allowed."),
        (("x" * 201,), "longer than 200 characters"),
    ],
)
def test_too_many_and_too_long_terms_are_refused(glossary: tuple[str, ...], said: str) -> None:
    client = Rig().connect().say(p.SessionStart(glossary=glossary))
    assert said in client.of(p.ErrorMessage)[0].message
    assert client.closed is not None
    assert client.closed[0] == CloseCode.BAD_MESSAGE


def test_the_audience_reads_terms_as_they_are_called_in_its_language() -> None:
    rig = Rig(workers=2)
    rig.host.stage = Stage(("en", "de"), rig.host.translate)
    seat = Seat()
    rig.host.stage.watch(seat, "de", None, rig.clock.now())
    term = f"Newgate\t{WORDS[3]}\tde=Neutor"
    rig.connect().say(p.SessionStart(glossary=(term,))).play(AUDIO).say(p.SessionClose())
    said = " ".join(seat.lines()).split()
    assert said[3] == "Neutor"
    assert said[4] == f"de{WORDS[4]}"


def connected(dialect: Dialect) -> MemoryClient:
    return Rig(native=False).connect(dialect)


def test_deepgram_key_terms() -> None:
    query = f"encoding=linear16&sample_rate=16000&keyterm={named(2, 'Newgate')}&keyterm={named(5, 'Neild')}&keywords="
    query += f"{named(7, 'Caslon')}:2"
    client = connected(DeepgramDialect(read_query(query.replace("\t", "%09"), DeepgramDialect.several)))
    client.send(PCM).send('{"type": "CloseStream"}')
    results = [json.loads(frame) for frame in client.frames]
    said = " ".join(r["channel"]["alternatives"][0]["transcript"] for r in results if r.get("is_final"))
    assert [said.split()[n] for n in (2, 5, 7)] == ["Newgate", "Neild", "Caslon"]


@pytest.mark.parametrize(
    ("settings", "terms"),
    [
        ({"keywords": ["Newgate", "Neild"]}, ("Newgate", "Neild")),
        ({"prompt": "Newgate, Neild; William Caslon."}, ("Newgate", "Neild", "William Caslon")),
        ({"prompt": "Expect words that are related to printing, and to prisons."}, ()),
        ({"keywords": "Newgate", "prompt": 3}, ()),
        ({"language": "en"}, None),
    ],
)
def test_openai_keywords_and_prompts_that_are_lists(
    settings: dict[str, object], terms: tuple[str, ...] | None
) -> None:
    client = connected(OpenAITranscription({}))
    audio = {"input": {"transcription": settings}}
    client.send(json.dumps({"type": "session.update", "session": {"audio": audio}}))
    data = base64.b64encode(bytes(4800)).decode()
    client.send(json.dumps({"type": "input_audio_buffer.append", "audio": data}))
    assert client.port.live is not None
    assert client.port.live.spec.terms == (terms or ())


def test_vosk_phrases() -> None:
    client = connected(VoskDialect({}))
    config = {"sample_rate": 16000, "phrase_list": [named(4, "Newgate"), 3, ""]}
    client.send(json.dumps({"config": config})).send(PCM).send('{"eof" : 1}')
    told = [json.loads(frame) for frame in client.frames]
    assert "Newgate" in " ".join(frame.get("text", "") for frame in told)
