"""Many streams on many devices under a virtual clock, with the very rules that the engine follows.

Nothing is recognised: a device takes, for a batch, the seconds of a cost function with noise. So rules are compared in
seconds of computing that would take hours on real devices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simul.engine.cost import BORDERS, Costs, CostTable, LoadMeter
from simul.engine.ladder import RUNGS, Ladder, Rung
from simul.engine.scheduler import Due, Served, choose
from simul.units import SAMPLE_RATE

EPOCH = 0.25
"""Seconds between two looks at the load."""
ALWAYS = 1 << 20
"""Chunks of a file that are there."""
FILE_WINDOW = 8.0
"""Seconds of the windows of streams that are read from files."""
MARGIN = 0.2
"""By how much more one device must be used than another before a stream moves."""
GAP = 0.3
"""Seconds in which a stream that moves is not served."""

Pick = Callable[[Sequence[Due], float, Costs, Served], Sequence[Due]]


def earliest(due: Sequence[Due], now: float, costs: Costs, served: Served) -> Sequence[Due]:
    """The engine's rule."""
    return choose(due, now, costs, served)


def first_come(due: Sequence[Due], now: float, costs: Costs, served: Served) -> Sequence[Due]:
    """In the order of arrival, 8 at most, whatever their shape."""
    return due[:8]


def one_by_one(due: Sequence[Due], now: float, costs: Costs, served: Served) -> Sequence[Due]:
    """In the order of arrival, without batches: a lock around the model."""
    return due[:1]


@dataclass(frozen=True)
class DeviceModel:
    """What a batch takes: `start`, and for each stream `each` and `second` for every second of its window.

    Windows are padded to their shape bucket and, where the device `pads`, to the longest of the batch. A stream in
    silence costs `silence`. noise: standard deviation of the logarithm of what a batch takes in fact.
    """

    start: float
    each: float
    second: float
    pads: bool = False
    silence: float = 0.001
    noise: float = 0.2

    def seconds(self, lengths: Sequence[int]) -> float:
        """What a batch of windows of so many samples takes on average."""
        found = np.array(lengths)
        speech = found[found > 0]
        total = self.silence * (len(found) - len(speech))
        if len(speech):
            padded = _PADDED[np.searchsorted(BORDERS, speech)]
            if self.pads:
                padded[:] = padded.max()
            total += self.start + len(speech) * self.each + self.second * float(padded.sum())
        return total


_PADDED = np.array([*BORDERS, 30 * SAMPLE_RATE]) / SAMPLE_RATE
CPU = DeviceModel(start=0.009, each=0.035, second=0.003)
"""About what Whisper-base with live windows takes on one core (docs/engine.md)."""
WIDE = DeviceModel(start=0.020, each=0.0008, second=0.0001, pads=True)
"""A device that computes a large batch in little more time than a small one, as GPUs do; not measured."""


@dataclass(frozen=True)
class World:
    """What is simulated. load: computing asked for, as a share of what the devices can do in batches of `reference`.

    seconds: how long, after `warm` that do not count. chunks: the lengths, in seconds, of which each stream has one.
    owners: by name, the share of the streams that are theirs. failing: moments at which a device fails. files: streams
    per device that are read as fast as they can be.
    """

    device: DeviceModel = CPU
    devices: int = 1
    load: float = 0.7
    streams: int | None = None
    seconds: float = 120.0
    warm: float = 5.0
    chunks: tuple[float, ...] = (0.32, 0.5, 1.0)
    reference: int = 4
    owners: tuple[tuple[str, float], ...] = (("", 1.0),)
    failing: tuple[float, ...] = ()
    files: int = 0
    pick: Pick = earliest
    ladder: bool = True
    rungs: tuple[Rung, ...] = RUNGS
    skips: bool = True
    moves: bool = True
    seed: int = 0


