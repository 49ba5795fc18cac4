"""What users send: word lists, read once per process and drawn by weight, repeatably."""

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

GENERATED_SHARE = 0.1
GENERATED_WORDS = 40
MAX_JOINED = 500
"""The server keeps at most so many characters of keywords or subscriptions."""


@dataclass(frozen=True, slots=True)
class WordList:
    """Combinations of words, each with the sum of the weights up to and including its own."""

    choices: tuple[Words, ...]
    cumulative: tuple[float, ...]

    @classmethod
    def of(cls, weighted: Iterable[tuple[Words, float]]) -> WordList:
        """Make a list of (words, weight) pairs; weights are relative."""
        choices, weights = zip(*weighted, strict=True)
        return cls(tuple(choices), tuple(accumulate(weights)))

    def draw(self, random: Random) -> Words:
        """Return one combination, as often as its weight says; takes log2(n) steps."""
        last = len(self.choices) - 1
        return self.choices[
            min(bisect(self.cumulative, random.random() * self.cumulative[-1]), last)
        ]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What is asked for and written: search words, boards, keywords."""

    searches: WordList
    boards: WordList
    keywords: WordList


SEED_VOCABULARY = Vocabulary(
    searches=WordList.of([(("장학",), 1)]),
    boards=WordList.of([(("cse", "main"), 1)]),
    keywords=WordList.of([(("장학", "등록"), 1)]),
)
"""The very words of the seed, 2020-09-20."""


def files_in(folder: Path) -> tuple[Path, Path, Path]:
    """Return the files of search words, boards and keywords."""
    return folder / "searches.csv", folder / "boards.csv", folder / "keywords.csv"


def load_vocabulary(folder: Path) -> Vocabulary:
    """Read `searches.csv`, `boards.csv` and `keywords.csv`.

    Raises:
        ConfigurationError: a file is absent, empty, not UTF-8 or wrong; names it and the line.
    """
    return Vocabulary(*(_read(path) for path in files_in(folder)))


def with_generated_searches(vocabulary: Vocabulary, seed: int) -> Vocabulary:
    """Add words that Faker (ko_KR) makes up, a tenth of all searches; the same for the same seed.

    They stand for what no list foresees: names, places, companies. Most of them hit nothing.
    """
    from faker import Faker  # slow to import, and only needed here

    faker = Faker("ko_KR")
    faker.seed_instance(seed)
    makers = (faker.last_name, faker.city, faker.company, faker.job)
    made = {makers[i % len(makers)]().split()[-1].replace("+", "") for i in range(GENERATED_WORDS)}
    searches = vocabulary.searches
    weight = searches.cumulative[-1] * GENERATED_SHARE / (1 - GENERATED_SHARE) / len(made)
    weights = [
        after - before
        for before, after in zip((0, *searches.cumulative), searches.cumulative, strict=False)
    ]
    pairs = [
        *zip(searches.choices, weights, strict=True),
        *(((word,), weight) for word in sorted(made)),
    ]
    return Vocabulary(WordList.of(pairs), vocabulary.boards, vocabulary.keywords)


def _read(path: Path) -> WordList:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}, line {line}: not UTF-8; save it as UTF-8") from None
    pairs = []
    for number, content in enumerate(text.splitlines() or [""], 1):
        where = f"{path}, line {number}"
        try:  # line by line: an open quote does not swallow the lines after it
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
    if not 0 < weight < 1e100:
        raise ConfigurationError(f"{where}: the weight {row[1]!r} is not a number above 0")
    return words, weight
