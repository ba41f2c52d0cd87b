from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.runs.sealed import KEY, seal, unseal

CONTENTS = st.dictionaries(
    st.text().filter(lambda name: name != KEY),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
)
CONTENT = {"base": "/data", "keep": 0.25, "venn_abers": False, "names": ["é", "b"], "nothing": None}


@given(CONTENTS)
def test_what_is_sealed_comes_back(content: dict[str, object]) -> None:
    assert unseal(seal(content)) == content
    assert json.loads(seal(content)).keys() - {KEY} == content.keys()


def test_no_flipped_bit_changes_a_value_unsaid() -> None:
    whole = seal(CONTENT).encode()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            content = unseal(damaged.decode())
        except ValueError:
            continue
        # The name of the digest has changed, so that it is one more key.
        assert {name: content[name] for name in CONTENT} == CONTENT
        assert len(content) == len(CONTENT) + 1


@pytest.mark.parametrize("text", ["", "[]", "5", "{", "[" * 100_000, '{"a": ' + "1" * 5000 + "}"])
def test_content_that_is_not_a_json_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        unseal(text)


def test_a_file_of_an_earlier_version_is_read() -> None:
    assert unseal(json.dumps(CONTENT)) == CONTENT


def test_values_that_json_lacks_are_sealed_as_they_are_written() -> None:
    assert unseal(seal({"path": object})) == {"path": str(object)}
    assert unseal(seal({"loss": float("nan")}))["loss"] != 0
    with pytest.raises(ValueError, match="JSON compliant"):
        seal({"loss": float("nan")}, allow_nan=False)
