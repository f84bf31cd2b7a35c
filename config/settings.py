"""Every setting of a deployment as one typed object, parsed once at the start.

Sources, the first that names a value wins: environment variables `NUANYANG_…` (nested with `__`), a secrets
folder, `nuanyang.toml` in the working folder (or the file named by `NUANYANG_CONFIG`).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from config.cards import Once, Template, read_once, read_templates
from config.texts import N_, _

ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
WECHAT_API = "https://api.weixin.qq.com"
WECHAT_PAGES = "https://mp.weixin.qq.com"
TELEGRAM_API = "https://api.telegram.org"

# Messages a second that an account may send, 0 = no limit (paid broadcasts, tests); calls of it under way at once.
SendsASecond = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
SendsAtOnce = Annotated[int, Field(ge=1, le=500)]


class UnsafeSetting(Exception):
    """A setting that is missing, malformed or unsafe. `str()` is one line that names it and the way to mend it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(_("{item}：{value}").format(item=key, value=problem))
        self.key = key
        self.problem = problem


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(_("要写成完整的地址，如 https://example.org"))
    if parts.query or parts.fragment:
        raise ValueError(_("地址里不能有 ? 或 # 后面的部分"))
    return value.rstrip("/")


class WeChatAccount(BaseModel):
    """One Official Account (服务号). The AES key is the console's EncodingAESKey, 43 characters."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    appid: str = Field(min_length=1, max_length=64)
    secret: SecretStr
    token: SecretStr
    encoding_aes_key: SecretStr
    previous_aes_key: SecretStr | None = None
    api_base: str = WECHAT_API
    page_base: str = WECHAT_PAGES  # where people are asked to allow one message
    sends_a_second: SendsASecond = 50.0
    sends_at_once: SendsAtOnce = 30
    # Ways to people who have not written for two days; see config/cards.py and docs/operating.md.
    templates: Annotated[dict[str, Template], NoDecode] = {}
    subscriptions: Annotated[dict[str, Template], NoDecode] = {}
    once: Annotated[Once | None, NoDecode] = None

    _cards = field_validator("templates", "subscriptions", mode="before")(read_templates)
    _scene = field_validator("once", mode="before")(read_once)

    @field_validator("secret", "token")
    @classmethod
    def _not_empty(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            raise ValueError(_("不能为空"))
        return value

    @field_validator("encoding_aes_key", "previous_aes_key")
    @classmethod
    def _aes_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9+/]{43}", value.get_secret_value()):
            raise ValueError(_("要填公众平台里的 EncodingAESKey，43 位字母和数字"))
        return value

    _url = field_validator("api_base", "page_base")(_base_url)


class TelegramAccount(BaseModel):
    """One Telegram bot. `secret_token` guards the webhook and is needed unless `mode` is polling."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: SecretStr
    secret_token: SecretStr | None = None
    api_base: str = TELEGRAM_API
    mode: Literal["webhook", "polling"] = "webhook"
    sends_a_second: SendsASecond = 30.0
    sends_at_once: SendsAtOnce = 30

    @field_validator("token")
    @classmethod
    def _token(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[0-9]{1,20}:[A-Za-z0-9_-]{3,100}", value.get_secret_value()):
            raise ValueError(_("要填 BotFather 给的 token，如 123456:ABC-DEF"))
        return value

    @field_validator("secret_token")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value.get_secret_value()):
            raise ValueError(_("要用 1–256 个字母、数字、_ 或 -"))
        return value

    _url = field_validator("api_base")(_base_url)


def _secrets_folder() -> Path | None:
    named = os.environ.get("NUANYANG_SECRETS")
    if named:
        return Path(named)
    usual = Path("/run/secrets/nuanyang")
    return usual if usual.is_dir() else None


