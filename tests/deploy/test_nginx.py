"""The nginx example: accepted by nginx where it is installed, and right about what must not be buffered."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from protocols.wire.channels import BATCHES, INBOX, MAX_BATCH_BYTES, MAX_MANIFEST_BYTES

CONF = Path(__file__).parents[2] / "deploy" / "nginx" / "citynerve.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def location(path: str) -> str:
    found = re.search(rf"location {re.escape(path)} \{{(.*?)\}}", CONF.read_text(), re.DOTALL)
    assert found, f"no location {path}"
    return found[1]


def test_events_are_not_buffered() -> None:
    events = location("= /api/v1/live")
    assert "proxy_buffering off;" in events
    assert "gzip off;" in events


def test_a_gateways_largest_body_passes() -> None:
    assert BATCHES.startswith("/gateway/")
    assert INBOX.startswith("/gateway/")
    limit = re.search(r"client_max_body_size (\d+)m;", location("/gateway/"))
    assert limit
    assert int(limit[1]) * 1024 * 1024 >= max(MAX_BATCH_BYTES, MAX_MANIFEST_BYTES)


def test_tls_is_today_s() -> None:
    text = CONF.read_text()
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    assert "Strict-Transport-Security" in text
    assert "return 301 https://" in text


@pytest.mark.skipif(not (NGINX and shutil.which("openssl")), reason="nginx and openssl are not here")
def test_nginx_accepts_it(tmp_path: Path) -> None:
    assert NGINX
    key, certificate = str(tmp_path / "privkey.pem"), str(tmp_path / "fullchain.pem")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-days", "1", "-subj", "/CN=centre.example.city"]
    request = ["openssl", "req", "-x509", *curve, *subject, "-keyout", key, "-out", certificate]
    subprocess.run(request, check=True, capture_output=True)
    conf = CONF.read_text().replace("/etc/citynerve/tls", str(tmp_path))
    # `nginx -t` opens what it is told to listen on, and only root may open 80 and 443.
    sockets = itertools.count()
    conf = re.sub(r"listen (\[::\]:)?\d+", lambda _: f"listen unix:{tmp_path}/{next(sockets)}.sock", conf)
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"pid {tmp_path}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\n{temporary}access_log off;\n{conf}}}\n"
    )
    command = [NGINX, "-t", "-q", "-e", "stderr", "-p", str(tmp_path), "-c", str(whole)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
