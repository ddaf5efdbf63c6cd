"""The README names all there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from coach.cli.main import app
from coach.judges import JUDGES
from coach.render import RENDERERS
from coach.settings import ENVIRONMENT

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
COMMANDS = [c.name for c in app.registered_commands] + [g.name for g in app.registered_groups]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command: str) -> None:
    assert f"coach {command}" in README


@pytest.mark.parametrize("judge", ["auto", *JUDGES])
def test_every_judge_is_named(judge: str) -> None:
    assert f"--judge {judge}" in README


@pytest.mark.parametrize("format", RENDERERS)
def test_every_format_is_named(format: str) -> None:
    assert f"`{format}`" in README


@pytest.mark.parametrize("option", ["--dry-run", "--max-cost", "--retry-failed", "--strict", "--report", "--journal"])
def test_every_option_of_a_batch_is_named(option: str) -> None:
    assert option in README


@pytest.mark.parametrize("variable", [v for names in ENVIRONMENT.values() for v in names])
def test_every_variable_is_named(variable: str) -> None:
    assert f"`{variable}`" in README


def test_the_library_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    block = README.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(Path(__file__).parent.parent)
    exec(compile(block, "README.md", "exec"), {})
    assert float(capsys.readouterr().out.split()[0]) <= 40


ROOT = Path(__file__).parent.parent
MODULES = sorted(
    p.stem
    for f in ("", "judges", "batch", "evaluation")
    for p in (ROOT / "coach" / f).glob("*.py")
    if not p.stem.startswith("__")
)


@pytest.mark.parametrize("module", MODULES)
def test_the_map_names_every_module(module: str) -> None:
    told = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"`{module}`" in told or f"{module}.py" in told
