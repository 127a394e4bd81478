"""SimulEval agent: our session inside the `simuleval` command (SimulEval 1.1), by `--agent` or `--agent-class`.

simuleval --agent-class simul.adapters.simuleval_agent.SimulAgent --source-segment-size 500 --source LIST ...

SimulEval executes a file given to `--agent` as a module of its own name, in which no dataclass can be defined.
"""

from __future__ import annotations

import logging
from argparse import ArgumentParser, Namespace
from typing import Any

from simuleval.agents import Action, AgentStates, ReadAction, SpeechToTextAgent, WriteAction
from simuleval.utils import entrypoint

from simul.adapters.appended import AppendedText
from simul.adapters.pieces import SPACE
from simul.adapters.sessions import Sessions
from simul.backends.families import load_backend
from simul.config import ModelConfig, StreamOptions
from simul.errors import UsageError, exit_code_of
from simul.languages import latency_unit
from simul.options import add_options, from_namespace
from simul.session.factory import SessionFactory

NAMES = {"source": "source_lang", "target": "target_lang"}
"""Where our options are called otherwise, because SimulEval has one of that name."""

_LOG = logging.getLogger("simul.adapters.simuleval")


class SessionStates(AgentStates):
    """SimulEval's states of one stream, and what we add: how far the source was taken, the recording."""

    def __init__(self, recording: AppendedText) -> None:
        self.recording = recording
        super().__init__()

    def reset(self) -> None:
        """Forget the stream."""
        super().reset()
        self.taken = 0
        self.recording.reset()


@entrypoint
class SimulAgent(SpeechToTextAgent):
    """Feeds what SimulEval sends to a session and writes what settles, at most once per segment of source.

    Output is words, characters or the pieces of a SentencePiece model, as `--eval-latency-unit` says. A subclass
    may serve a model of its own through `load_backend`.

    Raises:
        UsageError: the policy takes text back, or an option cannot be used.
        EvidenceError: the policy needs evidence that the model does not provide.
        ModelMissingError: a model or its package is not here.
    """

    load_backend = staticmethod(load_backend)

    def __init__(self, args: Namespace) -> None:
        self.sessions = Sessions(_factory(args, self.load_backend))
        self.unit = getattr(args, "eval_latency_unit", "word")
        self._pieces: Any = None
        if self.unit == "spm":
            self._pieces = _sentence_pieces(getattr(args, "eval_latency_spm_model", None))
        super().__init__(args)

    @staticmethod
    def add_args(parser: ArgumentParser) -> None:
        """The options of `simul translate` for stream and model, by the names in `NAMES` where they differ."""
        add_options(parser, StreamOptions, "stream of simul", NAMES, leave_out=["chunk_ms"])
        parser.add_argument(
            "--chunk-ms",
            type=int,
            metavar="MS",
            help="audio between two decisions, in milliseconds (default: that of --source-segment-size)",
        )
        add_options(parser, ModelConfig, "model of simul", NAMES)

    @classmethod
    def from_args(cls, args: Namespace) -> SimulAgent:
        """The agent for SimulEval's command line; what is wrong ends the program with one sentence."""
        try:
            return cls(args)
        except Exception as error:
            if exit_code_of(error) is None:
                raise
            raise SystemExit(f"simul: {error}") from error

    def build_states(self) -> SessionStates:
        """States for a stream; SimulEval calls this."""
        return SessionStates(AppendedText(self.sessions, self.unit))

    def policy(self, states: SessionStates | None = None) -> Action:
        """Feed the new part of the source; write what has settled, and finish with the source."""
        states = self.states if states is None else states
        # The source is a list of floats that grows with the stream; only its new part is copied.
        fresh = states.source[states.taken :]
        states.taken += len(fresh)
        over = states.source_finished
        # `--tgt-lang` may give each recording a target of its own.
        wanted = getattr(states, "tgt_lang", None)
        target = wanted if isinstance(wanted, str) else None
        text = states.recording.take(fresh, states.source_sample_rate, over, target)
        if over:
            self._warn(states)
            return WriteAction(self._shown(states, text), finished=True)
        return WriteAction(self._shown(states, text), finished=False) if text else ReadAction()

    def _shown(self, states: SessionStates, text: str) -> str:
        if self._pieces is None:
            return text
        pieces = self._pieces.encode(text, out_type=str)
        if latency_unit(states.recording.target) == "char" and pieces:
            # The encoder puts the mark of a space before every text.
            pieces[0] = pieces[0].removeprefix(SPACE)
        return " ".join(pieces)

    def _warn(self, states: SessionStates) -> None:
        count = states.recording.lengthened
        if count:
            _LOG.warning(
                "%d words were made longer after they had been written and stand as two in this log; "
                "use a policy that settles whole words, such as then(%s, word-hold).",
                count,
                self.sessions.policy,
            )


def _factory(args: Namespace, load: Any) -> SessionFactory:
    """The session factory that SimulEval's arguments describe."""
    given = Namespace(**vars(args))
    if getattr(given, "chunk_ms", None) is None:
        given.chunk_ms = int(getattr(given, "source_segment_size", None) or StreamOptions.chunk_ms)
        if given.chunk_ms < 10:
            raise UsageError(
                f"SimulEval would send {given.chunk_ms} ms of speech at a time; give --source-segment-size 500."
            )
    stream = from_namespace(StreamOptions, given, NAMES)
    model = from_namespace(ModelConfig, given, NAMES)
    return SessionFactory(stream, model, load)


def _sentence_pieces(path: str | None) -> Any:
    """The model of `--eval-latency-spm-model`."""
    import sentencepiece

    if path is None:
        raise UsageError(
            "The latency unit spm needs a SentencePiece model: add --eval-latency-spm-model FILE."
        )
    try:
        return sentencepiece.SentencePieceProcessor(model_file=path)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} cannot be read as a SentencePiece model: {error}.") from error
