"""Controllers of the platform: cert-manager and the Sail operator.

`cert_manager`, `sail_operator`, and `aggregated_apis` for metrics servers such as KEDA's.
"""
