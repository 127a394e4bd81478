"""Mends a student's translation: what lacks or is wrong is found by alignment, and decoded again under a constraint.

A demand that is not met (a number, a time, a name, a negation) is written where the student translated its source
words, and the rest is kept as it was or, if that is less likely behind it, decoded anew. Where words are doubled,
in loops and in rude words, the piece that began them is barred, or another hypothesis taken. Of the texts tried, the
one with the fewest faults that the student finds likeliest is kept; what is committed stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simul.models.marian.folder import Students
from simul.models.marian.search import Search, Task, Track
from simul.models.marian.sentence import Sentence
from simul.models.translation.kept.demands import Demand, Fault, demands, faults
from simul.models.translation.kept.terms import term_demands
from simul.models.translation.source_attention import over_words
from simul.text import word_ranges

ROUNDS = 8
"""Faults of a sentence that are tried."""
NEIGHBOURS = 3
"""Words before and behind the place of a negation where it is tried too."""
HYPOTHESES = 4
BEGUN = 12
"""Committed pieces among which a name or a number may have begun."""
SURE = -0.7
"""Log-probability of every piece above which the student is believed that a name is called so in its language."""
SURE_OF_COPY = -3.0
"""The same for a decoder that writes with the source's pieces, and so copies names by itself."""
LEFT = 0.3
"""What each word costs, in mean log-probability of the text, that says again what a demand's words say."""

TOLERATED = 1.0
"""Mean log-probability that mending may cost where nothing else is tried; beyond, other places are tried too."""


@dataclass(frozen=True)
class Draft:
    """A translation: the sentence as it was asked for, the text found, and what is wrong with it."""

    sentence: Sentence
    track: Track
    faults: tuple[Fault, ...]

    left: int = 0
    """Words that say again what a demand's words say."""

    @property
    def rank(self) -> tuple[float, float]:
        """Smaller is better."""
        return sum(fault.weight for fault in self.faults), LEFT * self.left - likelihood(self.track)


def likelihood(track: Track) -> float:
    """Mean log-probability of the pieces and the end."""
    values = [*track.logprobs, *([] if track.ending is None else [track.ending])]
    return float(np.mean(values)) if values else 0.0


