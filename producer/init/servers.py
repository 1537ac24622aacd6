"""What a model server has: asked shortly, and in few words. The worker's clients know much more, for they measure."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from contracts.failures import InputError
from contracts.redis_client import redacted
from contracts.sweep import ServerKind

USUAL = {
    "http://127.0.0.1:11434": "Ollama",
    "http://127.0.0.1:8080": "llama.cpp",
    "http://127.0.0.1:8000": "vLLM",
    "http://127.0.0.1:30000": "SGLang",
    "http://127.0.0.1:1234": "LM Studio",
}
"""Where servers listen unless they are told another port."""

NOTHING = "nothing answers"

MAX_BYTES = 4 << 20
"""Of one answer."""
MAX_NAME = 200
MAX_MODELS = 500
MOST_SHOWN = 5
"""Models that Ollama is asked about, until one is found that generates text."""
LONGEST_CONTEXT = 100_000_000


@dataclass(frozen=True)
class Server:
    """A server with at least one model that generates text. What it does not tell is ``None``."""

    kind: ServerKind
    software: str | None
    model: str
    """The one to begin with: loaded already, else the first that the server lists."""
    others: tuple[str, ...] = ()
    context: int | None = None
    """Tokens that the model can be run with, or that the server runs it with."""
    layers: int | None = None
    parallel: int | None = None
    """Requests that it answers at the same time."""
    url: str | None = None
    """Without user and password; ``None``: the embedded server."""

    @property
    def described(self) -> str:
        """The server in a few words."""
        return f"{self.software or f'a server that speaks {self.kind}'}" + (
            f" at {self.url}" if self.url else ""
        )


@dataclass(frozen=True)
class Look:
    """What one address answered."""

    url: str
    """Without user and password."""
    said: str
    server: Server | None = None


class _NotThis(Exception):
    """It is no model server, or has no model; the message says so in a few words."""


def look_at(urls: Sequence[str], seconds: float) -> list[Look]:
    """Ask all addresses at the same time; an answer that takes longer than ``seconds`` in all is none.

    Raises:
        InputError: an address is none.
    """
    for url in urls:
        _check(url)
    looks: dict[str, Look] = {}
    # Threads that nobody waits for: a server that sends a byte now and then would keep any time limit of a socket.
    threads = [threading.Thread(target=_look_into, args=(url, seconds, looks), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    return [looks.get(url) or Look(redacted(url), f"no answer within {seconds:g} s") for url in urls]


def _check(url: str) -> None:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError(
            "--server must be an http:// or https:// address, such as http://127.0.0.1:11434"
        ) from None


def _look_into(url: str, seconds: float, looks: dict[str, Look]) -> None:
    shown = redacted(url)
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=seconds) as client:
            server = _Asked(client, shown).server()
        more = f" and {len(server.others)} more" if server.others else ""
        looks[url] = Look(shown, f"{server.software or server.kind} with {server.model}{more}", server)
    except _NotThis as error:
        looks[url] = Look(shown, str(error))
    except httpx.ConnectError:
        looks[url] = Look(shown, NOTHING)
    except httpx.TimeoutException:
        looks[url] = Look(shown, f"no answer within {seconds:g} s")
    except (httpx.HTTPError, OSError, ValueError) as error:
        looks[url] = Look(shown, f"no HTTP as a model server speaks it ({type(error).__name__})")


class _Asked:
    """One server that is asked, by each protocol in turn; the most telling one first."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client, self._url = client, url
        self._statuses: list[str] = []

    def server(self) -> Server:
        server = self._ollama() or self._llama_cpp_or_openai()
        if server is None:
            raise _NotThis(
                f"answers, but not as Ollama, llama.cpp or OpenAI do ({', '.join(dict.fromkeys(self._statuses))})"
            )
        return server

    def _ollama(self) -> Server | None:
        version = _text(self._ask("/api/version").get("version"))
        tags = self._ask("/api/tags").get("models") if version is not None else None
        if not isinstance(tags, list):
            return None
        listed = list(_names(tags, "name"))
        loaded = [name for name in _names(self._ask("/api/ps").get("models"), "name") if name in listed]
        ordered = list(dict.fromkeys([*loaded, *listed]))
        for name in ordered[:MOST_SHOWN]:
            shown = self._ask("/api/show", {"model": name})
            able = shown.get("capabilities")
            if isinstance(able, list) and "completion" not in able:
                continue  # it embeds
            info = _dict(shown.get("model_info"))
            of = _text(info.get("general.architecture"))
            return Server(
                kind="ollama",
                software=f"Ollama {version}",
                model=name,
                others=tuple(other for other in ordered if other != name),
                context=_count(info.get(f"{of}.context_length")),
                layers=_count(info.get(f"{of}.block_count")),
                url=self._url,
            )
        raise _NotThis(f"Ollama {version} has no model that generates text: ollama pull gemma3:1b")

    def _llama_cpp_or_openai(self) -> Server | None:
        listed = self._ask("/v1/models").get("data")
        if not isinstance(listed, list):
            return None
        entries = [entry for entry in listed if isinstance(entry, dict)]
        names = list(_names(entries, "id"))
        if not names:
            raise _NotThis("speaks OpenAI's protocol, but has no model")
        first = next(entry for entry in entries if entry.get("id") == names[0])
        owners = {str(entry.get("owned_by")) for entry in entries}
        props = self._ask("/props")
        if "llamacpp" in owners or "build_info" in props:
            build = _text(props.get("build_info"))
            settings = _dict(props.get("default_generation_settings"))
            return Server(
                kind="llama.cpp",
                software="llama.cpp" + (f" {build}" if build else ""),
                model=names[0],
                others=tuple(names[1:]),
                context=_count(settings.get("n_ctx")) or _count(_dict(first.get("meta")).get("n_ctx")),
                parallel=_count(props.get("total_slots")),
                url=self._url,
            )
        version = _text(self._ask("/version").get("version")) if "vllm" in owners else None
        return Server(
            kind="openai",
            software=" ".join(filter(None, ("vLLM", version))) if "vllm" in owners else None,
            model=names[0],
            others=tuple(names[1:]),
            context=_count(first.get("max_model_len")),
            url=self._url,
        )

    def _ask(self, path: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON object that the server answers; empty where it is none."""
        method = "GET" if payload is None else "POST"
        with self._client.stream(method, path, json=payload) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise _NotThis(f"answers {path} with more than {MAX_BYTES >> 20} MiB")
        self._statuses.append(f"HTTP {response.status_code}")
        if response.status_code in (401, 403):
            raise _NotThis(f"refuses to answer (HTTP {response.status_code}): it wants a password or a key")
        if response.status_code != 200:
            return {}
        try:
            return _dict(json.loads(body))
        except (ValueError, RecursionError):
            return {}


def _names(entries: object, key: str) -> Iterator[str]:
    """Yield names that can stand in a sweep file: foreign text that is not printable is nobody's model."""
    for entry in (entries if isinstance(entries, list) else [])[:MAX_MODELS]:
        name = _text(_dict(entry).get(key))
        if name is not None:
            yield name


def _text(value: object) -> str | None:
    usable = isinstance(value, str) and 0 < len(value.strip()) <= MAX_NAME and value.isprintable()
    return str(value).strip() if usable else None


def _count(value: object) -> int | None:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LONGEST_CONTEXT
    return int(str(value)) if usable else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
