"""What every page has: safe texts, our own style and script inside, and a policy."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from mm_ckpt_migrate.names import safe_text
from mm_ckpt_migrate.pages import numbers

if TYPE_CHECKING:
    from jinja2 import Environment

_MAX_LENGTH: Final = 4096


def render_page(name: str, context: Mapping[str, Any]) -> str:
    """The page of the template `name`, with the style and the script of that name in it."""
    environment = _environment()
    style, script = (
        _source(environment, shared) + _source(environment, own)
        for shared, own in (("page.css", f"{name}.css"), ("tables.js", f"{name}.js"))
    )
    return environment.get_template(f"{name}.html.j2").render(
        **context, style=style, script=script, policy=_policy(style, script)
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mm_ckpt_migrate.pages"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(plain=numbers.plain, share=numbers.share, size=numbers.size)
    return environment


def _shown(value: object) -> object:
    """Texts come from strangers' files: what cannot be seen, or turns text around, is spelled out.

    Markup is a text of another type and goes through; numbers are formatted already.
    """
    return safe_text(value, _MAX_LENGTH) if type(value) is str else value


def _source(environment: Environment, name: str) -> Any:
    """A file of ours that goes into the page as it is."""
    from markupsafe import Markup

    assert environment.loader is not None
    text, _, _ = environment.loader.get_source(environment, name)
    # A browser reads a line's end as one character; the hashes in the policy have to agree.
    return Markup(text.replace("\r\n", "\n"))  # noqa: S704


def _policy(style: str, script: str) -> str:
    """Nothing may be fetched; our own style and script run, and no other."""
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