@dataclass
class WorldOutcome:
    """What came of it.

    hits, misses: decisions in time and not, of each stream; passed over ones are misses. changes: of level, per minute,
    of the device that had most. worst: longest time in which a stream had no decision. by_owner: share of hits. moved:
    how often a stream moved. lost: streams that no device serves. file_share: of computing that files got. late:
    seconds from when a decision's audio was there to its end. level: mean of all devices. stride: mean
    audio between two decisions, as a share of that on the level above all.
    """

    hits: NDArray[np.int64]
    misses: NDArray[np.int64]
    changes: float = 0.0
    worst: float = 0.0
    by_owner: dict[str, float] = field(default_factory=dict)
    moved: int = 0
    lost: int = 0
    file_share: float = 0.0
    late: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    level: float = 0.0
    stride: float = 1.0

    @property
    def share(self) -> float:
        """The share of all decisions that were in time."""
        return float(self.hits.sum() / max(1, self.hits.sum() + self.misses.sum()))


class _Streams:
    """All streams as arrays: chunk, when it began, how its speech is cut, chunks decided so far."""

    def __init__(self, world: World, count: int, rng: np.random.Generator) -> None:
        self.count = count
        self.live = np.ones(count, bool)
        self.chunk = np.resize(np.array(world.chunks), count)
        self.begin = rng.uniform(0, 1, count) * self.chunk
        self.cycle, self.shift = rng.uniform(4, 16, count), rng.uniform(0, 16, count)
        self.pause = rng.uniform(0.5, 2, count)
        self.done = np.zeros(count, np.int64)
        self.not_before = np.zeros(count)
        self.served_at = np.zeros(count)
        self.hits, self.misses = np.zeros(count, np.int64), np.zeros(count, np.int64)
        shares = np.array([share for _, share in world.owners])
        self.owner = rng.choice(len(shares), count, p=shares / shares.sum())

    def length(self, chosen: NDArray[np.int64], now: float) -> NDArray[np.int64]:
        """Samples of the windows at a time; 0 in pauses."""
        into = (now + self.shift[chosen]) % self.cycle[chosen]
        speech = into < self.cycle[chosen] - self.pause[chosen]
        seconds = np.where(self.live[chosen], np.where(speech, into, 0), FILE_WINDOW)
        found: NDArray[np.int64] = (seconds * SAMPLE_RATE).astype(np.int64)
        return found

    def ready(self, chosen: NDArray[np.int64], now: float) -> NDArray[np.int64]:
        """Chunks that are there and not decided on."""
        there = np.floor((now - self.begin[chosen]) / self.chunk[chosen] + 1e-9).astype(np.int64)
        return np.where(self.live[chosen], there - self.done[chosen], ALWAYS)

    def moment(self, chosen: NDArray[np.int64], chunks: NDArray[np.int64] | int) -> NDArray[np.float64]:
        """When that many chunks after those decided on are there."""
        found: NDArray[np.float64] = self.begin[chosen] + (self.done[chosen] + chunks) * self.chunk[chosen]
        return found


