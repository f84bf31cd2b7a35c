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
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
WECHAT_API = "https://api.weixin.qq.com"
TELEGRAM_API = "https://api.telegram.org"


class UnsafeSetting(Exception):
    """A setting that is missing, malformed or unsafe. `str()` is one line that names it and the way to mend it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an address such as https://example.org")
    if parts.query or parts.fragment:
        raise ValueError("must not have a ?query or a #fragment")
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

    @field_validator("secret", "token")
    @classmethod
    def _not_empty(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            raise ValueError("must not be empty")
        return value

    @field_validator("encoding_aes_key", "previous_aes_key")
    @classmethod
    def _aes_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9+/]{43}", value.get_secret_value()):
            raise ValueError("must be the 43 letters and digits shown as EncodingAESKey in the account's console")
        return value

    _url = field_validator("api_base")(_base_url)


class TelegramAccount(BaseModel):
    """One Telegram bot. `secret_token` guards the webhook and is needed unless `mode` is polling."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: SecretStr
    secret_token: SecretStr | None = None
    api_base: str = TELEGRAM_API
    mode: Literal["webhook", "polling"] = "webhook"

    @field_validator("token")
    @classmethod
    def _token(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[0-9]{1,20}:[A-Za-z0-9_-]{3,100}", value.get_secret_value()):
            raise ValueError("must be the bot's token from BotFather, such as 123456:ABC-DEF")
        return value

    @field_validator("secret_token")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value.get_secret_value()):
            raise ValueError("must be 1–256 letters, digits, _ or -")
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

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must begin with sqlite:/// or postgresql+psycopg://")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("must be a zone's name such as Asia/Shanghai") from error
        return value

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str) -> str:
        return _base_url(value) if value else value

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
                raise ValueError("an account's name has 1–32 letters, digits, _ or -")
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
                raise UnsafeSetting("NUANYANG_SECRETS", "names no folder; create it or unset the variable")
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
            raise UnsafeSetting("NUANYANG_CONFIG", "names no file; create it or unset the variable")
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
        raise ValueError("each key must be 32 bytes as urlsafe base64; `nuanyang keys new` makes one")
    return raw


def load(**overrides: Any) -> Settings:
    """Read the configuration; raises UnsafeSetting naming the first setting that is wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        raise UnsafeSetting(_env_name(first["loc"]), _plain(first["type"], first["msg"])) from None
    except (OSError, ValueError) as error:
        # A broken TOML file: its parser's message names line and column, never the value.
        raise UnsafeSetting(os.environ.get("NUANYANG_CONFIG") or "nuanyang.toml", str(error).split("\n")[0]) from None


def _env_name(path: tuple[int | str, ...]) -> str:
    words = [str(part).upper() for part in path if not isinstance(part, int)]
    return "NUANYANG_" + "__".join(words)


def _plain(kind: str, message: str) -> str:
    if kind == "missing":
        return "is missing; set it"
    return message.removeprefix("Value error, ")
