"""What `make adopt` reads out of sources, on samples of the ways in which upstream writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

import catalog
from catalog.release import Release
from catalog.upstream import Program, load_upstream
from operations.adopt import compare, go_source, parts, record, vllm_source

OPTIONS = """
package server

const kvConnector = "kv-connector"

func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.IntVar(&o.Port, "grpc-port", o.Port, "port")
	fs.BoolVar(&o.Streaming,
		"streaming", o.Streaming, "")
	fs.StringVar(&o.KV, kvConnector, o.KV, "")
	fs.IntVarP(&o.V, "v", "v", o.V, "")
	fs.Var(&o.Plugins, "plugin", "")
	_ = fs.MarkDeprecated("streaming", "always on")
	zapOptions.BindFlags(flag.CommandLine)
}
"""
RUNNER = """
package runner

var poolName = flag.String("pool-name", "", "")

func register() {
	plugin.Register(filter.ByLabelType, filter.ByLabelFactory)
	r.registerDeprecated(scorer.OldScorerType, scorer.Factory)
}
"""
FILTER = 'package filter\n\nconst (\n\tByLabelType = "by-label"\n)\n'
SCORER = 'package scorer\n\nconst OldScorerType = "old-scorer"\nconst managed = "example.k8s.io/bbr-managed"\n'
# The same name of a constant in another package.
OTHER = 'package other\n\nconst ByLabelType = "another"\n'


@pytest.fixture
def module(tmp_path: Path) -> Path:
    for name, text in {
        "server/options.go": OPTIONS,
        "server/options_test.go": 'package server\nvar x = flag.Int("only-in-tests", 1, "")\n',
        "runner.go": RUNNER,
        "filter/filter.go": FILTER,
        "scorer/scorer.go": SCORER,
        "other/other.go": OTHER,
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


def test_flags_are_read_by_name_and_by_constant(module: Path) -> None:
    flags, deprecated = go_source.flags(module, ["server", "runner.go", "not-in-this-version"])
    assert {"grpc-port", "streaming", "kv-connector", "v", "plugin", "pool-name", "zap-encoder"} <= set(flags)
    assert "only-in-tests" not in flags
    assert deprecated == ["streaming"]


def test_plugins_are_the_registered_ones(module: Path) -> None:
    assert go_source.plugins(module, ["runner.go"], ["filter", "scorer", "other"]) == ["by-label", "old-scorer"]


def test_labels_say_which_objects_are_managed(module: Path) -> None:
    assert go_source.labels(module, ["scorer"]) == ["example.k8s.io/bbr-managed"]


def test_arguments_and_variables_of_vllm(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine/arg_utils.py").write_text('group.add_argument("--max-model-len", **x)\n', encoding="utf-8")
    frontend = tmp_path / "entrypoints/openai/cli_args.py"
    frontend.parent.mkdir(parents=True)
    frontend.write_text("class FrontendArgs:\n    disable_uvicorn_access_log: bool = False\n", encoding="utf-8")
    envs = tmp_path / "envs.py"
    envs.write_text(
        "if TYPE_CHECKING:\n    A: bool = False\n    B: int | None = None\n    C: str = ''\n"
        "    D: Literal['x', 'y'] = 'x'\n    E: str = 'auto'\n"
        "known = {'E': env_with_choices('E', 'auto', ['auto', 'vllm'])}\n",
        encoding="utf-8",
    )
    assert vllm_source.arguments(tmp_path) == ["disable-uvicorn-access-log", "max-model-len"]
    assert vllm_source.variables(envs) == {"A": "bool", "B": "int", "C": "text", "D": "x|y", "E": "auto|vllm"}


class TestCompare:
    """One change to a release at a time, against what the sources of its parts were read to say."""

    @pytest.mark.parametrize(
        ("part", "change", "said"),
        [
            ("router", {"mapping_label": "inference.networking.k8s.io/bbr-managed"}, "mapping_label"),
            ("router", {"flags": ("--streaming",)}, "--streaming"),
            ("router", {"plugins": "flags"}, "plugins: flags"),
            ("picker", {"flags": ("--pool-grouping=x",)}, "--pool-grouping"),
            ("picker", {"build": "epp-v1.5.0"}, "by-label"),
            ("picker", {"leader_election_flag": "leader-elect"}, "--leader-elect"),
        ],
    )
    def test_a_changed_value_is_a_line(
        self,
        part: str,
        change: dict[str, object],
        said: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(compare, "read_program", lambda image, _: load_upstream().programs[image])
        monkeypatch.setattr(compare, "_engine", lambda *_: 0)
        release = catalog.load().releases["llm-d-0.9"]
        assert compare.compare(release, catalog.load(), parts.Folders()) == 0
        capsys.readouterr()
        changed = release.model_copy(update={part: getattr(release, part).model_copy(update=change)})
        assert compare.compare(changed, catalog.load(), parts.Folders()) == 1
        assert said in capsys.readouterr().out

    def test_what_cannot_be_read_is_said(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def nothing(image: str, _: parts.Folders) -> Program:
            raise parts.NotAvailableError(f"{image}: not on the module proxy")

        monkeypatch.setattr(compare, "read_program", nothing)
        monkeypatch.setattr(compare, "_engine", lambda *_: 0)
        assert compare.compare(self.release(), catalog.load(), parts.Folders()) == 0
        assert capsys.readouterr().out.count("not available") == 3

    def release(self) -> Release:
        return catalog.load().releases["llm-d-0.9"]


def test_the_file_is_what_the_tool_writes(tmp_path: Path) -> None:
    """Nobody edited it by hand."""
    record.write(load_upstream(), tmp_path / "upstream.yaml")
    assert (tmp_path / "upstream.yaml").read_text(encoding="utf-8") == record.FILE.read_text(encoding="utf-8")
