"""Lines posted to a receiver of captions: each once, in order, numbered; a receiver that fails holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timezone

import httpx
import pytest

from server.options import ServeOptions
from server.run import caption_sinks
from server.stage.sink import GRACE_SECONDS, KEPT, CaptionSink, SinkAddress, posting
from simul.errors import UsageError
from tests.server.stage.test_stage import Talk

ZOOM = SinkAddress("de", "https://meeting.example/closedcaption?id=7&signature=secret")
YOUTUBE = SinkAddress("de", "http://upload.youtube.com/closedcaption?cid=secret")


class Receiver:
    """Answers posts with the codes it is given, then 200; None: the connection fails."""

    def __init__(self, *codes: int | None) -> None:
        self.codes = list(codes)
        self.posts: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        code = self.codes.pop(0) if self.codes else 200
        if code is None:
            raise httpx.ConnectError("refused", request=request)
        self.posts.append((str(request.url), request.content.decode()))
        return httpx.Response(code)

    @property
    def numbers(self) -> list[str]:
        return [httpx.URL(url).params["seq"] for url, _ in self.posts]


class Rig:
    """A sink that watches a talk; time passes where the sink waits."""

    def __init__(self, address: SinkAddress, *codes: int | None) -> None:
        self.talk, self.receiver, self.said = Talk("en", "de"), Receiver(*codes), list[str]()
        date = datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)
        self.sink = CaptionSink(address, self.said.append, lambda: self.talk.now, lambda: date)
        assert self.talk.stage.watch(self.sink, "de", None, 0.0)

    def run(self, seconds: float, meanwhile: Callable[[float], None] = lambda now: None) -> None:
        """Post for so long; the talk goes on as `meanwhile` says."""

        async def played() -> None:
            over = asyncio.Event()
            end = self.talk.now + seconds

            async def pause(wait: float) -> None:
                self.talk.now += wait
                self.talk.stage.tick(self.talk.now)
                meanwhile(self.talk.now)
                if self.talk.now >= end:
                    over.set()
                await asyncio.sleep(0)

            async with posting([self.sink], httpx.MockTransport(self.receiver), pause):
                await over.wait()

        asyncio.run(played())


def test_translated_lines_are_posted_in_order_with_numbers_and_the_language() -> None:
    rig = Rig(ZOOM)
    rig.talk.say("Good evening. How are you? ")
    rig.talk.end_segment()
    rig.talk.translate()
    rig.run(1)
    assert [body for _, body in rig.receiver.posts] == ["de:Good evening.", "de:How are you?"]
    assert [url for url, _ in rig.receiver.posts] == [f"{ZOOM.url}&seq={n}&lang=de" for n in (1, 2)]


def test_a_broadcast_gets_the_time_before_the_line() -> None:
    rig = Rig(YOUTUBE)
    rig.talk.say("Good evening. ")
    rig.talk.end_segment()
    rig.talk.translate()
    rig.run(1)
    assert rig.receiver.posts == [(f"{YOUTUBE.url}&seq=1", "2026-03-01T09:30:00.000\nde:Good evening.\n")]


def test_a_late_translation_is_waited_for_and_the_line_posted_once() -> None:
    rig = Rig(ZOOM)
    rig.talk.say("Good evening. ")
    rig.talk.end_segment()
    rig.run(5)
    assert rig.receiver.posts == []
    rig.talk.translate()
    rig.run(2 * GRACE_SECONDS)
    assert [body for _, body in rig.receiver.posts] == ["de:Good evening."]


def test_where_no_translation_comes_the_line_is_posted_as_it_was_said() -> None:
    rig = Rig(ZOOM)
    rig.talk.say("Good evening. ")
    rig.talk.end_segment()
    rig.run(2 * GRACE_SECONDS)
    rig.talk.translate()
    rig.run(5)
    assert [body for _, body in rig.receiver.posts] == ["Good evening."]


def test_a_receiver_that_is_away_for_a_moment_gets_every_line_with_its_number() -> None:
    rig = Rig(ZOOM, None, 503, 200)
    rig.talk.say("Good evening. How are you? ")
    rig.talk.end_segment()
    rig.talk.translate()
    rig.run(10)
    assert rig.receiver.numbers == ["1", "1", "2"]
    assert rig.said == []


@pytest.mark.parametrize("code", [403, 404])
def test_a_refusal_is_said_once_without_the_key_and_not_tried_again(code: int) -> None:
    rig = Rig(ZOOM, code, code, 200)
    rig.talk.say("One. Two. Three. ")
    rig.talk.end_segment()
    rig.talk.translate()
    rig.run(10)
    assert rig.receiver.numbers == ["1", "2", "3"]
    assert rig.said == [f"The caption receiver for de answers {code}; a line was left out."]


def test_lines_that_wait_are_bounded() -> None:
    rig = Rig(ZOOM)
    for number in range(KEPT + 20):
        rig.talk.say(f"Line {number}. ")
        rig.talk.end_segment()
        rig.talk.translate()
    rig.run(30)
    assert rig.receiver.posts[0][1] == "de:Line 20."
    assert len(rig.receiver.posts) == KEPT
    assert len(rig.said) == 1


@pytest.mark.parametrize(
    "given",
    [
        "de",
        "=https://x.example/",
        "de=ftp://x.example/",
        "de=https://",
        "de=http://[::1",
        "de=http://x:port/",
    ],
)
def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="LANG=URL"):
        SinkAddress.parse(given)


def test_a_sink_needs_a_stage_and_a_language_that_it_offers() -> None:
    with pytest.raises(UsageError, match="--stage too"):
        ServeOptions(caption_sink=("de=https://x.example/",))
    options = ServeOptions(stage=True, caption_sink=("fi=https://x.example/",))
    with pytest.raises(UsageError, match="offers en, de, fr"):
        caption_sinks(options, Talk().stage, print)