class _Device:
    """One device and what it serves."""

    def __init__(self, world: World, streams: _Streams, rng: np.random.Generator) -> None:
        self.world, self.streams, self.rng = world, streams, rng
        self.members = np.zeros(0, np.int64)
        self.costs = CostTable()
        self.ladder = Ladder(world.rungs)
        self.free = 0.0
        self.works = True
        self.files = self.all = 0.0
        self.meter = LoadMeter(1.0)
        self.meter.look(0.0)
        self.by_owner = {name: 0.0 for name, _ in world.owners}
        self.late: list[float] = []
        self.changes = 0
        self.worst = 0.0

    def run(self, until: float) -> None:
        """Decide what is due up to a moment."""
        while self.free < until:
            due, wakes = self._due(self.free)
            if not due:
                self.free = min(until, max(wakes, self.free + 1e-6))
                continue
            served = Served(self.by_owner, self.files / max(self.all, 1e-9), min(self.world.chunks))
            self._compute(self.world.pick(due, self.free, self.costs, served))

    def _due(self, now: float) -> tuple[list[Due], float]:
        """What is due, in the order of arrival, and when there will be more."""
        streams, members = self.streams, self.members
        if not len(members):
            return [], math.inf
        ready, strides = streams.ready(members, now), self._strides(members)
        due = (ready >= strides) & (streams.not_before[members] <= now)
        chosen = members[due]
        if not len(chosen):
            moments = np.maximum(streams.moment(members, strides), streams.not_before[members])
            return [], float(moments.min())
        strides = strides[due]
        arrived = streams.moment(chosen, strides)
        patience = strides * streams.chunk[chosen]
        deadlines = arrived + patience
        if self.world.skips:
            last = streams.moment(chosen, streams.ready(chosen, now) // strides * strides) + patience
            deadlines = np.where(deadlines < now, last, deadlines)
        deadlines[~streams.live[chosen]] = np.inf
        order = np.argsort(arrived, kind="stable")
        lengths = streams.length(chosen, now)
        names = [name for name, _ in self.world.owners]
        rows = zip(
            chosen[order].tolist(),
            deadlines[order].tolist(),
            arrived[order].tolist(),
            lengths[order].tolist(),
            streams.live[chosen][order].tolist(),
            streams.owner[chosen][order].tolist(),
            strict=True,
        )
        return [Due(n, d, a, length, live, names[o]) for n, d, a, length, live, o in rows], now

    def _strides(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Chunks up to the next decision of each stream."""
        rung, decided = self.ladder.rung, self.streams.done[chosen] + chosen
        if len(rung.strides) == 1:
            return np.full(len(chosen), rung.strides[0])
        turn = np.array([rung.stride(place) for place in range(sum(rung.strides))])
        found: NDArray[np.int64] = turn[decided % len(turn)]
        return found

    def _compute(self, batch: Sequence[Due]) -> None:
        streams, rung, start = self.streams, self.ladder.rung, self.free
        length = max(each.length for each in batch)
        # What a decision costs on a level that does not only make decisions rarer.
        dearer = rung.cost * rung.mean / self.world.rungs[0].mean
        mean = dearer * self.world.device.seconds([each.length for each in batch])
        taken = mean * float(self.rng.lognormal(0, self.world.device.noise))
        self.costs.note(len(batch), length, taken)
        self.free = end = start + taken
        self.all += taken
        late = passed = 0
        for each in batch:
            self.by_owner[each.owner] += taken / len(batch)
            i = each.number
            if not each.live:
                self.files += taken / len(batch)
                streams.done[i] += 1
                continue
            one = np.array([i])
            over, stride = 0, rung.stride(int(streams.done[i]) + i)
            if self.world.skips and each.since + stride * streams.chunk[i] < start:
                over = int(streams.ready(one, start)[0]) // stride - 1
            streams.misses[i] += over
            passed += over
            ready = streams.begin[i] + (streams.done[i] + (over + 1) * stride) * streams.chunk[i]
            streams.done[i] += (over + 1) * stride
            self.late.append(end - ready)
            if end <= ready + stride * streams.chunk[i]:
                streams.hits[i] += 1
            else:
                streams.misses[i] += 1
                late += 1
            self.worst = max(self.worst, end - max(streams.served_at[i], streams.begin[i]))
            streams.served_at[i] = end
        asked = sum(self.costs.least(each.length) for each in batch if each.live) * (1 + passed / len(batch))
        self.meter.note(taken, asked, len(batch) + passed, late + passed)

    def look(self, now: float) -> None:
        """Let the ladder follow the load."""
        self.meter.look(now, 0.0)
        if self.world.ladder:
            self.changes += self.ladder.follow(self.meter, now)


def simulate(world: World) -> WorldOutcome:
    """Let the streams run; the same world gives the same outcome."""
    rng = np.random.default_rng(world.seed)
    count = world.streams or round(world.load * capacity(world))
    streams = _Streams(world, count + world.files * world.devices, rng)
    streams.live[count:] = False
    devices = [_Device(world, streams, rng) for _ in range(world.devices)]
    for number, device in enumerate(devices):
        device.members = np.arange(number, streams.count, world.devices)
    failing, moved, now, end = sorted(world.failing, reverse=True), 0, 0.0, world.warm + world.seconds
    levels: list[float] = []
    strides: list[float] = []
    warm = False
    while now < end:
        now += EPOCH
        for device in devices:
            if device.works:
                device.run(now)
                device.look(now)
        while failing and failing[-1] <= now:
            failing.pop()
            moved += _fail(devices, streams, now)
        if world.moves:
            moved += _balance(devices, streams, now)
        if not warm and now >= world.warm:
            warm = True
            _forget(devices, streams)
        levels += [float(device.ladder.level) for device in devices if device.works]
        strides += [device.ladder.rung.mean / world.rungs[0].mean for device in devices if device.works]
    return _outcome(world, devices, streams, count, moved, levels, strides)


def capacity(world: World) -> float:
    """How many streams would take all the time of the devices in batches of `reference`, on average."""
    rng = np.random.default_rng(world.seed + 1)
    streams = _Streams(world, 2000, rng)
    everyone = np.arange(streams.count)
    shares = []
    for moment in rng.uniform(20, 60, 5):
        lengths = streams.length(everyone, float(moment))
        cost = np.array(
            [
                world.device.seconds([length] * world.reference) / world.reference
                for length in lengths.tolist()
            ]
        )
        shares.append(float((cost / streams.chunk).mean()))
    return world.devices / float(np.mean(shares))


def _fail(devices: Sequence[_Device], streams: _Streams, now: float) -> int:
    """The most loaded device stops; its streams go where there is most room."""
    working = [device for device in devices if device.works]
    broken = max(working, key=lambda device: len(device.members))
    broken.works = False
    for member in broken.members.tolist():
        target = place(_used(devices, streams), 0.0, math.inf)
        if target is not None:
            _move(devices[target], member, streams, now)
    moved, broken.members = len(broken.members), np.zeros(0, np.int64)
    return moved


def _balance(devices: Sequence[_Device], streams: _Streams, now: float) -> int:
    """Move one stream from the device with most decisions to make to the one with fewest, if it is worth it."""
    used = _used(devices, streams)
    rates = 1 / streams.chunk
    pair = rebalance(used, float(rates.mean() / max(1e-9, rates.sum() / len(devices))))
    if pair is None:
        return 0
    source, target = devices[pair[0]], devices[pair[1]]
    member = int(source.members[0])
    source.members = source.members[1:]
    _move(target, member, streams, now)
    return 1


def _used(devices: Sequence[_Device], streams: _Streams) -> list[float | None]:
    """How many decisions each device has to make in a second, as a share of the mean of all."""
    each = float((1 / streams.chunk).sum()) / len(devices)
    return [float((1 / streams.chunk[d.members]).sum()) / each if d.works else None for d in devices]


def _move(target: _Device, member: int, streams: _Streams, now: float) -> None:
    streams.not_before[member] = now + GAP
    target.members = np.append(target.members, member)
    target.free = max(target.free, now)


def _forget(devices: Sequence[_Device], streams: _Streams) -> None:
    """What came before does not count."""
    streams.hits[:], streams.misses[:] = 0, 0
    for device in devices:
        device.late.clear()
        device.changes, device.worst, device.files, device.all = 0, 0.0, 0.0, 0.0


def _outcome(
    world: World,
    devices: Sequence[_Device],
    streams: _Streams,
    count: int,
    moved: int,
    levels: Sequence[float],
    strides: Sequence[float],
) -> WorldOutcome:
    hits, misses = streams.hits[:count], streams.misses[:count]
    by_owner = {}
    for number, (name, _) in enumerate(world.owners):
        mine = streams.owner[:count] == number
        by_owner[name] = float(hits[mine].sum() / max(1, hits[mine].sum() + misses[mine].sum()))
    served = {member for device in devices if device.works for member in device.members.tolist()}
    return WorldOutcome(
        hits,
        misses,
        max(device.changes for device in devices) / (world.seconds / 60),
        max(device.worst for device in devices),
        by_owner,
        moved,
        streams.count - len(served),
        sum(device.files for device in devices) / max(1e-9, sum(device.all for device in devices)),
        np.array([late for device in devices for late in device.late]),
        float(np.mean(levels)),
        float(np.mean(strides)),
    )


def place(used: Sequence[float | None], extra: float, limit: float) -> int | None:
    """The device with most room for a stream that takes `extra` of one; None: none has room.

    used: the share of each device's time that is taken; None: the device does not work.
    """
    working = [(share, number) for number, share in enumerate(used) if share is not None]
    if not working or min(working)[0] + extra > limit:
        return None
    return min(working)[1]


def rebalance(used: Sequence[float | None], extra: float, margin: float = MARGIN) -> tuple[int, int] | None:
    """From which device to which a stream that takes `extra` should move; None: it is not worth it."""
    working = [(share, number) for number, share in enumerate(used) if share is not None]
    if len(working) < 2:
        return None
    (low, to), (high, source) = min(working), max(working)
    return (source, to) if high - low > margin and high - extra > low + extra else None
