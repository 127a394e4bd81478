"""What a session's audio is to become: by what its client asks, and else as the server was started."""

from __future__ import annotations

from server import protocol as p
from server.workers.messages import TrackSpec
from simul.audio.intake import to_samples
from simul.config import StreamOptions


def spec_of(
    options: StreamOptions,
    asked: p.SessionStart | p.SessionUpdate,
    former: TrackSpec | None = None,
    staged: bool = False,
) -> TrackSpec:
    """former: what the session does so far. staged: it is translated for the audience, not in the session."""
    given = () if options.source == options.target else (options.target,)
    source = asked.source or (former.source if former else options.source)
    targets = asked.targets if asked.targets is not None else (former.targets if former else given)
    policy, args = options.policy, tuple(options.policy_arguments().items())
    if asked.policy is not None:
        policy, args = asked.policy.name, tuple(asked.policy.params.items())
    elif former is not None:
        policy, args = former.policy, former.policy_args
    chunk_ms = (asked.chunk_ms if isinstance(asked, p.SessionStart) else None) or options.chunk_ms
    chunk = former.chunk if former else to_samples(chunk_ms)
    live = former.live if former else not isinstance(asked, p.SessionStart) or asked.mode == "live"
    wanted = () if staged else tuple(target for target in targets if target != source)
    terms = asked.glossary if asked.glossary is not None else (former.terms if former else ())
    return TrackSpec(source, wanted, policy, args, chunk, live, former.owner if former else "", terms)
