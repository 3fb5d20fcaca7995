"""What a command that does not exist may mean. The Makefile runs it without the package: `meanings.py WORD COMMAND...`.

Needs Python's standard library only.
"""

import difflib
import sys
from collections.abc import Sequence

_UP = "`make up` brings a stack up on this machine, `pulumi up` on GKE"
_DOWN = "`make down` ends a rehearsed stack, `make destroy` one on GKE"
_PAUSED = "llm-d:paused in the stack file and then `make up` stop and start the servers"
_JUDGED = "`make report` judges a stack, and `make preview` shows what an up would do"
_LOOK = "`make status` lists pods, `make logs ARGS=-f` follows logs, and `make dashboard` shows metrics"
_COST = "`make report` has a stack's cost, `make size` compares machines, and `make catalog KIND=machines` has prices"
# Words of other tools, by what does the same here. A spelling alone would lead from deploy to destroy.
MEANINGS = {
    "scale": "models[].replicas or models[].autoscaling in the stack file is the scale",
    **dict.fromkeys(("pause", "resume", "stop", "start"), _PAUSED),
    **dict.fromkeys(("deploy", "apply", "create", "run", "serve"), _UP),
    **dict.fromkeys(("delete", "remove", "rm", "clean", "teardown"), _DOWN),
    **dict.fromkeys(("plan", "validate", "lint", "check"), _JUDGED),
    **dict.fromkeys(("watch", "top", "ps", "metrics", "monitor", "describe", "events"), _LOOK),
    **dict.fromkeys(("cost", "costs", "price", "prices"), _COST),
    **dict.fromkeys(("list", "ls", "stacks"), "`make fleet` lists the stacks, and `make catalog` models and machines"),
    "restart": "a changed setting of a model and then `make up` start new pods, one after the other",
    "version": "`llm-d:release` in the stack file is the version, and `make catalog KIND=releases` lists them",
}


def meaning_of(word: str, program: str, commands: Sequence[str]) -> str:
    """What a word that is no command means, else the command of `program` that is spelled like it, else nothing."""
    close = difflib.get_close_matches(word, commands, 1)
    return MEANINGS.get(word) or (f"did you mean {program} {close[0]}?" if close else "")


if __name__ == "__main__":
    print(meaning_of(sys.argv[1], "make", sys.argv[2:]))
