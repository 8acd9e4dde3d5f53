"""What every test of recordings records: one site, and one camera's stream."""

from pathlib import Path

import pytest

from tests.public.archive.test_archive import Site, Stream


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="module")
def stream() -> Stream:
    return Stream()
