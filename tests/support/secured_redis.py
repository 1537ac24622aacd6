"""A Redis as docs/security.md sets one up: TLS with client certificates, and a user for each role."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis

from producer.embedded_redis import binary, free_port
from producer.processes import Child

ROOT = Path(__file__).resolve().parents[2]
USERS = ROOT / "deploy" / "redis" / "users.acl"
SETTINGS = ROOT / "deploy" / "redis" / "redis-tls.conf"
PASSWORD = "chimera-secret-{role}-:/?#[]@!$&'()*+,;=%"
"""A password with all that a URL must have encoded; ``chimera-secret`` marks it in logs."""
MARK = "chimera-secret"
ROLES = ("admin", "producer", "aggregator", "worker", "flower")


class Authority:
    """A certificate authority that lives as long as its folder."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl to make certificates with")
        folder.mkdir(parents=True)
        self.folder = folder
        self.ca = folder / "ca.crt"
        # Without it, and without the key identifier below, Python 3.13 and newer refuse the certificates.
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        made = ("-out", self.ca, "-subj", "/CN=throw-away", "-days", "2", *usage)
        self._openssl("req", "-x509", *self._new_key("ca"), *made)

    def certificate(self, name: str, subject: str = "IP:127.0.0.1,DNS:localhost") -> tuple[Path, Path]:
        """Return a new certificate and its key."""
        request, certificate = self.folder / f"{name}.csr", self.folder / f"{name}.crt"
        names = self.folder / f"{name}.ext"
        names.write_text(f"subjectAltName={subject}\nauthorityKeyIdentifier=keyid\n")
        self._openssl("req", *self._new_key(name), "-out", request, "-subj", f"/CN={name}")
        signed_by = ("-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial")
        made = ("-in", request, "-out", certificate, "-days", "2", "-extfile", names)
        self._openssl("x509", "-req", *signed_by, *made)
        return certificate, self.folder / f"{name}.key"

    def _new_key(self, name: str) -> tuple[Any, ...]:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        return (*curve, "-keyout", self.folder / f"{name}.key")

    def _openssl(self, *arguments: Any) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def binary_with_tls(folder: Path, authority: Authority) -> str | None:
    """Return a server that can TLS, ``None`` where there is none."""
    certificate, key = authority.certificate("probe")
    for candidate in (shutil.which("redis-server"), shutil.which("valkey-server"), binary()):
        if candidate is None:
            continue
        # Without TLS it says so; with it, it ends because the address to listen on is not ours.
        options = ["--port", "0", "--tls-port", "1", "--bind", "192.0.2.1", "--dir", folder]
        options += ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority.ca]
        said = subprocess.run(
            [candidate, *map(str, options)], capture_output=True, text=True, timeout=20
        ).stdout
        if "TLS support" not in said and "Bad directive" not in said:
            return candidate
    return None


def has_tls(folder: Path, authority: Authority) -> bool:
    """Return whether there is a server that can TLS."""
    return binary_with_tls(folder, authority) is not None


def users(path: Path) -> None:
    """Write the shipped ACL file with real passwords."""
    text = USERS.read_text()
    for role in ROLES:
        digest = hashlib.sha256(PASSWORD.format(role=role).encode()).hexdigest()
        text = text.replace(f"#SHA256_OF_{role.upper()}_PASSWORD", f"#{digest}")
    assert not re.search(r"#SHA256", text)
    path.write_text(text)


class SecuredRedis:
    """A real Redis with the shipped users; with an authority also with TLS, and then with nothing else."""

    def __init__(self, folder: Path, authority: Authority | None = None) -> None:
        self.port = free_port()
        self.authority = authority
        (folder / "data").mkdir(parents=True)
        users(folder / "users.acl")
        self.binary = binary()
        if authority is None:
            settings = f"port {self.port}\ndir {folder / 'data'}\naclfile {folder / 'users.acl'}\n"
            settings += 'bind 127.0.0.1\nappendonly yes\nsave ""\nacllog-max-len 128\n'
        else:
            self.binary = binary_with_tls(folder, authority) or pytest.skip(
                "no redis-server with TLS on PATH"
            )
            self.client_certificate, self.client_key = authority.certificate("client")
            settings = self._shipped_settings(folder, authority)
        self.child = Child("redis", [self.binary, "-"], log=folder / "redis.log", standard_input=settings)
        self.child.wait_until(self._answers, seconds=15)

    def _shipped_settings(self, folder: Path, authority: Authority) -> str:
        certificate, key = authority.certificate("redis")
        places = {
            "/etc/redis/tls/redis.crt": certificate,
            "/etc/redis/tls/redis.key": key,
            "/etc/redis/tls/ca.crt": authority.ca,
            "/etc/redis/users.acl": folder / "users.acl",
            "/var/lib/redis": folder / "data",
            "0.0.0.0": "127.0.0.1",
            "tls-port 6379": f"tls-port {self.port}",
        }
        text = SETTINGS.read_text()
        for shipped, here in places.items():
            assert shipped in text, shipped
            text = text.replace(shipped, str(here))
        return text

    def url(self, role: str, **query: Any) -> str:
        """Return the broker's URL of a role."""
        user = role if role == "admin" else f"chimera-{role}"
        scheme = "redis" if self.authority is None else "rediss"
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        password = quote(PASSWORD.format(role=role), safe="")
        return f"{scheme}://{user}:{password}@127.0.0.1:{self.port}/0" + (f"?{asked}" if asked else "")

    @property
    def tls_query(self) -> dict[str, Path]:
        assert self.authority is not None
        return {
            "ssl_ca_certs": self.authority.ca,
            "ssl_certfile": self.client_certificate,
            "ssl_keyfile": self.client_key,
        }

    def admin(self) -> redis.Redis:
        """Return a client that may do everything."""
        tls = {} if self.authority is None else {k: str(v) for k, v in self.tls_query.items()}
        return redis.Redis.from_url(self.url("admin"), decode_responses=True, **tls)

    def denied(self) -> list[str]:
        """Return what was denied to whom so far."""
        return [
            f"{line['username']}: {line['reason']} {line['object']} ({line['context']})"
            for line in self.admin().acl_log()
        ]

    def _answers(self) -> bool:
        try:
            return bool(self.admin().ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        self.child.stop_now()
