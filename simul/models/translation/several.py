"""Several translators as one: each request goes to the translator of its target language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policies.base import Need
from simul.errors import UsageError
from simul.models.translation.interface import TextRequest, TextResult, TextTranslator


class SeveralTranslators:
    """`by_target` has the translator for each target language; the same one may stand there several times."""

    def __init__(self, by_target: Mapping[str, TextTranslator]) -> None:
        self._by_target = dict(by_target)
        made = list(self._by_target.values())
        self.name = ", ".join(dict.fromkeys(translator.name for translator in made))
        self.sources = frozenset.intersection(*(translator.sources for translator in made))
        self.targets = frozenset(self._by_target)
        none: frozenset[Need] = frozenset()
        self.lacks = none.union(*(getattr(translator, "lacks", none) for translator in made))
        self.offers: int = min(getattr(translator, "offers", 1) for translator in made)

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """One result per request; those of one translator are translated together.

        Raises:
            UsageError: there is no translator into a target language.
        """
        groups: dict[int, list[int]] = {}
        for place, request in enumerate(requests):
            if request.target not in self._by_target:
                served = " ".join(sorted(self.targets))
                raise UsageError(f"Nothing here translates into {request.target!r}, only into {served}.")
            groups.setdefault(id(self._by_target[request.target]), []).append(place)
        results = [TextResult((), ())] * len(requests)
        for places in groups.values():
            chosen = [requests[place] for place in places]
            translator = self._by_target[chosen[0].target]
            for place, result in zip(places, translator.translate(chosen), strict=True):
                results[place] = result
        return results
