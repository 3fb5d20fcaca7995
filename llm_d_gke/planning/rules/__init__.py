"""Every rule that a stack can break, by its id. The rules are the YAML files of this folder, one for each subject.

To add one: an entry in the file of its subject, a call of `ctx.error`, `served.error` or `.warning` with its id as the
first argument, an example in tests/planning/refusals.
"""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.catalog.schema import Entry

FOLDER = Path(__file__).parent

# The files, in the order of a stack's planning, which is that of docs/findings.md.
SUBJECTS = (
    "settings",
    "stack",
    "location",
    "cluster",
    "network",
    "nodes",
    "autopilot",
    "access",
    "models",
    "engine",
    "engine_features",
    "parallelism",
    "sizing",
    "autoscaling",
    "disaggregation",
    "picker",
    "picker_config",
    "gateway",
    "fleet",
    "routing",
    "kserve",
    "preflight",
    "without_effect",
)

RuleBasis = Literal["project", "catalog", "arithmetic", "estimate", "unestablished", "live"]
"""What a rule without a public source rests on.

- `project`: a definition or a limit of this project.
- `catalog`: entries of the catalog, which name their own sources.
- `arithmetic`: the figures in the message.
- `estimate`: an estimate of this project, compared with measurements in docs/measurements/README.md.
- `unestablished`: no public source answers the question, which is what the rule warns of.
- `live`: the answers of Google Cloud's APIs or of the running stack.
"""


class Texts(Entry):
    """Reason and correction of a finding, with `{name}` where a call passes a value."""

    message: str = ""
    hint: str = ""


class Rule(Entry):
    """One reason to refuse a stack or to warn about it.

    `id` is stable: messages, documents and acknowledgments refer to it, and a rule that is gone does not leave its id
    to another one. Most rules are errors; `either` is the severity of a rule that is an error or a warning depending on
    how certain it is. `source` names the public document or code that the rule follows; a rule without one states its
    `basis`. `message` and `hint` are the texts of its findings; a rule that can be broken in several ways has texts
    for each of these `cases`. A rule without a text has one that depends on more, which stands in the code.
    `acknowledgeable`: a stack could run with this error, and its owner has to decide; acknowledged in the stack file,
    it no longer refuses the stack. `covered_by`: ids of rules whose error about the same model, plugin or profile makes
    this warning a second report of the same mistake.
    """

    id: str
    severity: Literal["error", "warning", "either"] = "error"
    acknowledgeable: bool = False
    summary: str
    why: str
    fix: str
    message: str = ""
    hint: str = ""
    cases: Mapping[str, Texts] = {}
    source: str = ""
    basis: RuleBasis | None = None
    covered_by: tuple[str, ...] = ()

    def texts(self, case: str) -> Texts:
        """The texts of a case, or of the rule where the case has none. Raises KeyError for another case."""
        own = self.cases[case] if case else Texts()
        return Texts(message=own.message or self.message, hint=own.hint or self.hint)


class Subject(Entry):
    """One file. `title` is its heading in docs/findings.md."""

    title: str
    rules: Mapping[str, Rule]


@functools.cache
def load_subject(name: str) -> Subject:
    """Read and validate one file, once. Raises pydantic's ValidationError naming the field."""
    file = read_yaml(FOLDER / f"{name}.yaml")
    rules = {rule_id: {**entry, "id": rule_id} for rule_id, entry in file["rules"].items()}
    return Subject.model_validate({**file, "rules": rules})


@functools.cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


class Rules(Mapping[str, Rule]):
    """All rules by their ids. A plan needs the ids and few of the texts, so a file is parsed when a rule of it is read.

    Parsing all files takes a tenth of the processor time of a plan.
    """

    def __getitem__(self, rule_id: str) -> Rule:
        subject = self._subject_of(rule_id)
        if subject is None:
            raise KeyError(rule_id)
        return load_subject(subject).rules[rule_id]

    def __contains__(self, rule_id: object) -> bool:
        return self._subject_of(rule_id) is not None

    def __iter__(self) -> Iterator[str]:
        return (rule_id for name in SUBJECTS for rule_id in load_subject(name).rules)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @staticmethod
    @functools.cache
    def _subject_of(rule_id: object) -> str | None:
        return next((name for name in SUBJECTS if f"\n  {rule_id}:\n" in _text(name)), None)


RULES = Rules()