class Mender:
    """Mends translations of sentences into `target` that `search` finds."""

    def __init__(self, students: Students, target: str, search: Search) -> None:
        into = students.targets[target]
        self._students, self._source, self._target = students, students.source, target
        self._into, self._search = into, search
        self._known = frozenset(students.vocabulary.surfaces)
        wide = max(HYPOTHESES, search.beam)
        self._wide = Search(search.decoder, search.end, [into.vocabulary.unknown], wide)

    def __call__(
        self, sentence: Sentence, track: Track, terms: Sequence[tuple[str, str]] = ()
    ) -> tuple[Sentence, Track]:
        """The best text for a sentence; `track` where nothing is wrong with it. terms: each with its translation."""
        words = sentence.read.cased.split()
        asked = term_demands(words, terms) if terms else []
        taken = {place for demand in asked for place in range(demand.first, demand.last)}
        for demand in demands(words, self._source, self._target, self._is_word):
            if not taken & set(range(demand.first, demand.last)):
                asked.append(demand)
        asked.sort(key=lambda demand: demand.first)
        best = self._draft(sentence, track, asked)
        if not best.faults:
            return sentence, track
        best = self._weighed(best, asked)
        given_up: set[tuple[str, int]] = set()
        for _ in range(ROUNDS):
            fault = next((f for f in best.faults if _key(f) not in given_up), None)
            if fault is None:
                break
            tried = self._tried(best, fault, asked) if self._worth(best, fault) else []
            better = min([best, *tried], key=lambda draft: draft.rank)
            if better is best:
                given_up.add(_key(fault))
            best = better
        return best.sentence, best.track

    def _is_word(self, word: str) -> bool:
        """Whether the student knows a word as a whole."""
        return " " + word in self._known

    def _texts(self, sentence: Sentence, track: Track) -> list[str]:
        return sentence.texts(track.pieces, self._into.vocabulary.surfaces)

    def _draft(self, sentence: Sentence, track: Track, asked: Sequence[Demand]) -> Draft:
        texts = self._texts(sentence, track)
        text = "".join(texts)
        found = faults(text, asked, sentence.read.text, self._target)
        return Draft(sentence, track, tuple(found), self._said_again(sentence, track, texts, asked))

    def _said_again(
        self, sentence: Sentence, track: Track, texts: Sequence[str], asked: Sequence[Demand]
    ) -> int:
        """How many words are made of a demand's words beside those that meet it."""
        wanted = [demand for demand in asked if not demand.floating]
        ranges, used = _usage(sentence, track, texts)
        if not wanted or not ranges:
            return 0
        ends = np.cumsum([len(text) for text in texts])
        strongest, count = used.argmax(axis=1), 0
        text = "".join(texts)
        for demand in wanted:
            span = demand.find(text)
            for (begin, end), word in zip(ranges, strongest, strict=True):
                first, last = int(ends[begin]) - len(texts[begin].lstrip()), int(ends[end - 1])
                inside = span is not None and first < span[1] and last > span[0]
                count += bool(demand.first <= word < demand.last and not inside and span is not None)
        return count

    def _weighed(self, draft: Draft, asked: Sequence[Demand]) -> Draft:
        """The same text with the log-probabilities of all its pieces, those committed too, to compare others with."""
        if draft.track.ending is not None and all(draft.track.logprobs):  # a forced piece has 0
            return draft
        plan = self._forcing(draft, draft.track.pieces, only_end=True)
        return self._searched([replace(plan, task=replace(plan.task, known=None))], asked)[0]

    def _tried(self, draft: Draft, fault: Fault, asked: Sequence[Demand]) -> list[Draft]:
        """Other texts in which the fault may be mended."""
        if fault.demand is None:
            return [*self._barred(draft, fault, asked), *self._others(draft, asked)]
        demand = fault.demand
        reworded = self._searched([self._reworded(draft, demand, text) for text in demand.wordings], asked)
        found = [*reworded, *self._others(draft, asked)] if demand.floating else []
        for base in [*reworded, draft]:
            committed = len(base.sentence.forced)
            begun = _begun_places(self._texts(base.sentence, base.track), committed)
            places = [*begun, *self._places(base, demand)]
            for begin, end in places:
                found += self._written(base, begin, end, demand.forms, asked)
                if not demand.floating and begin >= committed and _is_met(found, fault, draft):
                    return found
        return found

    def _reworded(self, draft: Draft, demand: Demand, wording: str) -> Sentence:
        """The sentence with other words for a demand, decoded behind what is committed."""
        sentence = draft.sentence
        words = sentence.read.text.split()
        numbers = np.arange(len(words))
        marks = words[demand.last - 1][len(words[demand.last - 1].rstrip(",.;:!?")) :]
        new = wording.split()
        new[-1] += marks
        if demand.first == 0:
            new[0] = new[0][:1].upper() + new[0][1:]
        text = " ".join([*words[: demand.first], *new, *words[demand.last :]])
        source = tuple(self._students.vocabulary.encode(text))
        place = self._students.vocabulary.words(source)
        own = np.concatenate(
            [numbers[: demand.first], np.full(len(new), demand.last - 1), numbers[demand.last :]]
        )
        task = self._begun(sentence, source)
        spelled = {at: text for at, text in sentence.spelled.items() if at < len(sentence.forced)}
        told = np.where(place < 0, -1, own[np.maximum(place, 0)])
        return replace(sentence, source=source, words=told, task=task, spelled=spelled)

    def _worth(self, draft: Draft, fault: Fault) -> bool:
        """Whether to mend a fault: a name that the student is sure to call otherwise is not one."""
        if fault.demand is None or fault.demand.sure:
            return True
        places = self._places(draft, fault.demand)
        values = draft.track.logprobs[slice(*places[0])] if places else []
        return not values or min(values) < (SURE_OF_COPY if self._into.shared else SURE)

    def _searched(self, plans: Sequence[Sentence], asked: Sequence[Demand]) -> list[Draft]:
        return self._drafts(plans, self._best(plans), asked)

    def _best(self, plans: Sequence[Sentence]) -> list[Track | None]:
        """The likeliest text for each plan; None where it has not come to its end."""
        found = self._search([plan.task for plan in plans])
        return [tracks[0] if tracks and tracks[0].ending is not None else None for tracks in found]

    def _drafts(
        self, plans: Sequence[Sentence], tracks: Sequence[Track | None], asked: Sequence[Demand]
    ) -> list[Draft]:
        pairs = zip(plans, tracks, strict=True)
        return [self._draft(plan, track, asked) for plan, track in pairs if track is not None]

    def _begun(self, sentence: Sentence, source: Sequence[int]) -> Task:
        """To be searched anew behind what is committed, for other source pieces."""
        candidates, first = self._into.candidates(source), sentence.allowed
        if first is not None and candidates is not None:
            first = first[candidates]
        memory = self._students.encoder(source)
        return Task(memory, sentence.task.room, sentence.forced, candidates, first, weighed=True)

    def _others(self, draft: Draft, asked: Sequence[Demand]) -> list[Draft]:
        """The hypotheses of a wider beam behind what is committed."""
        sentence = draft.sentence
        plain = replace(sentence, task=self._begun(sentence, sentence.source))
        found = self._wide([plain.task])[0]
        return [self._draft(plain, track, asked) for track in found if track.ending is not None]

    def _barred(self, draft: Draft, fault: Fault, asked: Sequence[Demand]) -> list[Draft]:
        """Without the piece in which what is wrong begins."""
        place = self._piece_at(draft, fault.at)
        if place < len(draft.sentence.forced):
            return []
        pieces = draft.track.pieces
        first = np.ones(len(self._into.vocabulary), bool)
        first[pieces[place]] = False
        if not place:
            first[self._into.vocabulary.end] = False
        barred = self._forcing(draft, pieces[:place], first)
        stopped = self._forcing(draft, pieces[:place], only_end=True)
        found = self._searched([barred], asked)
        if found and len(found[0].faults) < len(draft.faults):
            return found
        return [*found, *self._searched([stopped], asked)]

    def _piece_at(self, draft: Draft, character: int) -> int:
        """The piece that holds a character of the text."""
        length = 0
        for place, text in enumerate(self._texts(draft.sentence, draft.track)):
            length += len(text)
            if length > character:
                return place
        return len(draft.track.pieces)

    def _forcing(
        self,
        draft: Draft,
        pieces: Sequence[int],
        first: NDArray[np.bool_] | None = None,
        only_end: bool = False,
    ) -> Sentence:
        """The sentence to be searched with `pieces` at its beginning."""
        vocabulary = self._into.vocabulary
        if only_end:
            first = np.zeros(len(vocabulary), bool)
            first[vocabulary.end] = True
        task: Task = draft.sentence.task
        if first is not None and task.candidates is not None:
            first = first[task.candidates]
        own = {place: text for place, text in draft.sentence.spelled.items() if place < len(pieces)}
        known = draft.track if draft.track.ending is not None else task.known
        forced = replace(task, forced=tuple(pieces), first=first, weighed=True, known=known)
        return replace(draft.sentence, task=forced, spelled=own)

    def _written(
        self, base: Draft, begin: int, end: int, forms: Sequence[str], asked: Sequence[Demand]
    ) -> list[Draft]:
        """Each of `forms` instead of the pieces [begin, end): the rest kept or, where it suffers, decoded anew."""
        vocabulary, pieces = self._into.vocabulary, base.track.pieces
        anew, kept = [], []
        for form in forms:
            ids, spelled = vocabulary.spell(form[:1].upper() + form[1:] if begin == 0 else form)
            if not self._continues(base.sentence, base.sentence.forced[begin:], ids):
                continue
            head = [*pieces[:begin], *ids]
            own = {place: text for place, text in base.sentence.spelled.items() if place < begin}
            own |= {begin + place: text for place, text in spelled.items()}
            plan = self._forcing(base, head, vocabulary.follows)
            anew.append(replace(plan, spelled=own))
            shift = len(head) - end
            behind = {p + shift: text for p, text in base.sentence.spelled.items() if p >= end}
            plan = self._forcing(base, [*head, *pieces[end:]], only_end=True)
            kept.append(replace(plan, spelled=own | behind))
        tracks = self._best(kept)
        found = self._drafts(kept, tracks, asked)
        if any(len(d.faults) < len(base.faults) and _as_likely(base.track, d.track, end) for d in found):
            return found
        known = [
            plan if track is None else replace(plan, task=replace(plan.task, known=track))
            for plan, track in zip(anew, tracks, strict=True)
        ]
        return [*found, *self._searched(known, asked)]

    def _continues(self, sentence: Sentence, committed: Sequence[int], ids: Sequence[int]) -> bool:
        """Whether pieces may be written where the first of them are `committed`."""
        count = len(committed)
        if tuple(ids[:count]) != tuple(committed) or count >= len(ids):
            return False
        return not count or sentence.allowed is None or bool(sentence.allowed[ids[count]])

    def _places(self, draft: Draft, demand: Demand) -> list[tuple[int, int]]:
        """Ranges of pieces, whole words, that the words of a demand were translated by; the likeliest first."""
        sentence, track = draft.sentence, draft.track
        texts = self._texts(sentence, track)
        ranges, used = _usage(sentence, track, texts)
        if not ranges:
            return []
        own = used[:, demand.first : demand.last].sum(axis=1)
        strongest = used.argmax(axis=1)
        inside = [i for i, word in enumerate(strongest) if demand.first <= word < demand.last]
        marks = [_closing(texts[b:e]) for b, e in ranges]
        places: list[tuple[int, int]] = []
        if demand.floating:
            centre = inside[0] if inside else int(own.argmax())
            around = range(max(0, centre - NEIGHBOURS), min(len(ranges), centre + NEIGHBOURS + 1))
            return [(ranges[i][0], ranges[i][0]) for i in around]
        if inside:
            groups = [[inside[0]]]
            for i in inside[1:]:
                if i - groups[-1][-1] <= 2:
                    groups[-1].append(i)
                else:
                    groups.append([i])
            first = [texts[ranges[group[0]][0]].lstrip()[:1] for group in groups]
            strength = [float(own[group].sum()) for group in groups]
            named = [demand.kind != "name" or letter.isupper() for letter in first]
            order = sorted(range(len(groups)), key=lambda i: (not named[i], -strength[i]))
            groups = [groups[i] for i in order]
            for group in groups[:2]:
                places.append((ranges[group[0]][0], ranges[group[-1]][1] - marks[group[-1]]))
        strong = int(own.argmax())
        places.append((ranges[strong][0], ranges[strong][1] - marks[strong]))
        later = next((i for i, word in enumerate(strongest) if word >= demand.last), None)
        last = ranges[-1][1] - marks[-1]
        places.append((ranges[later][0],) * 2 if later is not None else (last, last))
        return list(dict.fromkeys(places))


