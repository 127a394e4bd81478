"""Text translation by a language model behind an OpenAI-compatible address (vLLM, SGLang, llama.cpp, hosted ones)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.base import Need
from simul.errors import UsageError
from simul.languages import SPACELESS
from simul.models.llm.client import Client, EndpointError, Refused
from simul.models.llm.prompt import Messages, instructions, messages, opening, room
from simul.models.llm.reply import Reply, parse
from simul.models.translation.interface import TextRequest, TextResult

PARALLEL = 8
"""Texts of a batch that are asked for at the same time."""
QUESTION, BEGUN = "Write the numbers from one to six in English words, separated by spaces.", "one two three"
"""A question and the beginning of its answer, by which a server shows whether it goes on from a beginning."""


@dataclass(frozen=True)
class Abilities:
    """What a server does when asked.

    continues: it goes on from the beginning of the model's message. scores: it gives log-probabilities. strips: it
    leaves out the space before what goes on.
    """

    continues: bool
    scores: bool
    strips: bool = False


class EndpointTranslator:
    """Translates from `source` to `target` (ISO 639-1) with `model`, or the only model, of the server at `url`.

    url: up to the version, such as http://127.0.0.1:8000/v1. key: sent as a bearer token, and shown nowhere.
    timeout: seconds a request may take. retries: how often a request is repeated after a timeout, a lost connection,
    429 or 5xx.

    The committed text is given as the beginning of the model's message, which vLLM, SGLang and llama.cpp continue.
    A server that does not is told the beginning in words instead; an answer that does not begin with it is no
    candidate, and nothing is committed in that pass. What a server does is found out by short requests here. Tokens
    are the model's own where it gives log-probabilities, else words. The end of a text that is not complete does not
    count as its end.

    Raises:
        EndpointError: the server cannot be reached, refuses the key or answers something else.
        UsageError: it is not said which of the server's models is meant, or a language is unknown.
    """

    def __init__(
        self,
        url: str,
        model: str | None,
        source: str,
        target: str,
        key: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
    ) -> None:
        self.sources, self.targets = frozenset({source}), frozenset({target})
        self._system, self._spaces = instructions(source, target), target not in SPACELESS
        self._client = Client(url, key, timeout, retries)
        self.model = model or self._only_model()
        self.name = f"{self.model} at {self._client.host}"
        self.abilities = self._probe()
        self.lacks = frozenset({Need.SPANS} if self.abilities.scores else {Need.SPANS, Need.LOGPROBS})
        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="translate")

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """One result per request, in order; an empty source gives an empty result.

        Raises:
            EndpointError: the server failed, also after the retries, or the translator was closed.
        """
        if len(requests) == 1:
            return [self._translate(requests[0])]
        return list(self._pool.map(self._translate, requests))

    def close(self) -> None:
        """Give up requests in flight, which then raise `EndpointError`, and take no more."""
        self._client.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _only_model(self) -> str:
        listed = self._client.get("/models").get("data")
        names = [str(m["id"]) for m in listed if "id" in m] if isinstance(listed, list) else []
        if len(names) == 1:
            return names[0]
        said = f"it has: {', '.join(names)}" if names else "it lists none"
        url = self._client.url
        raise UsageError(f"Say which model of {url} is to translate, {url}#MODEL; {said}.")

    def _probe(self) -> Abilities:
        """Ask for everything, then for less, until the server does not refuse."""
        asked = [{"role": "user", "content": QUESTION}]
        choices = [Abilities(continues, scores) for continues in (True, False) for scores in (True, False)]
        for abilities in choices:
            try:
                reply = self._ask(asked, BEGUN if abilities.continues else "", 8, abilities)
            except Refused:
                if abilities == choices[-1]:
                    raise
                continue
            break
        continues = abilities.continues and not reply.text.strip().lower().startswith(BEGUN.split()[0])
        return Abilities(continues, reply.logprobs is not None, not reply.text.startswith(" "))

    def _ask(self, asked: Messages, begun: str, limit: int, abilities: Abilities) -> Reply:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": asked,
            "temperature": 0,
            "max_tokens": limit,
            "stop": ["\n"],
        }
        if abilities.scores:
            body["logprobs"] = True
        if begun:
            body["messages"] = [*asked, {"role": "assistant", "content": begun}]
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        found = self._client.chat(body)
        try:
            return parse(found)
        except ValueError as error:
            raise EndpointError(
                f"The answer of {self._client.url} holds no message; is it an OpenAI-compatible address?"
            ) from error

    def _translate(self, request: TextRequest) -> TextResult:
        limit = room(request)
        if not request.source.strip() or not limit:
            return TextResult((), (), ended=not request.source.strip())
        begun = opening(request.prefix)
        reply = self._continued(request, begun, limit) if self.abilities.continues else None
        if reply is None:
            reply = self._told(request, begun, limit)
        if begun and request.word_complete:
            reply = reply.after_word()
        if not begun and self._spaces:
            reply = reply.spaced()
        reply = reply.first(limit)
        scores = None
        if self.abilities.scores:
            known = (-np.inf,) * len(reply.tokens) if reply.logprobs is None else reply.logprobs
            scores = np.array(known, dtype=np.float64)
        return TextResult(reply.tokens, (), scores, None, reply.ended and request.complete)

    def _continued(self, request: TextRequest, begun: str, limit: int) -> Reply:
        """What the model writes on from the beginning of its message."""
        reply = self._ask(messages(self._system, request.source), begun, limit, self.abilities)
        if begun and self.abilities.strips and request.word_complete and self._spaces:
            return reply if not reply.tokens or _is_mark(reply.tokens[0]) else reply.spaced()
        return reply

    def _told(self, request: TextRequest, begun: str, limit: int) -> Reply:
        """What the model writes after a beginning that it was told to repeat; nothing if it did not."""
        system = self._system
        if begun:
            system += f" The translation begins with exactly these words, which you write first: {begun}"
            limit += len(request.prefix) + len(begun) // 2
        reply = self._ask(messages(system, request.source), "", limit, self.abilities)
        lead = len(reply.text) - len(reply.text.lstrip())
        if not reply.text[lead:].startswith(begun):
            return Reply((), () if self.abilities.scores else None, False)
        return reply.after(lead + len(begun)) if begun else reply


def _is_mark(token: str) -> bool:
    return not any(c.isalnum() for c in token)
