"""One setting: its check, its sentence, and what a form or a command line needs to know of it."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from ptycho_nb.errors import ConfigError, unknown

NO_UNIT = "no unit"
TOLD = "told"  # kind of an error whose message says what is wanted: "it must be even"


def setting(
    default: Any,
    help: str,
    *,
    label: str,
    unit: str = NO_UNIT,
    ge: float | None = None,
    le: float | None = None,
    log: bool = False,
    advanced: bool = False,
) -> Any:
    """One field: default, what it means, unit, inclusive range, log or linear, basic or advanced."""
    marks: JsonDict = {"label": label, "unit": unit, "log": log, "advanced": advanced}
    return Field(default, ge=ge, le=le, description=help, title=label, json_schema_extra=marks)


@dataclass(frozen=True)
class Setting:
    """What a form, a command line or a page of documentation needs to know of one field."""

    name: str
    label: str
    help: str
    unit: str
    default: Any
    kind: type
    optional: bool
    choices: tuple[Any, ...]
    ge: float | None
    le: float | None
    log: bool
    advanced: bool

    @property
    def allowed(self) -> str:
        """The permitted values in words."""
        if self.choices:
            words = "one of " + ", ".join(str(c) for c in self.choices)
        elif self.kind is bool:
            words = "true or false"
        else:
            noun = "a whole number" if self.kind is int else "a number"
            words = f"{noun} in {_plain(self.ge)} to {_plain(self.le)}"
        return words + (" or empty" if self.optional else "")


class Config(BaseModel):
    """A frozen set of settings that refuses unknown names and values out of range.

    Raises
    ------
    ConfigError
        One sentence for each problem: the field, what was found and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError.of(self._sentences(error)) from None

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        """True is no number and 1 is no yes; digits in words, as a command line gives them, are a number."""
        name = str(info.field_name)
        kind = _setting(name, cls.model_fields[name]).kind
        if (kind in (int, float) and isinstance(value, bool)) or (kind is bool and not isinstance(value, bool | str)):
            raise ValueError(f"no {kind.__name__}")
        return value

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """Every field, in the order declared."""
        return tuple(_setting(name, field) for name, field in cls.model_fields.items())

    @classmethod
    def problems(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """One sentence for each field that cannot take its value; empty when all is well."""
        try:
            cls(**values)
        except ConfigError as error:
            return error.problems
        return {}

    @classmethod
    def _sentences(cls, error: ValidationError) -> dict[str, str]:
        known = {s.name: s for s in cls.settings()}
        named = ((str(d["loc"][0]) if d["loc"] else "", d) for d in error.errors())
        return {name: cls._sentence(name, detail, known) for name, detail in named}

    @classmethod
    def _sentence(cls, name: str, detail: ErrorDetails, known: Mapping[str, Setting]) -> str:
        if name not in known:
            return unknown(f"{cls.__name__} setting", name, known) if name else f"{cls.__name__}: {detail['msg']}."
        wanted = detail["msg"] if detail["type"] == TOLD else f"it must be {known[name].allowed}"
        return f"{cls.__name__}.{name} is {_found(detail['input'])}; {wanted}{_pointed(detail['input'], known[name])}."

    @classmethod
    def presets(cls) -> tuple[str, ...]:
        """Names that ``preset`` takes."""
        return tuple(cls.PRESETS)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The config called ``name``, with ``changes`` on top.

        Raises
        ------
        ConfigError
            There is no preset of that name.
        """
        if name not in cls.PRESETS:
            raise ConfigError(unknown(f"{cls.__name__} preset", name, cls.PRESETS))
        return cls(**{**cls.PRESETS[name], **changes})

    def replace(self, **changes: Any) -> Self:
        """The same settings with some changed, checked again."""
        return type(self)(**{**self.model_dump(), **changes})

    def changes(self) -> dict[str, Any]:
        """The settings that differ from their defaults."""
        return {s.name: value for s in self.settings() if (value := self.model_dump()[s.name]) != s.default}


def _found(value: Any) -> str:
    """What was given, as a sentence says it: text between quotes, digits and all else as they are, at most 40 characters."""
    said = str(value).strip()
    said = said if len(said) <= 40 else said[:37] + "…"
    return "empty" if value is None or not said else repr(said) if isinstance(value, str) and not _is_number(said) else said


def _pointed(value: Any, setting: Setting) -> str:
    """How a fraction that was written with a comma is written."""
    fraction = isinstance(value, str) and re.fullmatch(r"\s*([-+]?\d*,\d+)([eE][-+]?\d+)?\s*", value)
    return f", with a decimal point: {value.strip().replace(',', '.')}" if fraction and setting.kind is float else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(value: float | None) -> str:
    if value is None:
        return "any"
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e12 else f"{value:g}"


def _setting(name: str, field: FieldInfo) -> Setting:
    kind, optional = field.annotation, False
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [k for k in get_args(kind) if k is not type(None)]
        kind, optional = kinds[0], True
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    marks = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    bounds = {k: getattr(m, k) for m in field.metadata for k in ("ge", "le") if hasattr(m, k)}
    return Setting(
        name=name,
        label=str(marks["label"]),
        help=str(field.description),
        unit=str(marks["unit"]),
        default=None if field.default is PydanticUndefined else field.default,
        kind=type(choices[0]) if choices else kind if isinstance(kind, type) else str,
        optional=optional,
        choices=choices,
        ge=bounds.get("ge"),
        le=bounds.get("le"),
        log=bool(marks["log"]),
        advanced=bool(marks["advanced"]),
    )
