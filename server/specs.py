"""What a session's audio is to become: by what its client asks, and else as the server was started."""

from __future__ import annotations

from server import protocol as p
from server.workers.messages import TrackSpec
from simul.audio.intake import to_samples
from simul.config import StreamOptions
from simul.languages import OR, alternatives, is_open


def spec_of(
    options: StreamOptions,
    asked: p.SessionStart | p.SessionUpdate,
    former: TrackSpec | None = None,
    staged: bool = False,
) -> TrackSpec:
    """former: what the session does so far. staged: it is translated for the audience, not in the session."""
    given = () if options.source == options.target else (options.target,)
    between = pair_of(options, asked, former)
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
    if between:
        source, targets = OR.join(between), between
    elif is_open(source) and former is not None and former.between:
        source = former.between[0]
    wanted = () if staged else tuple(target for target in targets if target != source)
    terms = asked.glossary if asked.glossary is not None else (former.terms if former else ())
    return TrackSpec(
        source, wanted, policy, args, chunk, live, former.owner if former else "", terms, between
    )


def pair_of(
    options: StreamOptions, asked: p.SessionStart | p.SessionUpdate, former: TrackSpec | None
) -> tuple[str, ...]:
    """The two languages of a conversation, where it is to be one."""
    if asked.two_way is not None:
        return asked.two_way
    if asked.source is not None or asked.targets is not None:
        return ()
    return former.between if former else two_languages(options)


def two_languages(options: StreamOptions) -> tuple[str, ...]:
    """Of a server that was started for a conversation."""
    return alternatives(options.source) if OR in options.source else ()