class Settings(BaseSettings):
    """All settings; field names in upper case behind `NUANYANG_` are the environment's."""

    model_config = SettingsConfigDict(
        env_prefix="NUANYANG_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    database_url: SecretStr = SecretStr("sqlite:///nuanyang.db")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    timezone: str = "Asia/Shanghai"
    spool: Path = Path("spool")
    public_url: str = ""
    keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    wechat: dict[str, WeChatAccount] = {}
    telegram: dict[str, TelegramAccount] = {}
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    rules_file: Path | None = None
    operator_name: Annotated[str, Field(max_length=60)] = ""
    operator_contact: Annotated[str, Field(max_length=100)] = ""

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError(_("要以 sqlite:/// 或 postgresql+psycopg:// 开头"))
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(_("要写时区的名称，如 Asia/Shanghai")) from error
        return value

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str) -> str:
        return _base_url(value) if value else value

    @field_validator("operator_name", "operator_contact")
    @classmethod
    def _one_line(cls, value: str) -> str:
        line = " ".join(value.split())
        # It stands in messages and on pages: nothing in it may look like markup to either.
        if not line.isprintable() or any(c in "<>" for c in line):
            raise ValueError(_("只能写一行文字，不能有 < 和 >"))
        return line

    @field_validator("keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("keys")
    @classmethod
    def _keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in value:
            decode_key(key)
        return value

    @field_validator("wechat", "telegram", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        named = {str(name).lower(): account for name, account in value.items()}
        for name in named:
            if not ACCOUNT_NAME.match(name):
                raise ValueError(_("账号的名称要用 1–32 个字母、数字、_ 或 -"))
        return named

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        folder = _secrets_folder()
        if folder is not None:
            if not folder.is_dir():
                raise UnsafeSetting("NUANYANG_SECRETS", _("指的文件夹不存在：建立它，或去掉这个变量"))
            sources.append(
                NestedSecretsSettingsSource(
                    file_secret_settings,
                    secrets_dir=folder,
                    secrets_prefix="",
                    secrets_nested_delimiter="__",
                    secrets_dir_missing="error",
                )
            )
        named = os.environ.get("NUANYANG_CONFIG")
        if named and not Path(named).is_file():
            raise UnsafeSetting("NUANYANG_CONFIG", _("指的文件不存在：建立它，或去掉这个变量"))
        sources.append(TomlConfigSettingsSource(settings_cls, Path(named or "nuanyang.toml")))
        return tuple(sources)

    def key_bytes(self) -> tuple[bytes, ...]:
        """The field-encryption keys, newest first, 32 bytes each."""
        return tuple(decode_key(key) for key in self.keys)


def decode_key(key: SecretStr) -> bytes:
    """Turn one urlsafe-base64 key into its 32 bytes; raises ValueError with the way to make one."""
    try:
        raw = base64.b64decode(key.get_secret_value(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise ValueError(_("每个密钥要是 32 字节的 urlsafe base64；用 nuanyang keys new 生成"))
    return raw


def load(**overrides: Any) -> Settings:
    """Read the configuration; raises UnsafeSetting naming the first setting that is wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UnsafeSetting(_env_name(first["loc"]), told(first)) from None
    except (OSError, ValueError) as error:
        # A broken TOML file: its parser's message names line and column, never the value.
        raise UnsafeSetting(os.environ.get("NUANYANG_CONFIG") or "nuanyang.toml", str(error).split("\n")[0]) from None


def _env_name(path: tuple[int | str, ...]) -> str:
    words = [str(part).upper() for part in path if not isinstance(part, int)]
    return "NUANYANG_" + "__".join(words)


def told(error: ErrorDetails) -> str:
    """What pydantic found, in the words of the terminal's language; the value itself is never told."""
    known = {
        "missing": N_("没有设置"),
        "int_parsing": N_("要写一个整数"),
        "int_type": N_("要写一个整数"),
        "float_parsing": N_("要写一个数"),
        "finite_number": N_("要写一个数"),
        "greater_than_equal": N_("不能小于 {ge}"),
        "greater_than": N_("要大于 {gt}"),
        "less_than_equal": N_("不能大于 {le}"),
        "less_than": N_("要小于 {lt}"),
        "literal_error": N_("只能写 {expected}"),
        "extra_forbidden": N_("没有这个设置"),
        "string_type": N_("要写一段文字"),
        "string_too_short": N_("不能少于 {min_length} 个字"),
        "string_too_long": N_("不能多于 {max_length} 个字"),
        "dict_type": N_("要按账号的名称分开写，写法见 docs/operating.md"),
        "model_type": N_("要按账号的名称分开写，写法见 docs/operating.md"),
    }
    words = known.get(error["type"])
    if words is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return _(words).format(**error.get("ctx", {}))
