"""What a broker's URL may say, and what is made of it for every client of Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import redis

from contracts.celery_app import make_app
from contracts.failures import SetupError
from contracts.redis_client import connect
from contracts.settings import REDIS_CA, REDIS_CERT, REDIS_KEY
from contracts.tls import address, is_loopback


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (REDIS_CA, REDIS_CERT, REDIS_KEY):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("ca", "cert", "key", "other")}
    for path in made.values():
        path.write_text("x")
    return made


def test_a_certificate_is_checked_where_nothing_is_said() -> None:
    assert address("rediss://h:1/0").tls == {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    assert address("redis://h:1/0").tls is None


def test_files_come_from_the_url_and_else_from_the_environment(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REDIS_CA, str(files["ca"]))
    monkeypatch.setenv(REDIS_CERT, str(files["cert"]))
    monkeypatch.setenv(REDIS_KEY, str(files["key"]))
    found = address(f"rediss://u:p@h:1/0?ssl_ca_certs={files['other']}").tls
    assert found is not None
    assert found["ssl_ca_certs"] == str(files["other"])
    assert (found["ssl_certfile"], found["ssl_keyfile"]) == (str(files["cert"]), str(files["key"]))


def test_all_clients_get_the_same_options_and_no_query(files: dict[str, Path]) -> None:
    url = f"rediss://u:p@127.0.0.1:1/3?ssl_ca_certs={files['ca']}&ssl_certfile={files['cert']}&ssl_keyfile={files['key']}"
    expected = address(url).tls
    assert expected is not None
    store = connect(url).connection_pool
    assert issubclass(store.connection_class, redis.SSLConnection)
    app = make_app(url, max_deadline_s=1)
    broker = app.connection_for_read()
    backend: dict[str, Any] = cast(Any, app.backend).connparams
    assert broker.ssl == expected
    assert app.conf.broker_use_ssl == app.conf.redis_backend_use_ssl == expected  # what Flower reads
    for options in (store.connection_kwargs, backend):
        for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"):
            assert options[name] == expected[name]
        assert (options["username"], options["password"]) == ("u", "p")
        assert int(options["db"]) == 3
    assert (broker.userid, broker.password, broker.virtual_host) == ("u", "p", "3")
    assert str(backend["ssl_cert_reqs"].name) == "CERT_REQUIRED"


@pytest.mark.parametrize(
    "query",
    [
        *("ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs=optional"),
        *("ssl_check_hostname=false", "ssl_check_hostname=0", "ssl_cert_reqs="),
    ],
)
def test_the_check_of_certificates_can_not_be_turned_off(query: str) -> None:
    with pytest.raises(SetupError, match="turns the check of Redis' certificate off"):
        connect(f"rediss://h:1/0?{query}")


def test_what_holds_anyway_may_be_said() -> None:
    assert address("rediss://h:1/0?ssl_cert_reqs=required&ssl_check_hostname=true").tls is not None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("rediss://h:1/0?ssl_ca_certs=/nowhere/ca.crt", "no file that can be read"),
        ("rediss://h:1/0?ssl_ca_certs=/", "no file that can be read"),
        ("rediss://h:1/0?password=hunter2", "a query parameter that Chimera does not know"),
        ("rediss://h:1/0?credential_provider=os.system", "a query parameter that Chimera does not know"),
        ("redis://h:1/0?ssl_ca_certs=/nowhere", "redis:// is not encrypted: write rediss://"),
        ("amqp://u:hunter2@h/", "must be a redis:// or rediss:// URL, got 'amqp'"),
        ("hunter2", "got ''"),
        ("redis://u:hunter2@/0", "can't be understood"),
        ("redis://:hun?ter2@h:1/0", "can't be understood"),
        ("redis://:hun#ter2@h:1/0", "can't be understood"),
        ("redis://:hun/ter2@h:1/0", "can't be understood"),
        ("redis://h:99999/0", "can't be understood"),
        ("redis://h:1/zero", "can't be understood"),
        ("redis://[::1/0", "can't be understood"),
    ],
)
def test_what_is_wrong_is_one_sentence_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(SetupError) as caught:
        address(url)
    assert reason in str(caught.value)
    assert "hun" not in str(caught.value) and "ter2" not in str(caught.value)


def test_a_key_without_its_certificate_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(SetupError, match="a client's certificate needs its key"):
        address(f"rediss://h:1/0?ssl_keyfile={files['key']}")


def test_a_forgotten_letter_does_not_send_passwords_in_the_clear(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REDIS_CA, str(files["ca"]))
    with pytest.raises(SetupError, match="write rediss://"):
        address("redis://redis.cluster:6379/0")
    assert address("redis://127.0.0.1:6379/0").tls is None  # the embedded one


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True)),
        *(
            ("0.0.0.0", False),
            ("::", False),
            ("10.0.0.1", False),
            ("localhost.example.org", False),
            ("", False),
        ),
    ],
)
def test_loopback_is_what_can_not_be_reached_from_elsewhere(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
