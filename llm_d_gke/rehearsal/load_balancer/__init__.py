"""The Gateway controller and load balancer: Gateways, HTTPRoutes and InferencePools on one Envoy.

`gateway` is the controller: it reads the kinds of `kinds`, chooses `addresses`, attaches routes (`attachment`), finds
`backends`, and writes `statuses`; `fleet` follows the other clusters of a fleet. `envoy_config` has the configuration
with `routes`, `listener_tls`, `upstream_tls`, `gateway_filters` and `tokens`, `envoy` the process, and `health` the
health checks. `konnectivity` leads the API server to Services.
"""
