"""An agent of SimulEval's behind HTTP as a backend, so that `simul eval` evaluates it like a model of our own.

The agent decides by itself: what it has written stands, and the policy commits all of it (`settings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import httpx
import numpy as np

from policies.base import SAMPLES_PER_MS, Candidate, Need, SourceView
from simul.adapters.remote.wire import SegmentError, SourceSegment, TargetSegment
from simul.backends.base import Backend, DecodeRequest, Limits, StreamSpec
from simul.backends.families import LoadedBackend
from simul.clock import elapsed_seconds
from simul.config import ModelConfig, StreamOptions
from simul.errors import ExitCode, SimulError
from simul.languages import latency_unit
from simul.units import SAMPLE_RATE, Samples

ANSWER_SECONDS = 300.0
"""How long an agent may compute for one segment."""
LAST_SEGMENTS = 10_000
"""After the end of a recording an agent is asked so often for the rest before it counts as broken."""


class AgentUnreachableError(SimulError):
    """No agent answers at an address, or it answers with an error."""

    exit_code = ExitCode.CONNECTION


def settings(stream: StreamOptions) -> StreamOptions:
    """The options of a stream whose policy commits what the agent has written, whole words or not."""
    return replace(stream, policy="hold-n", policy_arg=("n=0", "words=false"))


@dataclass
class AgentState:
    """Samples not sent yet, what was written, and whether the source or the agent is at its end."""

    spec: StreamSpec
    fresh: list[Samples] = field(default_factory=list)
    pushed: int = 0
    heard: int = 0
    decoded: int = 0
    closing: bool = False
    finished: bool = False
    tokens: list[str] = field(default_factory=list)


class AgentBackend(Backend[AgentState]):
    """Sends what is pushed as one segment for each decision; one recording at a time, since the agent has no sessions.

    base: the agent's address, such as http://localhost:12321. transport: replaces the network in tests.

    Raises:
        AgentUnreachableError: (when audio is sent) nobody answers there, or not in time, or with an error.
        SegmentError: the answer is not a segment of text.
    """

    name: ClassVar[str] = "simuleval-agent"

    def __init__(self, base: str, limits: Limits, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(frozenset({Need.TOKENS}), limits)
        self._base = base
        # Proxies are for other machines; an agent is named by its own address.
        self._http = httpx.Client(base_url=base, timeout=ANSWER_SECONDS, transport=transport, trust_env=False)

    def _start(self, spec: StreamSpec) -> AgentState:
        return AgentState(spec)

    def push(self, stream: int, samples: Samples) -> None:
        state = self.state(stream)
        state.fresh.append(samples.copy())
        state.pushed += len(samples)

    def end(self, stream: int) -> None:
        self.state(stream).closing = True

    def advance(self, streams: Sequence[int]) -> None:
        for state in map(self.state, streams):
            if not state.heard:
                self._ask("POST", "/reset")
            if not state.finished:
                self._send(state)
            state.heard = state.pushed

    def _send(self, state: AgentState) -> None:
        samples = np.concatenate(state.fresh) if state.fresh else np.zeros(0, np.float32)
        state.fresh = []
        self._turn(state, SourceSegment(samples.tolist(), SAMPLE_RATE, state.closing))
        asked = 0
        while state.closing and not state.finished:
            asked += 1
            if asked > LAST_SEGMENTS:
                raise SegmentError("The agent does not finish a recording whose end it was told.")
            self._turn(state, SourceSegment(finished=True))

    def _turn(self, state: AgentState, segment: SourceSegment) -> None:
        self._ask("PUT", "/input", segment.to_json(state.pushed / SAMPLES_PER_MS))
        found = TargetSegment.from_json(self._ask("GET", "/output"))
        state.finished = found.finished
        if latency_unit(state.spec.target) == "char":
            state.tokens += found.text.replace(" ", "")
        else:
            state.tokens += [f" {word}" for word in found.text.split()]

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        try:
            answer = self._http.request(method, path, content=body)
        except httpx.TimeoutException as error:
            raise AgentUnreachableError(
                f"The agent at {self._base} gives no answer within {ANSWER_SECONDS:.0f} s."
            ) from error
        except httpx.HTTPError as error:
            raise AgentUnreachableError(
                f"No agent answers at {self._base}: {error or type(error).__name__}; start one with "
                "`simul eval --standalone` or `simuleval --standalone`."
            ) from error
        if answer.is_error:
            raise AgentUnreachableError(
                f"The agent at {self._base} answers {method} {path} with {answer.status_code}: {answer.text[:300]}"
            )
        return answer.content

    def view(self, stream: int) -> SourceView:
        state = self.state(stream)
        over = state.closing and state.heard == state.pushed
        return SourceView(
            heard=state.heard,
            new=state.heard - state.decoded,
            segment_start=0,
            segment_final=over,
            finished=over,
            closed_by="end" if over else "",
        )

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        found = []
        for request in requests:
            state = self.state(request.stream)
            state.decoded = request.until
            found.append(Candidate(tuple(state.tokens[len(request.prefix) :])))
        return found

    def next_segment(self, stream: int) -> None:
        self.state(stream).decoded = self.state(stream).heard


@dataclass(frozen=True)
class LoadAgent:
    """Stands for `load_backend`; can be sent to another process. base: the agent's address."""

    base: str

    def __call__(
        self, config: ModelConfig, source: str, target: str, *, needs: frozenset[Need] = frozenset()
    ) -> LoadedBackend:
        """The agent as a backend for the language pair, whatever else it can do."""
        limits = Limits(frozenset({source}), frozenset({target}), streams_at_once=1, meter=elapsed_seconds)
        return LoadedBackend(AgentBackend(self.base, limits), f"The agent at {self.base}.")
