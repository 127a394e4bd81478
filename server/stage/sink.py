"""Lines of a stage, posted to a meeting or a broadcast that shows captions: as Zoom takes them, or YouTube."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import httpx

from server import protocol as p
from server.stage.messages import Caption
from simul.errors import UsageError

Pause = Callable[[float], Awaitable[object]]
GRACE_SECONDS = 8.0
"""A line that stands in for a late translation is posted after this, since what is posted cannot be replaced."""
KEPT = 50
"""Lines that wait while the receiver cannot be reached; of more the oldest are left out."""
TRIES = 5
PAUSE_SECONDS = 0.2
RETRY_SECONDS = 1.0
TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class SinkAddress:
    """Where the lines of a language are posted to."""

    language: str
    url: str

    @classmethod
    def parse(cls, text: str) -> SinkAddress:
        """LANG=URL.

        Raises:
            UsageError: it is something else.
        """
        language, _, url = text.partition("=")
        try:
            asked = httpx.URL(url)
            usable = asked.scheme in ("http", "https") and bool(asked.host)
        except httpx.InvalidURL:
            usable = False
        if not language or not usable:
            raise UsageError(f"--caption-sink is LANG=URL, such as de=https://…, not {text!r}.")
        return cls(language, url)

    @property
    def dated(self) -> bool:
        """Whether a time stands before each line, as YouTube asks for."""
        host = httpx.URL(self.url).host
        return host == "youtube.com" or host.endswith(".youtube.com")

    def numbered(self, number: int) -> str:
        """The address of a post: the receiver puts lines in order by the number."""
        url = f"{self.url}{'&' if httpx.URL(self.url).query else '?'}seq={number}"
        return url if self.dated else f"{url}&lang={self.language}"


class CaptionSink:
    """A watcher whose screen is elsewhere. Lines go there in order, each once, and never hold up the talk.

    Zoom's closed captions take plain text, YouTube's a line with the time (UTC) before it; both number the posts.
    """

    def __init__(
        self,
        address: SinkAddress,
        say: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
        date: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.address = address
        self._say, self._now, self._date = say, now, date
        self._waiting: dict[int, tuple[Caption, float]] = {}
        self._posted = -1
        self._number = 0
        self._troubled = False

    def tell(self, message: p.ServerMessage) -> None:
        """A line that was not posted yet waits for its turn."""
        if isinstance(message, Caption) and message.line > self._posted:
            since = self._waiting[message.line][1] if message.line in self._waiting else self._now()
            self._waiting[message.line] = (message, since)
            if len(self._waiting) > KEPT:
                self._trouble("does not keep up; the oldest lines are left out")
                del self._waiting[min(self._waiting)]

    def due(self) -> Caption | None:
        """The next line, once its text is final."""
        if not self._waiting:
            return None
        caption, since = self._waiting[min(self._waiting)]
        return None if caption.stand_in and self._now() - since < GRACE_SECONDS else caption

    async def run(self, client: httpx.AsyncClient, pause: Pause = asyncio.sleep) -> None:
        """Post what is due until cancelled."""
        while True:
            while (caption := self.due()) is not None:
                await self._post(client, caption, pause)
                self._waiting.pop(caption.line, None)
                self._posted = max(self._posted, caption.line)
            await pause(PAUSE_SECONDS)

    async def _post(self, client: httpx.AsyncClient, caption: Caption, pause: Pause) -> None:
        """One line, with the same number until it was taken or refused."""
        self._number += 1
        url, reason = self.address.numbered(self._number), ""
        stamp = self._date().isoformat(timespec="milliseconds").removesuffix("+00:00")
        body = f"{stamp}\n{caption.text}\n" if self.address.dated else caption.text
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        for attempt in range(TRIES):
            if attempt:
                await pause(RETRY_SECONDS * attempt)
            try:
                answer = await client.post(
                    url, content=body.encode(), headers=headers, timeout=TIMEOUT_SECONDS
                )
            except httpx.HTTPError as error:
                reason = f"cannot be reached ({type(error).__name__})"
                continue
            if answer.is_success:
                self._troubled = False
                return
            reason = f"answers {answer.status_code}"
            if answer.status_code < 500:
                break
        self._trouble(f"{reason}; a line was left out")

    def _trouble(self, what: str) -> None:
        """Say it once, until a line gets through again; never the address, which holds a key."""
        if not self._troubled:
            self._troubled = True
            self._say(f"The caption receiver for {self.address.language} {what}.")


@contextlib.asynccontextmanager
async def posting(
    sinks: Sequence[CaptionSink],
    transport: httpx.AsyncBaseTransport | None = None,
    pause: Pause = asyncio.sleep,
) -> AsyncIterator[None]:
    """While it is open, lines of these sinks are posted."""
    async with httpx.AsyncClient(transport=transport) as client:
        running = [asyncio.create_task(sink.run(client, pause)) for sink in sinks]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
