"""The `nuanyang` command. Every error is one line on standard error that says what to do, with exit status ≠ 0."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from config.settings import UnsafeSetting
from config.texts import LANGUAGES, SOURCE, _, catalogue, language_for, speaking

USAGE, FAILED, UNEXPECTED, INTERRUPTED = 2, 1, 70, 130


def main() -> None:
    """The entry point."""
    os.umask(0o077)  # database, spool and keys are for this user alone
    with speaking(language()):
        sys.exit(run(sys.argv[1:]))


def language() -> str:
    """NUANYANG_LANGUAGE, else English where the terminal is set to it, else Chinese."""
    named = os.environ.get("NUANYANG_LANGUAGE", "")
    hint = named or os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    chosen = named if named in LANGUAGES else language_for(hint.split(".")[0])
    try:
        catalogue(chosen)
    except OSError:
        return SOURCE  # an installation without its translations still has its commands
    return chosen


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    if arguments == ["--version"]:
        _tell_version()  # at once, without loading the rest
        return 0
    from bot.commands.shared import Problem
    from models.database import DatabaseAway
    from models.vault import VaultError

    debug = "--debug" in arguments
    try:
        ended = typer.main.get_command(build()).main(
            [argument for argument in arguments if argument != "--debug"],
            prog_name="nuanyang",
            standalone_mode=False,
        )
        return ended if isinstance(ended, int) else 0
    except typer.Exit as exit_:
        return exit_.exit_code
    except typer.TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, EOFError, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (Problem, UnsafeSetting) as error:
        return _failed(str(error))
    except DatabaseAway as error:
        return _failed(_("NUANYANG_DATABASE_URL：数据库连不上（{why}）；检查地址和它是否在运行。").format(why=error))
    except VaultError as error:
        return _failed(_("NUANYANG_KEYS：有数据打不开（{why}）；补上当时的密钥。").format(why=error))
    except Exception as error:
        if debug:
            raise
        _failed(_("出了意外（{why}）：加上 --debug 再运行一次，把结果交给维护者。").format(why=type(error).__name__))
        return UNEXPECTED


def build() -> typer.Typer:
    """The application; help texts are made here, in the terminal's language."""
    from bot.commands import (
        activities,
        cards,
        chat,
        db,
        demo,
        doctor,
        duty,
        duty_leaves,
        hours,
        households,
        imports,
        inbox,
        institutions,
        keys,
        matching,
        qualifications,
        relays,
        roles,
        serve,
        stations,
        teams,
        turns,
        why,
    )

    app = typer.Typer(
        name="nuanyang",
        help=_("暖阳：志愿助残的微信与 Telegram 对话前台。"),
        epilog=_("出错时加 --debug 看详情。"),
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_root)
    for group in (
        serve,
        db,
        keys,
        roles,
        teams,
        institutions,
        stations,
        activities,
        cards,
        imports,
        hours,
        households,
        matching,
        relays,
        turns,
        duty,
        duty_leaves,
        qualifications,
        inbox,
        why,
        doctor,
        chat,
        demo,
    ):
        group.add(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        _tell_version()
        raise typer.Exit


def _tell_version() -> None:
    typer.echo(f"nuanyang {version('nuanyang')}")


def _root(
    _shown: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help=_("版本"))] = False,
) -> None:
    """Options before any command; --version ends here."""


def _usage(error: typer.TyperException) -> int:
    """A command that was not understood. A group named alone shows its help instead."""
    message = error.format_message()
    if "\n" in message:
        typer.echo(message, err=True)
        return USAGE
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "nuanyang"
    _failed(_("命令写法不对：{why}用 {command} --help 看用法。").format(why=_mistake(message), command=command))
    return USAGE


def _mistake(message: str) -> str:
    """What is wrong with a command, in the terminal's language; typer has it in English only."""
    kinds = (
        (r"Missing (?:argument|option|parameter)s? '?([^'.]+)'?", _("少写了 {what}。")),
        (r"Invalid value for '?([^':]+)'?", _("{what} 的值不对。")),
        (r"No such command '([^']+)'", _("没有 {what} 这个命令。")),
        (r"No such option: (\S+)", _("没有 {what} 这个选项。")),
        (r"Option '([^']+)' (?:requires|does not)", _("{what} 后面的值不对，或者没有写。")),
        (r"unexpected extra argument\S* \((.+)\)", _("多写了 {what}。")),
    )
    for pattern, text in kinds:
        found = re.search(pattern, message)
        if found:
            return text.format(what=found[1])
    return message + " "


def _failed(line: str) -> int:
    typer.echo(" ".join(line.split()), err=True)
    return FAILED
