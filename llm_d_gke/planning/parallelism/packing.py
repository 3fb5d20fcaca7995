"""Number of nodes for pods that share them, counted by accelerators.

CPU, memory and disk never stop what the accelerators allow: each pod requests the share of them that it takes of the
node's accelerators (`llm_d_gke.planning.serving.resources`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence


def fewest_nodes(pods: Collection[int], per_node: int) -> int:
    """Nodes that hold `pods`, given by their accelerators, the largest first and each where it leaves least.

    The fewest there are, if every size divides the larger ones, as powers of two do. The cluster autoscaler counts in
    this order, too (cluster-autoscaler/estimator/decreasing_pod_orderer.go of kubernetes/autoscaler at 2fc0cb0a).
    """
    # A node for each pod, with what it has left. A pod larger than a node takes a whole one.
    left = Counter({per_node: len(pods)})
    for size, count in sorted(Counter(min(pod, per_node) for pod in pods).items(), reverse=True):
        # A node that takes one of them leaves least to the next, until it is full.
        for room, nodes in sorted(left.items()):
            if capacity := room // size:
                full, rest = divmod(min(count, nodes * capacity), capacity)
                count -= full * capacity + rest
                left[room] -= full + bool(rest)
                left[room - capacity * size] += full
                left[room - rest * size] += bool(rest)
    return len(pods) - left[per_node]


def enough_nodes(pods: Collection[int], per_node: int, standing: Sequence[int] = ()) -> int:
    """Nodes among which each of `pods` finds room, wherever the scheduler has put the others and those `standing`.

    The scheduler places pod by pod and spreads them. A pod finds no room on a node where the others take more than
    it leaves, in steps of the sizes' greatest common divisor.
    """
    sizes = Counter((*pods, *standing))
    step, blocked = math.gcd(*sizes), 0
    for pod in set(pods):
        full = step * math.ceil((per_node - pod + 1) / step)
        covered = sum(min(size, full) * count for size, count in sizes.items()) - min(pod, full)
        blocked = max(blocked, covered // full)
    return blocked + 1 if pods else 0
