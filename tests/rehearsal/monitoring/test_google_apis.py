"""Google's addresses for metrics: who gets a token, what it may read, and where the answer comes from."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_d_gke.google_types import CLUSTER, PROJECT_MEMBER
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.monitoring.google_apis import HOST, GoogleApis, prometheus_path
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud

ACCOUNT = "keda/keda-operator"
PATH = "/v1/projects/p/location/global/prometheus/api/v1/query?query=up&time=1"


def cloud(*grants: tuple[str, str]) -> Cloud:
    members: dict[str, Any] = {
        str(number): {"role": role, "member": member} for number, (role, member) in enumerate(grants)
    }
    return Cloud(64, {CLUSTER: {"c": {"project": "p"}}, PROJECT_MEMBER: members})


VIEWER = ("roles/monitoring.viewer", f"serviceAccount:p.svc.id.goog[{ACCOUNT}]")


class Google:
    """The addresses of one stack. `state` is what Google Cloud holds, `asked` what reached Prometheus."""

    def __init__(self, folder: Path) -> None:
        self.state = cloud(VIEWER)
        self.asked: list[str] = []
        self.pki = Certificates(folder)
        self.pki.create(["admin"], ["127.0.0.1"])
        self.apis = GoogleApis(self.pki, "127.0.0.1", self._forward, lambda: self.state)
        self.port = self.apis.start()

    def _forward(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        return 200, b'{"status": "success"}'

    def get(self, path: str, token: str) -> httpx.Response:
        """As a program whose connections to Google lead to this machine."""
        trust = ssl.create_default_context(cafile=str(self.pki.ca))
        with httpx.Client(verify=trust, trust_env=False) as client:
            url = f"https://127.0.0.1:{self.port}{path}"
            headers = {"Host": HOST, "Authorization": f"Bearer {token}"}
            return client.get(url, headers=headers, extensions={"sni_hostname": HOST})

    def metadata(self, path: str, namespace: str = "keda", account: str = "keda-operator") -> httpx.Response:
        server = self.apis.environment(namespace, account)["GCE_METADATA_HOST"]
        headers = {"Metadata-Flavor": "Google"}
        return httpx.get(f"http://{server}/computeMetadata/v1/{path}", headers=headers, trust_env=False)

    def token(self, namespace: str = "keda", account: str = "keda-operator") -> str:
        answer = self.metadata("instance/service-accounts/default/token", namespace, account).json()
        return str(answer["access_token"])


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Google]:
    created = Google(tmp_path)
    yield created
    created.apis.stop()


def test_an_account_with_the_role_reads_the_stacks_prometheus(google: Google) -> None:
    answer = google.get(PATH, google.token())
    assert answer.json() == {"status": "success"}
    assert google.asked == ["/api/v1/query?query=up&time=1"]


@pytest.mark.parametrize(
    "grants",
    [
        [],
        [("roles/logging.viewer", VIEWER[1])],
        [("roles/monitoring.viewer", "serviceAccount:p.svc.id.goog[keda/another]")],
        [("roles/monitoring.viewer", "serviceAccount:q.svc.id.goog[keda/keda-operator]")],
    ],
    ids=["none", "another role", "another account", "another project"],
)
def test_without_the_role_of_the_account_google_refuses(google: Google, grants: list[tuple[str, str]]) -> None:
    token = google.token()
    google.state = cloud(*grants)
    answer = google.get(PATH, token)
    assert answer.status_code == 403
    assert "monitoring.timeSeries.list" in answer.json()["error"]["message"]
    assert google.asked == []


def test_each_account_has_its_own_token(google: Google) -> None:
    assert google.get(PATH, google.token("default", "default")).status_code == 403
    assert google.get(PATH, "made-up").status_code == 401


def test_metadata_is_what_googles_libraries_look_up_first(google: Google) -> None:
    answer = google.metadata("project/project-id")
    assert (answer.text, answer.headers["Metadata-Flavor"]) == ("p", "Google")
    assert google.metadata("instance/attributes/cluster-name").status_code == 404


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/projects/p/location/global/prometheus/api/v1/query?query=up", "/api/v1/query?query=up"),
        ("/v1/projects/p/location/global/prometheus/api/v1/labels", "/api/v1/labels"),
        ("/v3/projects/p/timeSeries", None),
        ("/v1/projects/p/location/global", None),
    ],
)
def test_only_the_prometheus_api_has_a_path(path: str, expected: str | None) -> None:
    assert prometheus_path(path) == expected


def test_another_path_of_google_is_not_found(google: Google) -> None:
    assert google.get("/v3/projects/p/timeSeries", google.token()).status_code == 404
