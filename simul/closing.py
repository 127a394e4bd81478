"""What holds something until it is closed, at the latest at the end of a `with` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Closing(ABC):
    """Closed at the end of a `with` block, whatever happens in it."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held; closing twice does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