def _begun_places(texts: Sequence[str], committed: int) -> list[tuple[int, int]]:
    """Where something may have begun of which only the beginning is committed; up to the end of the word."""
    words = word_ranges(texts, spaceless=False)
    end = max((e for b, e in words if b < committed), default=0)
    while end > committed and not any(c.isalnum() for c in texts[end - 1]):
        end -= 1
    return [(b, end) for b, _ in words if committed - BEGUN <= b < committed]


def _usage(
    sentence: Sentence, track: Track, texts: Sequence[str]
) -> tuple[list[tuple[int, int]], NDArray[np.float64]]:
    """The ranges of pieces of the words that are not committed, and what each takes of each source word."""
    ranges = [(b, e) for b, e in word_ranges(texts, spaceless=False) if b >= len(sentence.forced)]
    count = len(track.pieces)
    shares = np.array(track.attention[:count], np.float64).reshape(count, len(sentence.source))
    closed = np.append(sentence.words[:-1], -1)
    used = over_words(shares, closed) if ranges else np.zeros((0, 0))
    return ranges, np.array([used[b:e].mean(axis=0) for b, e in ranges], np.float64)


def _is_met(found: Sequence[Draft], fault: Fault, before: Draft) -> bool:
    """Whether a text mends a fault, brings no other, says nothing again and is not much less likely."""
    least = likelihood(before.track) - TOLERATED
    return any(
        draft.rank[0] < before.rank[0]
        and fault not in draft.faults
        and draft.left <= before.left
        and likelihood(draft.track) >= least
        for draft in found
    )


def _as_likely(before: Track, after: Track, end: int) -> bool:
    """Whether the pieces from `end` on, with which both texts end, are no less likely in the second one."""
    count = len(before.pieces) - end
    rest, kept = (
        sum(track.logprobs[len(track.pieces) - count :]) + (track.ending or 0.0) for track in (before, after)
    )
    return kept >= rest


def _closing(texts: Sequence[str]) -> int:
    """How many pieces at the end of a word are marks."""
    count = 0
    for text in reversed(texts):
        if any(c.isalnum() for c in text):
            break
        count += 1
    return min(count, len(texts) - 1)


def _key(fault: Fault) -> tuple[str, int]:
    return fault.kind, fault.at if fault.demand is None else -1 - fault.demand.first
