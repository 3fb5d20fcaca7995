"""The kubelets: pods as processes of this machine, with volumes, environment, probes and status.

`kubelet_manager` has a `pod_worker` for each pod, which runs `containers` with `volumes`, `environment` and `probes`,
and writes `pod_status`. It ends pods that wrote more to the disk than they may (`eviction`). `launch` makes the
command line of a process: `images_to_binaries` finds the program, `arguments` changes ports and paths,
`engine_arguments` and `vllm_on_cpu` stand for engines. `kubelet_api` answers kubectl, with `streams` for
`exec` and `port-forward`.
"""
