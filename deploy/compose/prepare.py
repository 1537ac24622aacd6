"""Makes the passwords of docker-compose.yml, once; standard library only.

python prepare.py            makes what is missing, and the users of Redis from the template
python prepare.py flower     prints Flower's user:password; so do grafana and admin (of Redis)

Each role has a folder (a volume that only its own service gets) with nothing of the others in it.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from pathlib import Path

ROOT = Path("/prepare")
TEMPLATE = Path("/prepare/users.acl")
BROKER = "redis://{user}:{password}@redis:6379/0"
ROLES = ("producer", "aggregator", "worker", "flower")
HEALTH = "user health on nopass resetchannels -@all +ping"
"""Of Redis' health check: it needs no password, and may do nothing else."""
SHOWN = {"admin": "redis/admin", "flower": "flower/flower.auth", "grafana": "monitoring/grafana"}
ALL_MAY_READ = 0o444
"""In a volume of one service; its user is not always ours."""
ONLY_WE = 0o400


def main(arguments: list[str]) -> str | None:
    """Make what is missing, or print one password; return what is wrong."""
    if arguments:
        if len(arguments) > 1 or arguments[0] not in SHOWN:
            return f"usage: prepare.py [{'|'.join(SHOWN)}]"
        print((ROOT / SHOWN[arguments[0]]).read_text(encoding="utf-8").strip())
        return None
    prepare(ROOT, TEMPLATE)
    return None


def prepare(root: Path, template: Path) -> None:
    """Make all that is not there, and the users anew: the template may be that of a newer version."""
    users = template.read_text(encoding="utf-8")
    passwords = {"admin": kept(root / SHOWN["admin"], new_password(), ONLY_WE)}
    for role in ROLES:
        broker = BROKER.format(user=f"chimera-{role}", password=new_password())
        url = kept(root / role / "broker", broker, ALL_MAY_READ)
        passwords[role] = url.rpartition("@")[0].rpartition(":")[2]
    watcher = kept(root / SHOWN["flower"], f"watcher:{new_password()}", ONLY_WE)
    write(root / "monitoring" / "flower", watcher.partition(":")[2], ALL_MAY_READ)
    kept(root / SHOWN["grafana"], new_password(), ALL_MAY_READ)
    for role, password in passwords.items():
        place = f"#SHA256_OF_{role.upper()}_PASSWORD"
        users = users.replace(place, f"#{hashlib.sha256(password.encode()).hexdigest()}")
    write(root / "redis" / "users.acl", f"{users.rstrip()}\n{HEALTH}\n", ALL_MAY_READ)


def kept(path: Path, new: str, mode: int) -> str:
    """Return what the file holds; where there is none, make it with ``new``."""
    if not path.exists():
        write(path, new, mode)
    return path.read_text(encoding="utf-8")


def write(path: Path, text: str, mode: int) -> None:
    """Write a file that is there as a whole or not at all."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, encoding="utf-8")
    unfinished.chmod(mode)
    unfinished.replace(path)


def new_password() -> str:
    """Return a password that needs no escaping anywhere; 192 bits."""
    return secrets.token_hex(24)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
