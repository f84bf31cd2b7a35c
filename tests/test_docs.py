"""What the documents claim and a machine can check: settings, commands, files and links."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from typer.main import get_command

from bot.metrics import Metrics
from bot.platforms.base import Features, OutcomeName, Platform
from bot.platforms.telegram import Telegram
from bot.platforms.wechat import WeChat
from config import settings
from config.catalogue import rules
from config.settings import Settings, TelegramAccount, WeChatAccount
from tests.documents import READMES, ROOT, read, section

DOCS = (*READMES, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
# Folders that are no part of the product, or were not written here.
NOT_OURS = {".git", ".venv", "__pycache__", "node_modules", ".hypothesis", "vendor", "build"}


def ours() -> Iterator[Path]:
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not NOT_OURS.intersection(parts) and not any("cache" in part for part in parts):
            yield path


# --- settings ---


@cache
def read_directly() -> frozenset[str]:
    """What the code takes from the environment itself, beside the settings."""
    sources = "".join(read(path) for folder in ("bot", "config") for path in (ROOT / folder).rglob("*.py"))
    return frozenset(re.findall(r"environ(?:\.get)?[\[(]\"(NUANYANG_\w+)\"", sources))


def variables() -> set[str]:
    """Every environment variable that the settings know, accounts written with <name>."""
    found = set(read_directly())
    accounts: dict[str, type[BaseModel]] = {"wechat": WeChatAccount, "telegram": TelegramAccount}
    for name in Settings.model_fields:
        if name in accounts:
            found |= {f"NUANYANG_{name.upper()}__<name>__{field.upper()}" for field in accounts[name].model_fields}
        else:
            found.add(f"NUANYANG_{name.upper()}")
    return found


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_configuration_table_names_every_setting_and_no_other(readme: Path) -> None:
    rows = re.findall(r"^\| `(NUANYANG_[^`]+)` \|", section(readme, "Configuration", "配置"), re.MULTILINE)
    assert len(rows) == len(set(rows)), "a setting stands twice"
    assert {row.replace("<名称>", "<name>") for row in rows} == variables()


def test_the_code_reads_at_least_the_two_variables_that_say_where_the_others_are() -> None:
    assert {"NUANYANG_CONFIG", "NUANYANG_SECRETS"} <= read_directly()


@pytest.mark.parametrize("path", [*DOCS, ROOT / "compose.yaml", ROOT / "Dockerfile"], ids=lambda path: path.name)
def test_no_document_names_a_setting_that_does_not_exist(path: Path) -> None:
    known = {re.sub(r"__<name>__", "__", name) for name in variables()}
    for name in re.findall(r"NUANYANG_[A-Z_]+(?:__<\w+>__[A-Z_]+|__[A-Za-z]+__[A-Z_]+)?", read(path)):
        plain = re.sub(r"__(?:<\w+>|[A-Za-z]+)__", "__", name.rstrip("_"))
        tests_only = {"NUANYANG_CHROMIUM", "NUANYANG_REQUIRE_BROWSER"}
        assert plain in known | tests_only | {"NUANYANG_WECHAT", "NUANYANG_TELEGRAM"}, name


def test_the_example_configuration_is_one_the_settings_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("NUANYANG_")]:
        monkeypatch.delenv(name)
    example = ROOT / "docs/examples/nuanyang.toml"
    named = re.findall(r"# \w+ = \"…\" +# secrets folder: (\w+)", read(example))
    values = {
        "keys": "A" * 43 + "=",
        "wechat__gd__secret": "s",
        "wechat__gd__token": "t",
        "wechat__gd__encoding_aes_key": "A" * 43,
        "telegram__hk__token": "123456:ABC-DEF",
        "telegram__hk__secret_token": "s",
    }
    assert set(named) == set(values)
    for file, value in values.items():
        (tmp_path / file).write_text(value + "\n")
    monkeypatch.setenv("NUANYANG_SECRETS", str(tmp_path))
    monkeypatch.setenv("NUANYANG_CONFIG", str(example))
    loaded = settings.load()
    assert loaded.wechat["gd"].token.get_secret_value() == "t"
    assert loaded.telegram["hk"].mode == "webhook"
    assert len(loaded.key_bytes()) == 1
    plain = tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", read(example), flags=re.MULTILINE))
    assert set(plain) <= set(Settings.model_fields)
    assert set(plain["wechat"]["gd"]) == set(WeChatAccount.model_fields)
    assert set(plain["telegram"]["hk"]) == set(TelegramAccount.model_fields)


# --- commands and files ---


def commands() -> set[str]:
    """Every command line word by word, such as "db upgrade"."""
    from bot.cli import build

    def walk(group: object, path: str) -> Iterator[str]:
        children = getattr(group, "commands", None)
        if children is None:
            yield path
            return
        for name, child in children.items():
            yield from walk(child, f"{path} {name}".strip())

    return set(walk(get_command(build()), ""))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_command_that_is_named_exists(path: Path) -> None:
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    for line in re.findall(
        r"(?:`|^ *|/bin/|serve )nuanyang ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", read(path), re.MULTILINE
    ):
        words = line.split()
        name = " ".join(words) if words[0] in groups else words[0]
        assert name in known, f"nuanyang {line}"


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_command_is_explained_in_the_readme(readme: Path) -> None:
    for name in commands():
        assert f"`nuanyang {name}" in read(readme), name


def test_units_image_and_compose_start_commands_that_exist() -> None:
    started = re.findall(r"/bin/nuanyang (\w+)$", "".join(map(read, (ROOT / "docs/deploy").glob("*.service"))), re.M)
    started += re.findall(r"^ *command: \[(\w+)\]$", read(ROOT / "compose.yaml"), re.MULTILINE)
    started += re.findall(r'^CMD \["(\w+)"\]$', read(ROOT / "Dockerfile"), re.MULTILINE)
    assert sorted(started) == ["serve", "serve", "serve", "worker", "worker"]
    assert set(started) <= commands()


def test_the_image_gets_everything_that_the_package_is_made_of() -> None:
    given = set(re.findall(r"^!(.+)$", read(ROOT / ".dockerignore"), re.MULTILINE))
    project = tomllib.loads(read(ROOT / "pyproject.toml"))
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    wanted = packages | {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"}
    assert given == wanted | {"requirements.lock"}
    assert all((ROOT / name).exists() for name in given)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    for name in re.findall(r"(?:`|^ *)make ([a-z-]+)", read(path), re.MULTILINE):
        assert name in targets, name


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_file_and_function_of_the_six_stops_exists(readme: Path) -> None:
    stops = section(readme, "six stops", "六站")
    rows = re.findall(r"^\| ([1-6]) \|(.*)\|$", stops, re.MULTILINE)
    assert [number for number, _row in rows] == list("123456")
    for number, row in rows:
        files = [ROOT / name for name in re.findall(r"`([a-z_/]+\.py)`", row)]
        assert files, f"stop {number} names no file"
        assert all(path.is_file() for path in files), row
        source = "\n".join(map(read, files))
        for function in re.findall(r"`([A-Za-z_.]+)\(\)`", row):
            name = function.rsplit(".", 1)[-1]
            assert re.search(rf"\bdef {name}\b", source), f"stop {number}: no {function} in {files}"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_file_that_is_named_exists(path: Path) -> None:
    folders = "bot|config|docs|handlers|models|scheduler|tests"
    for name in re.findall(rf"`((?:{folders})/[A-Za-z0-9_./-]+)`", read(path)):
        if name not in ("handlers/borrow.py", "tests/transcripts/borrow.chat"):
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _hash, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", read(found), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
            assert anchor in anchors, target


def test_both_readmes_have_the_same_sections() -> None:
    levels = [re.findall(r"^(#+) ", re.sub(r"```.*?```", "", read(readme), flags=re.S), re.M) for readme in READMES]
    assert levels[0] == levels[1]
    tables = [len(re.findall(r"^\|[-| ]+\|$", read(readme), re.MULTILINE)) for readme in READMES]
    assert tables[0] == tables[1]


def test_the_figures_in_the_documents_are_those_of_the_rules() -> None:
    messages, registration, doors = rules().messages, rules().registration, rules().doors
    privacy = read(ROOT / "docs/privacy.md")
    assert f"{messages.retention_days} days (`messages.retention_days`)" in privacy
    assert f"聊天内容 {messages.retention_days} 天" in privacy
    assert f"at most {registration.pending_minor_days} days" in privacy
    assert f"version {registration.notice_version}, `registration.notice_version`" in privacy
    assert f"Below {registration.minimum_age} nobody" in privacy
    retention = section(ROOT / "docs/operating.md", "Retention")
    assert f"| {messages.retention_days} days | `messages.retention_days`" in retention
    assert f"after {registration.half_done_days} days | `registration.half_done_days`" in retention
    assert f"| {registration.pending_minor_days} days | `registration.pending_minor_days`" in retention
    assert (
        f"| {doors.page_minutes} min, {doors.code_minutes} min | `doors.page_minutes`, `doors.code_minutes`"
        in retention
    )
    assert f"| {messages.reply_expires_hours} h, then too old to send | `messages.reply_expires_hours`" in retention


def test_every_figure_of_the_rules_that_is_named_exists() -> None:
    for path in DOCS:
        for part, name in re.findall(r"`(registration|doors|messages|safety)\.(\w+)`", read(path)):
            assert name in type(getattr(rules(), part)).model_fields, f"{path.name}: {part}.{name}"


def test_the_operating_guide_names_the_metrics_and_log_events_that_exist() -> None:
    guide = ROOT / "docs/operating.md"
    exposed = {
        line.split()[2] for line in Metrics().text().decode().splitlines() if line.startswith("# TYPE nuanyang_")
    }
    table = re.findall(r"^\| `(nuanyang_\w+)` \|", section(guide, "Monitoring"), re.MULTILINE)
    assert set(table) == {name for name in exposed if not name.endswith("_created")}
    source = "".join(read(path) for folder in ("bot", "scheduler") for path in (ROOT / folder).rglob("*.py"))
    for row in re.findall(r"^\| (`.*?) \|", section(guide, "What to do when"), re.MULTILINE):
        for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", row):
            assert name in table or f'"{name}"' in source, name


def test_the_table_of_features_is_that_of_the_adapters() -> None:
    guide = read(ROOT / "docs/adding-a-platform.md")
    for adapter in (WeChat, Telegram):
        row = "| " + " | ".join([adapter.name, *(str(value) for value in asdict(adapter.features).values())]) + " |"
        assert row in guide, row
    header = "| | " + " | ".join(f"`{field.name}`" for field in fields(Features)) + " |"
    assert header in guide
    port = {name for name, member in vars(Platform).items() if callable(member) and not name.startswith("_")}
    assert port == set(re.findall(r"`(\w+)\([^`]*\)`", "".join(re.findall(r"^\| (`[^|]*) \|", guide, re.MULTILINE))))
    outcomes = re.findall(r"^\| `(\w+)` \|", section(ROOT / "docs/adding-a-platform.md", "Out"), re.MULTILINE)
    assert outcomes == list(get_args(OutcomeName))


def test_every_dependency_has_its_line_among_the_decisions() -> None:
    project = tomllib.loads(read(ROOT / "pyproject.toml"))
    groups = project["dependency-groups"].values()
    wanted = [*project["project"]["dependencies"], *(one for group in groups for one in group if isinstance(one, str))]
    names = {re.split(r"[^a-z0-9-]", one.lower())[0] for one in wanted}
    rows = re.findall(r"^\| ([a-z0-9, -]+) \|", section(ROOT / "docs/decisions.md", "Dependencies"), re.MULTILINE)
    explained = {name for row in rows for name in row.split(", ")} - {"package"}
    assert explained == names


def test_nothing_names_a_path_of_a_machine_or_a_registry() -> None:
    patterns = [re.escape(f"{ROOT}/"), r"/home/[a-z]\w*/", r"/root/", r"/Users/\w+/"]
    patterns += [
        r"files\.pythonhosted\.org",
        r"registry\.npm\w*\.\w+",
        r"--(?:extra-)?index-url \S",
        r"pypi\.\w+\.\w+/simple",
    ]
    wrong = re.compile("|".join(patterns))
    for path in ours():
        if path == Path(__file__) or path.suffix in (".png", ".gz", ".db", ".pyc", ".woff2"):
            continue
        try:
            found = wrong.search(read(path))
        except UnicodeDecodeError:
            continue
        assert not found, f"{path.relative_to(ROOT)}: {found[0] if found else ''}"
