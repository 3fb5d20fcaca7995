"""Parsing of sources by `make adopt`, with samples of upstream's notations."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.release import Release
from llm_d_gke.catalog.upstream import Program, load_upstream
from llm_d_gke.maintenance.conformance.compare import cells_of
from llm_d_gke.maintenance.upstream import __main__ as upstream_main
from llm_d_gke.maintenance.upstream import go_source, parts, record, vllm_source

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
SECOND_PACKAGE = 'package other\n\nconst ByLabelType = "another"\n'


# Names that no compiler checks: renderers for the program depend on them.
PROGRAM = {
    "pkg/epp/server/options.go": """
package server

func NewOptions() *Options {
	return &Options{
		Tracing:  true,
		Profiles: false,
	}
}

func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&o.Tracing, "tracing", o.Tracing, "")
	fs.BoolVar(&o.Profiles, "profiles", o.Profiles, "")
}

var secure = flag.Bool("secure-serving", true, "")
var objectives = schema.GroupVersion{Group: "old.example.com", Version: v1alpha2.GroupVersion.Version}
""",
    "pkg/epp/metrics/names.go": 'package metrics\n\nconst Component = "the_pool"\n',
    "pkg/epp/metrics/metrics.go": """
package metrics

const alias = Component

var ready = prometheus.NewGaugeVec(
	prometheus.GaugeOpts{
		Subsystem: alias,
		Name:      "ready_pods",
		Help:      "[Deprecated: use another one]",
	},
)
var requests = prometheus.NewCounterVec(prometheus.CounterOpts{Subsystem: "router", Name: "requests_total"})
var described = prometheus.NewDesc("the_pool_queue_size", "help", nil, nil)
""",
    "apix/config/v1/zz_generated.register.go": 'package v1\n\nconst GroupName = "new.example.com"\n',
    "apix/v1alpha2/zz_generated.register.go": 'package v1alpha2\n\nconst GroupName = "new.example.com"\n',
    "pkg/epp/config/loader/loader.go": """
package loader

var older = schema.GroupVersion{Group: "old.example.com", Version: "v1alpha1"}
""",
    "filter/roles.go": """
package filter

const (
	RoleDecode = "decode"
	// RoleBoth is for pods that do everything.
	//
	// Deprecated: use another one.
	RoleBoth = "both"
	RolePrefill = "prefill"
)

