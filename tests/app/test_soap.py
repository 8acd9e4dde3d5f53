"""Words of strangers: the first text at the end of a path, at a cost that grows with the document alone."""

import tracemalloc

import pytest

from skyveil.app import soap


@pytest.mark.parametrize(
    ("document", "told"),
    [
        # Whatever the name spaces, and however deep.
        ('<e xmlns:t="urn:x"><t:Date><x><t:Year> 2026 </t:Year></x></t:Date></e>', "2026"),
        # The first that there is, past those that hold none.
        ("<e><Date/><Year>1</Year><Date><Year>2</Year></Date><Date><Year>3</Year></Date></e>", "2"),
        # The path may begin within itself.
        ("<Date><Date><Year>1</Year></Date><Year>2</Year></Date>", "1"),
        ("<e><Year><Date>1</Date></Year></e>", ""),
        ("<e><Date><Year/></Date></e>", ""),
    ],
)
def test_the_first_text_at_the_end_of_a_path_is_told(document: str, told: str) -> None:
    parsed = soap.parsed(document.encode())
    assert parsed is not None and soap.text(parsed, "Date", "Year") == told


def test_names_within_names_cost_no_more_than_the_document() -> None:
    parsed = soap.parsed(b"<a>" * 4000 + b"<b>" * 4000 + b"</b>" * 4000 + b"</a>" * 4000)
    assert parsed is not None
    tracemalloc.start()
    try:
        assert soap.text(parsed, "a", "b", "c") == ""
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
