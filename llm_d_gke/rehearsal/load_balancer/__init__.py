"""The Gateway controller and load balancer: Gateways, HTTPRoutes and InferencePools on one Envoy."""
