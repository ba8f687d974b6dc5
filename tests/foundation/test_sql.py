"""Arrays as PostgreSQL writes them: whatever goes in comes out again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import sql

pytestmark = pytest.mark.django_db

_TEXTS = st.lists(
    st.one_of(
        st.none(),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
        st.sampled_from(["NULL", "null", "", '"', "\\", "{}", ",", " a ", "\n", "账"]),
    ),
    max_size=6,
)


@given(values=_TEXTS)
def test_texts_come_back(values: list[str | None]) -> None:
    assert sql.call("SELECT %s::text[]", [sql.array(values)]) == values


@given(values=st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=6))
def test_numbers_come_back(values: list[int | None]) -> None:
    assert sql.call("SELECT %s::bigint[]", [sql.array(values)]) == values