func NewDecodeRole() *ByLabel {
	return NewByLabel(DecodeRoleType, RoleLabel, true, RoleDecode, RoleBoth)
}
""",
    "Dockerfile.epp": 'FROM a AS builder\nENTRYPOINT ["/build.sh"]\nFROM b\nENTRYPOINT ["/app/epp"]\n',
}


class TestNames:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        for name, text in PROGRAM.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    def test_flags_that_are_on_where_nobody_sets_them(self, root: Path) -> None:
        assert go_source.switched_on(root, ["pkg/epp/server"]) == ["secure-serving", "tracing"]

    def test_metrics_with_the_prefix_of_their_subsystem(self, root: Path) -> None:
        names, deprecated = go_source.metrics(root, ["pkg/epp/metrics"])
        assert names == ["router_requests_total", "the_pool_queue_size", "the_pool_ready_pods"]
        assert deprecated == ["the_pool_ready_pods"]

    def test_api_versions_of_the_configuration(self, root: Path) -> None:
        assert go_source.config_apis(root) == (
            ["new.example.com/v1", "old.example.com/v1alpha1"],
            ["old.example.com/v1alpha1"],
        )

    def test_groups_of_objectives(self, root: Path) -> None:
        assert go_source.objective_groups(root) == ["new.example.com", "old.example.com"]

    def test_roles_of_a_pod_that_decodes(self, root: Path) -> None:
        assert go_source.roles(root, ["filter"]) == (["both", "decode"], ["both"])

    def test_the_entry_point_of_the_last_stage(self, root: Path) -> None:
        assert go_source.entry_point(root, "Dockerfile.epp") == ["/app/epp"]
        assert go_source.entry_point(root, "Dockerfile") == []


@pytest.fixture
def module(tmp_path: Path) -> Path:
    for name, text in {
        "server/options.go": OPTIONS,
        "server/options_test.go": 'package server\nvar x = flag.Int("only-in-tests", 1, "")\n',
        "runner.go": RUNNER,
        "filter/filter.go": FILTER,
        "scorer/scorer.go": SCORER,
        "other/other.go": SECOND_PACKAGE,
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


def test_variables_of_vllm(tmp_path: Path) -> None:
    envs = tmp_path / "envs.py"
    envs.write_text(
        "if TYPE_CHECKING:\n    A: bool = False\n    B: int | None = None\n    C: str = ''\n"
        "    D: Literal['x', 'y'] = 'x'\n    E: str = 'auto'\n"
        "    F: bool = False\n    G: bool = False\n    H: bool = False\n"
        "known = {'E': env_with_choices('E', 'auto', ['auto', 'vllm']),\n"
        "  'A': lambda: bool(int(os.getenv('A', '0'))),\n"
        "  'I': lambda: bool(int(os.getenv('I', '0'))),\n"
        "  'F': lambda: os.environ.get('F', '0').lower() in ('1', 'true'),\n"
        "  'G': lambda: os.environ.get('G', 'False').lower() == 'true',\n"
        "  'H': lambda: torch.has(os.environ.get('H'))}\n",
        encoding="utf-8",
    )
    expected = {"A": "bool", "B": "int", "C": "text", "D": "x|y", "E": "auto|vllm"}
    assert vllm_source.variables(envs) == expected | {"F": "switch", "G": "true|false", "H": "bool", "I": "bool"}


class TestCompare:
    """One change to a release at a time, against what the sources of its parts were read to say."""

    @pytest.mark.parametrize("name", ["llm-d-0.9", "llm-d-0.6", "llm-d-0.4"])
    def test_a_release_agrees_with_its_sources(self, name: str) -> None:
        assert upstream_main.print_cells(cells_of(catalog.load().releases[name], {})) == 0

    # Mostly the values of another release, as left by an incomplete update.
    @pytest.mark.parametrize(
        ("name", "part", "change", "expected"),
        [
            ("llm-d-0.9", "router", {"mapping_label": "inference.networking.k8s.io/bbr-managed"}, "the label is"),
            ("llm-d-0.9", "router", {"mapping_label": "inference-gateway.k8s.io/managed"}, "the label is"),
            ("llm-d-0.9", "router", {"flags": ("--streaming", "--tracing=false")}, "--streaming"),
            ("llm-d-0.9", "router", {"plugins": "flags"}, "flag --plugin does not exist"),
            ("llm-d-0.9", "picker", {"flags": ("--pool-grouping=x",)}, "--pool-grouping"),
            ("llm-d-0.9", "picker", {"build": "epp-v1.5.0"}, "by-label"),
            ("llm-d-0.9", "picker", {"build": "llm-d-inference-scheduler-v0.7.1"}, "label-selector-filter"),
            ("llm-d-0.9", "picker", {"build": "llm-d-router-v0.11.0"}, "pd-profile-handler"),
            ("llm-d-0.9", "picker", {"leader_election_flag": "leader-elect"}, "--leader-elect"),
            ("llm-d-0.9", "picker", {"metrics_scheme_flag": "model-server-metrics-scheme"}, "--model-server-metrics"),
            ("llm-d-0.9", "sidecar", {"connector_flag": "connector"}, "--connector"),
            ("llm-d-0.9", "sidecar", {"engine_port_flag": "vllm-port"}, "--vllm-port is deprecated"),
            ("llm-d-0.6", "router", {"flags": ("--streaming", "--tracing=false")}, "--tracing"),
            ("llm-d-0.6", "router", {"plugins": "flags"}, "base-model-to-header"),
            ("llm-d-0.6", "router", {"plugins": "file"}, "flag --config-file does not exist"),
            ("llm-d-0.6", "router", {"mapping_label": "inference.llm-d.ai/ipp-managed"}, "the label is"),
            ("llm-d-0.6", "picker", {"build": "epp-v1.5.0"}, "core-metrics-extractor"),
            ("llm-d-0.6", "picker", {"build": "llm-d-inference-scheduler-v0.4.0"}, "tokenizer"),
            ("llm-d-0.6", "sidecar", {"engine_port_flag": "model-server-port"}, "--model-server-port"),
            ("llm-d-0.6", "sidecar", {"connector_flag": "connector"}, "--connector is deprecated"),
            ("llm-d-0.9", "picker", {"command": ("/epp",)}, "/app/epp"),
            ("llm-d-0.9", "picker", {"config_api": "inference.networking.x-k8s.io/v1alpha1"}, "deprecated"),
            ("llm-d-0.9", "picker", {"config_api": "llm-d.ai/v1"}, "takes no configuration of llm-d.ai/v1"),
            ("llm-d-0.9", "picker", {"objective_groups": ("llm-d.ai",)}, "inference.networking.x-k8s.io, llm-d.ai"),
            ("llm-d-0.9", "picker", {"metric_prefix": "inference_pool_"}, "deprecated"),
            ("llm-d-0.9", "picker", {"metric_prefix": "llm_d_router_"}, "no metric begins with llm_d_router_"),
            ("llm-d-0.9", "picker", {"flags": ("--pool-group=inference.networking.k8s.io",)}, "--tracing=false"),
            ("llm-d-0.9", "sidecar", {"command": ("/app/epp",)}, "/app/pd-sidecar"),
            ("llm-d-0.6", "picker", {"config_api": "llm-d.ai/v1alpha1"}, "takes no configuration of llm-d.ai/v1alpha1"),
            ("llm-d-0.6", "picker", {"metric_prefix": "llm_d_epp_"}, "metric llm_d_epp_ready_endpoints does not exist"),
            ("llm-d-0.6", "picker", {"command": ("/epp",)}, "/app/epp"),
            ("llm-d-0.4", "router", {"mapping_label": "inference.networking.k8s.io/bbr-managed"}, "the label is"),
            ("llm-d-0.4", "router", {"plugins": "flags"}, "flag --plugin does not exist"),
            ("llm-d-0.4", "picker", {"build": "epp-v1.5.0"}, "token-load-scorer"),
            ("llm-d-0.4", "sidecar", {"connector_flag": "kv-connector"}, "--kv-connector"),
        ],
    )
    def test_a_value_of_another_release_is_a_line(
        self, name: str, part: str, change: dict[str, object], expected: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        release = catalog.load().releases[name]
        upstream_main.print_cells(cells_of(_changed(release, part, change), {}))
        assert expected in capsys.readouterr().out

    def test_a_fact_about_a_chart_is_a_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        release = self.release()
        changed = release.charts.model_copy(update={"kserve_keeps_scale": False})
        assert upstream_main.print_cells(cells_of(release.model_copy(update={"charts": changed}), {})) == 1
        assert "keeps_scale is False, and True in the source of kserve-llmisvc-resources" in capsys.readouterr().out

    def test_what_cannot_be_read_is_said(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def nothing(image: str, _: parts.Folders) -> Program:
            raise parts.NotAvailableError(f"{image}: not on the module proxy")

        monkeypatch.setattr(record, "read_program", nothing)
        monkeypatch.setattr(record, "read_chart", lambda _: None)
        assert record.read_release(self.release(), parts.Folders()) == load_upstream()
        assert capsys.readouterr().out.count("not on the module proxy") == 3

    def release(self) -> Release:
        return catalog.load().releases["llm-d-0.9"]


def _changed(release: Release, part: str, change: dict[str, object]) -> Release:
    """The release with other values of one part."""
    if part != "sidecar":
        return release.model_copy(update={part: getattr(release, part).model_copy(update=change)})
    assert release.disaggregation is not None
    sidecar = release.disaggregation.sidecar.model_copy(update=change)
    return release.model_copy(update={"disaggregation": release.disaggregation.model_copy(update={"sidecar": sidecar})})


def test_the_file_is_what_the_tool_writes(tmp_path: Path) -> None:
    """The file was not edited by hand."""
    record.write(load_upstream(), tmp_path / "upstream.yaml")
    assert (tmp_path / "upstream.yaml").read_text(encoding="utf-8") == record.FILE.read_text(encoding="utf-8")
