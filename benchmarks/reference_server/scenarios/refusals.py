"""Responses that are no stream at all."""

from __future__ import annotations

from benchmarks.reference_server.scene import Builder, Scene
from benchmarks.reference_server.script import Fields, Script

REFUSED_FIRST = 1
"""So many requests are refused before one is answered."""
RETRY_AFTER: Fields = (("Retry-After", "1"),)


def http_400(scene: Scene) -> Script:
    """Status 400: the request is wrong."""
    return scene.refusal(400, "invalid option: mirostat_teta", "invalid_request_error")


def http_404(scene: Scene) -> Script:
    """Status 404: the model is not there."""
    return scene.unknown_model()


def http_429(scene: Scene) -> Script:
    """Status 429 with Retry-After: 1 for the first request, whatever its connection; then as normal."""
    return http_429_always(scene) if scene.attempt <= REFUSED_FIRST else scene.whole(scene.answer())


def http_429_always(scene: Scene) -> Script:
    """Status 429 with Retry-After: 1."""
    return scene.refusal(429, "too many requests", "rate_limit_error", RETRY_AFTER)


def http_500(scene: Scene) -> Script:
    """Status 500: the server failed."""
    return scene.refusal(500, "model runner has unexpectedly stopped", "server_error")


def http_503(scene: Scene) -> Script:
    """Status 503, as llama.cpp while it loads a model, for the first request; then as normal."""
    if scene.attempt > REFUSED_FIRST:
        return scene.whole(scene.answer())
    return scene.refusal(503, "Loading model", "unavailable_error")


def redirect(scene: Scene) -> Script:
    """Status 302 to another path."""
    return Script(
        status=302, content_type="text/html", body=b"Moved.\n", fields=(("Location", "/elsewhere"),)
    )


def wrong_content_type(scene: Scene) -> Script:
    """Status 200 with a page of HTML."""
    body = b"<html><body>Please log in to use this proxy</body></html>"
    return Script(content_type="text/html; charset=utf-8", body=body)


SCENARIOS: dict[str, Builder] = {
    "http-400": http_400,
    "http-404": http_404,
    "http-429": http_429,
    "http-429-always": http_429_always,
    "http-500": http_500,
    "http-503": http_503,
    "redirect": redirect,
    "wrong-content-type": wrong_content_type,
}
