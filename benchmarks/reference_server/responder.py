"""From a request to its response: routing, and what is remembered from one request to the next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.reference_server import llama_cpp, ollama, openai
from benchmarks.reference_server.arrival import Arrival
from benchmarks.reference_server.connection import Response
from benchmarks.reference_server.dialect import Dialect, Generation
from benchmarks.reference_server.http import BadRequest, Request
from benchmarks.reference_server.loaded import LoadedModels
from benchmarks.reference_server.log import ServerLog
from benchmarks.reference_server.plans import Plans
from benchmarks.reference_server.scenarios import SCENARIOS
from benchmarks.reference_server.scene import Scene
from benchmarks.reference_server.script import Script
from benchmarks.reference_server.settings import Settings
from benchmarks.reference_server.wire import prepare

OPENAI = (openai.CHAT, openai.COMPLETIONS)


class ReferenceResponder:
    """Answers for one server. ``facts`` tells of the server's process, ``clear`` empties its log."""

    def __init__(
        self,
        settings: Settings,
        log: ServerLog,
        facts: Callable[[], dict[str, Any]],
        clear: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._log = log
        self._facts = facts
        self._clear = clear
        self._loaded = LoadedModels(settings)
        self._slot = llama_cpp.LlamaCppSlot(settings)
        self._plans = Plans()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._models = list(settings.models)
        self._models += [f"{base}:{name}" for base in settings.models for name in SCENARIOS]
        native = llama_cpp.PATHS if settings.flavour == "llama.cpp" else ()
        self._generating = frozenset((*ollama.PATHS, *OPENAI, *native))

    def refuse(self, status: int, reason: str) -> Response:
        """Return the response to what is not a request, or can't be answered; the connection is closed."""
        return _plain(status, {"error": reason}, closes=True)

    def respond(self, request: Request, came: Arrival, peer: str) -> Response:
        """Return the response to a request."""
        path = request.path
        try:
            if path in self._generating and request.method == "POST":
                return self._generate(request, came, peer)
            status, value = self._describe(request)
        except BadRequest as error:
            status, value = 400, _error(path, 400, str(error), "invalid_request_error")
        return _plain(status, value, not request.keeps_alive)

    def _generate(self, request: Request, came: Arrival, peer: str) -> Response:
        body, path, closes = request.object(), request.path, not request.keeps_alive
        streams = body.get("stream", path in ollama.PATHS) is True
        generation = self._parse(path, body)
        if not streams and not generation.only_load:
            raise BadRequest('the reference server only streams: send "stream": true')
        asked = generation.model.partition(":")[2]
        scenario = asked if asked in SCENARIOS else self._settings.scenario
        dialect = self._dialect(path, body, generation)
        name = ollama.full_name(generation.model)
        known = generation.model.partition(":")[0] in self._settings.models
        unloads = generation.only_load and generation.unload
        cold = known and not unloads and self._load(path, name, generation)
        load_s = self._settings.load_s(scenario) if cold else 0.0
        entry = self._log.open(
            came,
            path=path,
            model=generation.model,
            scenario=scenario,
            peer=peer,
            cold=cold and load_s > 0,
            request_id=request.fields.get("x-request-id"),
            prompt=generation.prompt,
            body=body,
        )
        self._attempts[name, scenario] += 1
        scene = Scene(self._settings, dialect, generation, load_s, self._attempts[name, scenario])
        if not known:
            return Response(prepare(scene.unknown_model(), closes), entry)
        if isinstance(dialect, ollama.OllamaDialect) and generation.only_load:
            plan = prepare(_load_script(dialect, load_s, unloads), closes)
        else:
            plan = self._plans.of((path, scenario, closes), scene)
            entry.schedule = plan.schedule
        if path not in ollama.PATHS:
            self._slot.take(generation, entry)
        after = partial(self._loaded.unload, name) if generation.unload else None
        return Response(plan, entry, after)

    def _parse(self, path: str, body: dict[str, Any]) -> Generation:
        if path in ollama.PATHS:
            return ollama.parse(body)
        return openai.parse(body) if path in OPENAI else llama_cpp.parse(body, self._settings.models[0])

    def _dialect(self, path: str, body: dict[str, Any], generation: Generation) -> Dialect:
        if path in ollama.PATHS:
            return ollama.OllamaDialect(generation.model, path == ollama.CHAT)
        if path in OPENAI:
            return openai.OpenAIDialect(body, path == openai.CHAT, self._settings.flavour)
        return llama_cpp.LlamaCppDialect(generation)

    def _load(self, path: str, name: str, generation: Generation) -> bool:
        return self._loaded.use(name, generation.options if path in ollama.PATHS else None)

    def _describe(self, request: Request) -> tuple[int, Any]:
        path, settings = request.path, self._settings
        if (request.method, path) in (("DELETE", "/log"), ("POST", "/log/clear")):
            return 200, {"cleared": self._clear()}
        if path == "/log":
            return 200, self._log.as_dict(_since(request)) | self._facts()
        tags = [ollama.full_name(name) for name in self._models]
        told = ollama.describe(path, settings, tags, self._loaded, request.object())
        told = told or openai.describe(path, settings, self._models)
        if told is None and settings.flavour == "llama.cpp":
            told = llama_cpp.describe(path, settings, self._slot)
        return told or (404, _error(path, 404, "File Not Found", "not_found_error"))


def _since(request: Request) -> int:
    value = request.query("since") or "0"
    if not (value.isascii() and value.isdigit()):
        raise BadRequest("since: the id of a request, a whole number")
    return int(value)


def _error(path: str, status: int, message: str, kind: str) -> dict[str, Any]:
    if path.startswith("/api/"):
        return {"error": message}
    return {"error": {"code": status, "message": message, "type": kind}}


def _load_script(dialect: ollama.OllamaDialect, load_s: float, unloads: bool) -> Script:
    return Script(
        content_type="application/json; charset=utf-8",
        body=dialect.loading("unload" if unloads else "load"),
        headers_due_s=load_s,
    )


def _plain(status: int, value: Any, closes: bool) -> Response:
    return Response(prepare(Script(status=status, body=json.dumps(value).encode()), closes))
