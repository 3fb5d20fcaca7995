"""Health checks of a server over HTTP, TCP and gRPC, for kubelets and load balancers."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def http_get(
    host: str, port: int, path: str, *, tls: bool, headers: Mapping[str, str], timeout: float
) -> tuple[int, str | None]:
    """Returns (status code, None), or (0, why there was no answer)."""
    connection: http.client.HTTPConnection
    if tls:
        # Neither kubelets nor load balancers verify the certificate in a health check.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, f"Get {host}:{port}{path}: {error}"
    else:
        return answer.status, None
    finally:
        connection.close()


def tcp(host: str, port: int, timeout: float) -> str | None:
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return None
    except OSError as error:
        return f"dial tcp {host}:{port}: {error}"


def grpc_health(host: str, port: int, service: str, timeout: float) -> str | None:
    with grpc.insecure_channel(f"{host}:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            request = health_pb2.HealthCheckRequest(service=service)
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout)
        except grpc.RpcError as error:
            return f"service unhealthy (responded with {error.code().name})"
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return None if serving else f"service unhealthy (responded with {answer.status})"
