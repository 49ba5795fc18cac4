"""The words that users send: read once per process, drawn by weight, repeatable by seed."""

from __future__ import annotations

import csv
from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

from harness import ConfigurationError

Words = tuple[str, ...]

GENERATED_SHARE = 0.1  # of all searches
GENERATED_WORDS = 40
MAX_JOINED = 500
"""The contract's limit for keywords and subscriptions, in characters, `+` included."""


@dataclass(frozen=True, slots=True)
class WordList:
    """Combinations of words with their cumulative weights."""

    choices: tuple[Words, ...]
    cumulative: tuple[float, ...]

    @classmethod
    def of(cls, weighted: Iterable[tuple[Words, float]]) -> WordList:
        """Build a list from (words, weight) pairs; weights are relative."""
        choices, weights = zip(*weighted, strict=True)
        return cls(tuple(choices), tuple(accumulate(weights)))

    def draw(self, random: Random) -> Words:
        """Return one combination at random, by weight, in O(log n)."""
        last = len(self.choices) - 1  # the product below can round up to the total
        return self.choices[
            min(bisect(self.cumulative, random.random() * self.cumulative[-1]), last)
        ]


@dataclass(frozen=True, slots=True)
class WordLists:
    """The word lists of a run."""

    searches: WordList
    boards: WordList
    keywords: WordList


ORIGINAL_WORDS = WordLists(
    searches=WordList.of([(("장학",), 1)]),
    boards=WordList.of([(("cse", "main"), 1)]),
    keywords=WordList.of([(("장학", "등록"), 1)]),
)
"""The words of the original test (2020-09-20)."""


def files_in(folder: Path) -> tuple[Path, Path, Path]:
    """Return the paths of the three word lists, in the order of `WordLists`."""
    return folder / "searches.csv", folder / "boards.csv", folder / "keywords.csv"


def load(folder: Path) -> WordLists:
    """Read `searches.csv`, `boards.csv` and `keywords.csv`.

    Raises:
        ConfigurationError: a file is missing, empty, not UTF-8 or malformed. The text names the
            file and the line.
    """
    return WordLists(*(_read(path) for path in files_in(folder)))


def with_generated_searches(word_lists: WordLists, seed: int) -> WordLists:
    """Let a tenth of all searches use words that Faker (ko_KR) makes up from the seed.

    These are surnames, cities, companies and professions: searches that no list foresees. Most
    find nothing.
    """
    from faker import Faker  # slow to import, and only needed here

    faker = Faker("ko_KR")
    faker.seed_instance(seed)
    makers = (faker.last_name, faker.city, faker.company, faker.job)
    made = {makers[i % len(makers)]().split()[-1].replace("+", "") for i in range(GENERATED_WORDS)}
    searches = word_lists.searches
    weight = searches.cumulative[-1] * GENERATED_SHARE / (1 - GENERATED_SHARE) / len(made)
    weights = [
        after - before
        for before, after in zip((0, *searches.cumulative), searches.cumulative, strict=False)
    ]
    pairs = [
        *zip(searches.choices, weights, strict=True),
        # Sorted, because the order of a set of strings differs from process to process.
        *(((word,), weight) for word in sorted(made)),
    ]
    return WordLists(WordList.of(pairs), word_lists.boards, word_lists.keywords)


def _read(path: Path) -> WordList:
    try:
        text = path.read_text(encoding="utf-8-sig")  # Excel writes a byte-order mark
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}, line {line}: not UTF-8; save it as UTF-8") from None
    pairs = []
    for number, content in enumerate(text.splitlines() or [""], 1):
        where = f"{path}, line {number}"
        try:  # one line at a time, so that an open quote cannot swallow the lines after it
            row = next(csv.reader([content], strict=True), [])
        except csv.Error as error:
            raise ConfigurationError(f"{where}: {error}") from None
        if number > 1:
            pairs.append(_pair(row, where))
        elif row != ["words", "weight"]:
            raise ConfigurationError(f"{where}: the first line must be words,weight")
    if not pairs:
        raise ConfigurationError(f"{path} has no words; add lines such as 장학,3")
    return WordList.of(pairs)


def _pair(row: list[str], where: str) -> tuple[Words, float]:
    if len(row) != 2:
        raise ConfigurationError(f"{where}: expected words,weight, got {','.join(row)!r}")
    words = tuple(row[0].split())
    if not words or "+" in row[0]:
        raise ConfigurationError(f"{where}: expected words with spaces between, got {row[0]!r}")
    if len("+".join(words)) > MAX_JOINED:
        raise ConfigurationError(f"{where}: more than {MAX_JOINED} characters")
    try:
        weight = float(row[1])
    except ValueError:
        weight = 0.0
    if not 0 < weight < 1e100:  # neither nan nor inf, and the sum of all stays finite
        raise ConfigurationError(f"{where}: the weight {row[1]!r} is not a number above 0")
    return words, weight
