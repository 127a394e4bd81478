"""What the gateway tells a worker and what a worker answers; values that are pickled on their way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simul.session.events import Event

OfferedVoices = Mapping[str, tuple[tuple[str, str], ...]]
"""By language, the name of each voice and what people call it."""
SPEECH_RATE = 24_000
"""Of all speech, whichever voice speaks: Hz."""


@dataclass(frozen=True)
class TrackSpec:
    """What a session's audio is to become. targets: none but the source transcribes. owner: whose it is.

    terms: names and rare words, each a line as in a file of terms. between: two languages, of which either may be
    spoken and is told in the other.
    """

    source: str = "en"
    targets: tuple[str, ...] = ("de",)
    policy: str = "local-agreement"
    policy_args: tuple[tuple[str, str], ...] = ()
    chunk: int = 8000
    live: bool = True
    owner: str = ""
    terms: tuple[str, ...] = ()
    between: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """The languages that a stream is to write; what is said is translated afterwards in a conversation."""
        return (self.source,) if self.between or not self.targets else self.targets


@dataclass(frozen=True)
class OpenTrack:
    """Begin a track. base: the sample its audio begins at; segment: the number of its first segment."""

    key: str
    spec: TrackSpec
    base: int = 0
    segment: int = 0


@dataclass(frozen=True)
class PushAudio:
    """16-bit samples at 16 kHz that arrived at the time `at`, on the clock that all processes share."""

    key: str
    pcm: bytes
    at: float


@dataclass(frozen=True)
class Cut:
    """A place in the audio. flush: settle what is before it; mark: say when what is before it was processed."""

    key: str
    kind: str
    id: str = ""


@dataclass(frozen=True)
class SkipAudio:
    """Time without audio: so many samples."""

    key: str
    samples: int


@dataclass(frozen=True)
class ChangeTrack:
    """From here on the audio is to become something else."""

    key: str
    spec: TrackSpec


@dataclass(frozen=True)
class FinishTrack:
    """No more audio: settle the rest."""

    key: str


@dataclass(frozen=True)
class DropTrack:
    """Forget the track."""

    key: str


@dataclass(frozen=True)
class TranslateText:
    """Translate a settled text of a session, apart from its audio. terms: as of its track."""

    key: str
    number: int
    text: str
    source: str
    target: str
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpeakText:
    """Speak a settled text, `speed` times as fast as the voice's own pace; hurry: how much pauses shrink, 0 to 1.

    voice: of those on offer for the language; empty: the usual one.
    """

    key: str
    number: int
    text: str
    language: str
    speed: float = 1.0
    hurry: float = 0.0
    voice: str = ""


TextJob = TranslateText | SpeakText
Command = OpenTrack | PushAudio | Cut | SkipAudio | ChangeTrack | FinishTrack | DropTrack | TextJob


@dataclass(frozen=True)
class Offer:
    """What a worker's models do: what they are called, the languages they hear and write (none: not known before
    they are asked for), the policies that may rule them, the voices that there are for each language, and whether
    sessions may bring terms."""

    description: str
    sources: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    policies: tuple[str, ...] = ()
    voices: OfferedVoices = field(default_factory=dict)
    terms: bool = False


@dataclass(frozen=True)
class WorkerReady:
    """The models are loaded."""

    offer: Offer


@dataclass(frozen=True)
class WorkerFailed:
    """The models cannot be loaded: why, and the exit code for it."""

    message: str
    exit_code: int = 1


@dataclass(frozen=True)
class TrackOpened:
    """The languages and the policy are served. revises: the policy takes back what it settled."""

    key: str
    model: str
    policy: str
    revises: bool = False


@dataclass(frozen=True)
class TrackRefused:
    """They are not, or the stream failed to begin: why."""

    key: str
    message: str


@dataclass(frozen=True)
class TrackOutput:
    """Events, in samples and segments of the whole track.

    processed: the sample up to which audio was taken in. queue, compute: seconds that the last of it waited, and that
    computing took.
    """

    key: str
    events: tuple[Event, ...]
    processed: int
    queue: float = 0.0
    compute: float = 0.0


@dataclass(frozen=True)
class CutReached:
    """A flush or mark was reached, at the sample `at`."""

    key: str
    kind: str
    id: str
    at: int


@dataclass(frozen=True)
class TrackOver:
    """Everything is settled; failure: why the stream broke before, if it did.

    closing: what the stream that broke said last, up to the sample `processed`; it counts if the audio is not to be
    heard anew.
    """

    key: str
    failure: str = ""
    closing: tuple[Event, ...] = ()
    processed: int = 0


@dataclass(frozen=True)
class TextTranslated:
    """The translation of a text; failure: why there is none."""

    key: str
    number: int
    target: str
    text: str = ""
    failure: str = ""


@dataclass(frozen=True)
class TextSpoken:
    """The sound of a text: 16-bit samples at SPEECH_RATE, and the voice; failure: why there is none."""

    key: str
    number: int
    language: str
    pcm: bytes = b""
    voice: str = ""
    failure: str = ""


@dataclass(frozen=True)
class WorkerLoad:
    """How busy a worker was: seconds of computing since it began, tracks that are open; level: decisions are rarer."""

    compute: float
    tracks: int = 0
    level: int = 0


Answer = (
    WorkerReady
    | WorkerFailed
    | TrackOpened
    | TrackRefused
    | TrackOutput
    | CutReached
    | TrackOver
    | TextTranslated
    | TextSpoken
    | WorkerLoad
)
