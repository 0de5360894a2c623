"""Every quality has a sentence in both languages, and a device's state follows from what its points say."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.console import words
from protocols.model.quality import Quality, quality_name


@pytest.mark.parametrize("code", list(Quality))
def test_every_code_of_ours_has_a_sentence_of_its_own(code: Quality) -> None:
    assert int(code) in words.MEANING, code.name
    sentence = words.MEANING[int(code)]
    assert re.search("[\u4e00-\u9fff]", sentence.zh)
    assert sentence.en.isascii()
    if code >= Quality.BAD and code not in {
        Quality.BAD,
        Quality.BAD_WAITING_FOR_INITIAL_DATA,
        Quality.BAD_OUT_OF_SERVICE,
    }:
        assert re.search("check|look", sentence.en), f"{code.name} does not say what to do"
        assert re.search("检查|查看", sentence.zh), f"{code.name} does not say what to do"


def test_no_two_causes_are_told_in_the_same_words() -> None:
    told = [sentence.en for sentence in words.MEANING.values()]
    assert len(told) == len(set(told))


@given(st.integers(0, 2**32 - 1))
def test_any_code_of_any_maker_has_words(code: int) -> None:
    sentence = words.meaning(code)
    assert sentence.zh
    assert sentence.en
    if (code & 0xFFFF_0000) not in words.MEANING:
        assert quality_name(code) in sentence.en, "its number stays, for the maker's manual"
