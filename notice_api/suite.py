"""Describes the notice API to the harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.config import Settings
from harness.http import DeviceRequests, Suite, Value, WordsFor
from notice_api import contract, words


def _words(settings: Settings) -> WordsFor:
    if not settings.vary_data:
        return lambda _seed: words.ORIGINAL_WORDS
    word_lists = words.load(settings.data_dir)
    return lambda seed: words.with_generated_searches(word_lists, seed)


def _word_files(settings: Settings) -> Sequence[Path]:
    return words.files_in(settings.data_dir) if settings.vary_data else ()


def _initial(settings: Settings) -> Mapping[str, Value]:
    return contract.initial_values(settings.alarm_fields)


SUITE = Suite(
    endpoints=contract.ENDPOINTS,
    probe=contract.list_boards(),
    packages=("tasks", "notice_api"),
    words=_words,
    word_files=_word_files,
    devices=DeviceRequests(
        read=contract.read_device,
        delete=contract.unregister,
        initial=_initial,
    ),
)
