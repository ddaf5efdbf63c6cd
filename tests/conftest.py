"""What every test gets: no variables of the machine, no network beyond loopback, a cache of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from coach.settings import ENVIRONMENT


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> None:
    proxies = [f"{what}_proxy" for what in ("http", "https", "all", "no")]
    for names in (*ENVIRONMENT.values(), proxies, [p.upper() for p in proxies]):
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COACH_CACHE_DIR", str(shared_cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # The same on every machine; what `auto` makes of one has tests of its own.
    monkeypatch.setenv("COACH_PRECISION", "fp32")


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole run, so that the encoder is exported once."""
    return tmp_path_factory.mktemp("cache")
