"""Binaries are found where the user says, built once otherwise, and a failure is one text that helps."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llm_d_gke.rehearsal.control_plane.parts import PARTS
from llm_d_gke.rehearsal.toolchain import build, go
from llm_d_gke.rehearsal.toolchain.__main__ import main
from llm_d_gke.rehearsal.toolchain.build import BuildError, binaries, module_dir
from llm_d_gke.rehearsal.toolchain.plugins import KUBERNETES, plugin_folder
from llm_d_gke.rehearsal.toolchain.targets import EVERY_STACK, TARGETS, TOOLCHAIN_FOLDER, cache_of, ldflags, pinned
from llm_d_gke.stackfile import PROJECT_ROOT


class FakeGo:
    """A `go` on PATH whose `build` runs the given shell lines for each package, with $OUT as its program.

    Every module that it fetches is `module`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.module = folder / "module"
        self.script("1.26.0", 'echo "#!/bin/sh" > "$OUT"')

    def script(self, version: str, lines: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.module / "pkg" / "provider").mkdir(parents=True, exist_ok=True)
        for name in ("provider.go", "provider_construct.go"):
            (self.module / "pkg" / "provider" / name).write_text(f"upstream's {name}")
        program = self.folder / "go"
        program.write_text(
            "#!/bin/sh\n"
            f'if [ "$1" = version ]; then echo "go version go{version} linux/amd64"; exit; fi\n'
            f'if [ "$1" = mod ]; then echo \'{{"Dir": "{self.module}"}}\'; exit; fi\n'
            f'echo "$PWD $*" >> {self.calls}\n'
            'while [ "$1" != -o ]; do shift; done\n'
            "FOLDER=$2; shift 2\n"
            'for PACKAGE in "$@"; do\n'
            '  NAME=$(basename "$PACKAGE" .go)\n'
            '  case $NAME in v[2-9]) NAME=$(basename "$(dirname "$PACKAGE")");; .) NAME=$(basename "$PWD");; esac\n'
            "  OUT=$FOLDER$NAME\n"
            f"{lines}\n"
            "done\n"
        )
        program.chmod(0o755)

    @property
    def builds(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    monkeypatch.setenv("LLM_D_REHEARSAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    for target in TARGETS.values():
        monkeypatch.delenv(target.override, raising=False)
    monkeypatch.setattr(go, "_USUAL_PLACES", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return FakeGo(tmp_path / "bin")


def quiet(_: str) -> None:
    pass


class TestFinding:
    def test_an_environment_variable_names_a_ready_binary(self, fake: FakeGo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REHEARSAL_KUBE_APISERVER", "/bin/true")
        assert binaries(["kube-apiserver"], quiet) == {"kube-apiserver": Path("/bin/true")}
        assert fake.builds == []

    @pytest.mark.usefixtures("fake")
    def test_a_variable_that_names_no_program_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REHEARSAL_EPP", "/no/such")
        with pytest.raises(BuildError, match="REHEARSAL_EPP=/no/such is not an executable file"):
            binaries(["epp"], quiet)

    def test_a_pulumi_on_path_is_used(self, fake: FakeGo) -> None:
        installed = fake.folder / "pulumi"
        installed.write_text("#!/bin/sh\n")
        installed.chmod(0o755)
        assert binaries(["pulumi"], quiet) == {"pulumi": installed}
        assert fake.builds == []

    def test_other_binaries_on_path_are_not(self, fake: FakeGo) -> None:
        """An etcd of the distribution may be too old; only the pinned one is known to work."""
        stray = fake.folder / "etcd"
        stray.write_text("#!/bin/sh\n")
        stray.chmod(0o755)
        assert binaries(["etcd"], quiet)["etcd"] != stray


class TestBuilding:
    def test_what_is_missing_is_built_once(self, fake: FakeGo) -> None:
        first = binaries(["etcd", "kwok", "pulumi"], quiet)
        assert all(os.access(path, os.X_OK) for path in first.values())
        assert len(fake.builds) == 2
        assert binaries(["etcd", "kwok", "pulumi"], quiet) == first
        assert len(fake.builds) == 2

    def test_one_command_builds_all_programs_of_a_module_that_are_missing(self, fake: FakeGo) -> None:
        binaries(["kwok"], quiet)
        binaries(["lws", "kwok", "pulumi", "etcd", "prometheus", "kserve-webhook-v0.20.0", "llmisvc"], quiet)
        assert [call.partition("building/ ")[2] for call in fake.builds[1:]] == [
            "go.etcd.io/etcd/server/v3 sigs.k8s.io/lws/cmd",
            "github.com/kserve/kserve/cmd/llmisvc",
            "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
            "../webhooks/kserve.go ../webhooks/main.go",
            "github.com/prometheus/prometheus/cmd/prometheus",
        ]

    def test_programs_of_one_command_have_different_names(self) -> None:
        for group in build._groups(TARGETS.values()):
            assert len({target.executable for target in group}) == len(group)

    def test_the_build_is_of_the_pinned_package_and_reads_only(self, fake: FakeGo) -> None:
        binaries(["pulumi"], quiet)
        call = fake.builds[0]
        assert call.startswith(f"{TOOLCHAIN_FOLDER / 'engine'} build ")
        assert call.endswith(" github.com/pulumi/pulumi/pkg/v3/cmd/pulumi")
        for flag in ("-mod=readonly", "-buildvcs=false", *go.COMPILER_FLAGS, f"-ldflags {ldflags('engine')}"):
            assert flag in call

    def test_the_compiler_writes_nothing_that_the_linker_drops(self) -> None:
        assert all("-s -w" in ldflags(target.module) for target in TARGETS.values())
        assert "-gcflags=all=-dwarf=false" in go.COMPILER_FLAGS

    def test_compilers_collect_no_garbage_below_a_limit(self, fake: FakeGo, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("GOGC", "GOMEMLIMIT"):
            monkeypatch.delenv(name, raising=False)
        fake.script("1.26.0", 'echo "$GOGC $GOMEMLIMIT" > "$OUT"')
        assert binaries(["etcd"], quiet)["etcd"].read_text() == "off 1GiB\n"
        monkeypatch.setenv("GOGC", "50")
        assert binaries(["kwok"], quiet)["kwok"].read_text() == "50 \n"

    def test_files_of_a_module_are_exchanged_in_a_copy(self, fake: FakeGo) -> None:
        binaries([KUBERNETES], quiet)
        folder, package, exchanged = cache_of("charts"), Path("pkg") / "provider", "provider_construct.go"
        copy = folder / "replaced" / "github.com/pulumi/pulumi-kubernetes/provider/v4" / package
        own = TOOLCHAIN_FOLDER / "charts" / "without_components" / exchanged
        assert (copy / exchanged).read_text() == own.read_text()
        assert (copy / "provider.go").read_text() == "upstream's provider.go"
        assert (fake.module / package / exchanged).read_text() == f"upstream's {exchanged}"
        assert f"-modfile={folder / 'go.mod'}" in fake.builds[0]

    @pytest.mark.usefixtures("fake")
    def test_another_pin_is_another_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = cache_of("cluster")
        changed = tmp_path / "modules" / "cluster"
        changed.mkdir(parents=True)
        (changed / "go.mod").write_bytes((TOOLCHAIN_FOLDER / "cluster" / "go.mod").read_bytes() + b"\n")
        (changed / "go.sum").write_bytes((TOOLCHAIN_FOLDER / "cluster" / "go.sum").read_bytes())
        monkeypatch.setattr("llm_d_gke.rehearsal.toolchain.targets.TOOLCHAIN_FOLDER", tmp_path / "modules")
        assert cache_of("cluster") != before

    @pytest.mark.usefixtures("fake")
    def test_another_main_of_ours_is_another_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = cache_of("charts")
        monkeypatch.setattr(
            "llm_d_gke.rehearsal.toolchain.targets.TOOLCHAIN_FOLDER",
            Path(shutil.copytree(TOOLCHAIN_FOLDER, tmp_path / "modules")),
        )
        assert cache_of("charts") == before
        with (tmp_path / "modules" / "charts" / "provider" / "main.go").open("a") as file:
            file.write("\n")
        assert cache_of("charts") != before

    def test_a_long_build_reports_in_between(self, fake: FakeGo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(build, "_SECONDS_BETWEEN_LINES", 0.3)
        fake.script("1.26.0", 'echo k8s.io/a; echo k8s.io/b; sleep 1; echo x > "$OUT"')
        lines: list[str] = []
        binaries(["etcd", "lws", "pulumi"], lines.append)
        assert any(re.search(r"\[1-2/3\]: \d+ s, 2 packages compiled, 1 more program after it", line) for line in lines)

    def test_two_clones_do_not_build_at_the_same_time(self, fake: FakeGo) -> None:
        fake.script("1.26.0", 'sleep 0.7; echo x > "$OUT"')
        lines: list[str] = []
        second = threading.Thread(target=lambda: binaries(["etcd"], lines.append))
        first = threading.Thread(target=lambda: binaries(["etcd"], quiet))
        first.start()
        time.sleep(0.3)
        second.start()
        first.join()
        second.join()
        assert len(fake.builds) == 1
        assert lines
        assert re.search(rf", process {os.getpid()}, for \d+ s\)", lines[0])
        assert lines[0].endswith(": building 1 program from source, once on this machine, in minutes: etcd")


class TestEverything:
    """`python -m llm_d_gke.rehearsal.toolchain`."""

    def test_the_provider_is_built_where_it_cannot_be_downloaded(self, fake: FakeGo) -> None:
        assert main() == 0
        assert any(call.endswith(" ./provider") for call in fake.builds)
        assert fake.builds[0].endswith("/cmd/pulumi")

    def test_what_every_stack_needs_is_built_before_python_packages_are_there(self, fake: FakeGo) -> None:
        """Makefile starts it with a Python that has none."""
        words = [sys.executable, "-S", "-m", "llm_d_gke.rehearsal.toolchain", "--every-stack"]
        subprocess.run(words, cwd=PROJECT_ROOT, check=True)
        assert [call.partition("building/ ")[2].split()[0] for call in fake.builds] == [
            TARGETS["pulumi"].package,
            TARGETS["etcd"].package,
        ]
        assert set(binaries(["pulumi", *PARTS], quiet)) == set(EVERY_STACK)
        assert len(fake.builds) == 2

    def test_a_plugin_of_pulumi_spares_its_build(self, fake: FakeGo, tmp_path: Path) -> None:
        plugin = plugin_folder(tmp_path / "cache" / "pulumi") / KUBERNETES
        plugin.parent.mkdir(parents=True)
        plugin.write_text("#!/bin/sh\n")
        plugin.chmod(0o755)
        assert main() == 0
        assert fake.builds
        assert not any(call.endswith(" ./provider") for call in fake.builds)


class TestFailing:
    def test_without_go_it_says_how_to_install_it(self, fake: FakeGo, monkeypatch: pytest.MonkeyPatch) -> None:
        (fake.folder / "go").unlink()
        monkeypatch.setenv("PATH", str(fake.folder))
        with pytest.raises(
            BuildError, match=r"Go is needed to build etcd, and there is no `go` on PATH: install Go 1\.21"
        ):
            binaries(["etcd"], quiet)

    def test_a_go_that_cannot_fetch_its_own_toolchain_is_too_old(self, fake: FakeGo) -> None:
        fake.script("1.19.8", "")
        with pytest.raises(BuildError, match=r"Go 1\.19 .* is too old to build etcd: install Go 1\.21"):
            binaries(["etcd"], quiet)

    def test_it_shows_the_end_of_what_go_said_and_where_the_rest_is(self, fake: FakeGo) -> None:
        fake.script("1.26.0", 'for i in $(seq 40); do echo "./x.go:$i: wrong thing"; echo k8s.io/x; done; exit 1')
        with pytest.raises(BuildError) as caught:
            binaries(["kwok"], quiet)
        lines = str(caught.value).splitlines()
        assert lines[0] == "cannot build kwok; go says:"
        assert lines[1:-1] == [f"  ./x.go:{number}: wrong thing" for number in range(26, 41)]
        log = re.search(r"The whole output is in (.*)\.$", lines[-1])
        assert log is not None
        assert "./x.go:1: wrong thing" in Path(log[1]).read_text()

    def test_a_failed_build_leaves_no_binary(self, fake: FakeGo) -> None:
        fake.script("1.26.0", 'echo half > "$OUT"; exit 1')
        with pytest.raises(BuildError):
            binaries(["kwok"], quiet)
        assert list((cache_of("cluster") / "bin").iterdir()) == []

    def test_a_full_disk_is_called_a_full_disk(self, fake: FakeGo) -> None:
        fake.script("1.26.0", 'echo "compile: writing output: write $WORK/b001/x.a: no space left on device"; exit 1')
        with pytest.raises(BuildError, match=r"cannot build kwok: the disk is full .* MiB left"):
            binaries(["kwok"], quiet)

    def test_a_full_disk_under_our_own_cache_too(self, fake: FakeGo, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(Path, "replace", full)
        with pytest.raises(BuildError, match=r"cannot build kwok: the disk is full .* MiB left"):
            binaries(["kwok"], quiet)
        assert len(fake.builds) == 1

    def test_an_unreachable_proxy_is_said(self, fake: FakeGo) -> None:
        fake.script(
            "1.26.0", 'echo "go: Get https://proxy.invalid: dial tcp: lookup proxy.invalid: no such host"; exit 1'
        )
        with pytest.raises(BuildError, match="the Go module proxy cannot be reached"):
            binaries(["kwok"], quiet)


class TestPins:
    def test_versions_the_linker_writes_are_those_of_the_modules(self) -> None:
        assert ldflags("engine").endswith(f"version.Version={pinned('engine', 'github.com/pulumi/pulumi/pkg/v3')}")
        assert ldflags("cluster").endswith(f"gitVersion={pinned('cluster', 'k8s.io/kubernetes')}")

    def test_staging_modules_are_of_the_same_kubernetes(self) -> None:
        """A newer k8s.io/api would compile, and behave as no Kubernetes release does."""
        staging = pinned("cluster", "k8s.io/kubernetes").replace("v1.", "v0.", 1)
        replaced = re.findall(r"=> k8s\.io/\S+ (v\S+)", (TOOLCHAIN_FOLDER / "cluster" / "go.mod").read_text())
        assert len(replaced) > 20
        assert set(replaced) == {staging}

    @pytest.mark.parametrize(
        "module", ["sigs.k8s.io/gateway-api", "sigs.k8s.io/gateway-api-inference-extension", "sigs.k8s.io/lws"]
    )
    def test_a_module_whose_files_we_read_has_its_sum_committed(self, module: str) -> None:
        """No build may need its packages, and so notice; `go mod download` adds a missing one silently."""
        line = f"{module} {pinned('cluster', module)} h1:"
        assert line in (TOOLCHAIN_FOLDER / "cluster" / "go.sum").read_text()

    @pytest.mark.rehearsal
    @pytest.mark.parametrize("module", ["charts", "cluster", "engine", "keda", "prometheus", "router"])
    def test_every_package_resolves_without_touching_go_sum(self, module: str) -> None:
        targets = [target for target in TARGETS.values() if target.module == module]
        # Files are a package of their own, which `go list` takes by itself only.
        programs = [target.sources for target in targets if target.package.endswith(".go")]
        packages = [target.package for target in targets if not target.package.endswith(".go")]
        resolved: set[str] = set()
        for arguments in (packages, *programs):
            command = [go.go_command("check the pins"), "list", "-mod=readonly", "-deps", "-f", "{{.ImportPath}}"]
            answer = subprocess.run(
                [*command, *arguments],
                cwd=TOOLCHAIN_FOLDER / module,
                capture_output=True,
                text=True,
                env=go.environment(),
                check=False,
            )
            assert answer.returncode == 0, answer.stderr
            resolved |= set(answer.stdout.split())
        assert {package for package in packages if not package.startswith(("./", "../"))} <= resolved

    @staticmethod
    def compiled(module: str, package: str, folder: Path) -> list[str]:
        """Packages that a program needs, with the files that `overlay.json` exchanges."""
        flags = build._replaced(module, folder)
        command = [go.go_command("check the pins"), "list", "-mod=readonly", *flags, "-deps", package]
        answer = subprocess.run(
            command, cwd=TOOLCHAIN_FOLDER / module, capture_output=True, text=True, env=go.environment(), check=False
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.split()

    @pytest.mark.rehearsal
    def test_the_provider_compiles_no_sdk_of_pulumis(self, tmp_path: Path) -> None:
        """Its component resources would bring two thousand types in Go, more than a quarter of its compilation."""
        sdk = "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/"
        packages = self.compiled("charts", "./provider", tmp_path)
        assert {name.removeprefix(sdk) for name in packages if name.startswith(sdk)} == {"helm/v4", "utilities"}

    @pytest.mark.rehearsal
    def test_pulumi_compiles_no_sdk_of_a_cloud_and_no_dictionary(self, tmp_path: Path) -> None:
        """SDKs are a quarter of what would be compiled, dictionaries half of each start of Pulumi."""
        packages = self.compiled("engine", TARGETS["pulumi"].package, tmp_path)
        assert "github.com/pulumi/pulumi/pkg/v3/backend/diy" in packages
        left_out = ("github.com/aws/", "github.com/Azure/", "cloud.google.com/", "github.com/hashicorp/vault/")
        # Of S3's, one type of this project's own.
        assert [name for name in packages if name.startswith(left_out)] == ["github.com/aws/aws-sdk-go-v2/service/s3"]
        assert {name for name in packages if "zxcvbn" in name} == {
            "github.com/ccojocar/zxcvbn-go",
            "github.com/nbutton23/zxcvbn-go",
        }

    @pytest.mark.rehearsal
    def test_the_crds_of_the_gateway_api_are_in_its_module(self) -> None:
        before = (TOOLCHAIN_FOLDER / "cluster" / "go.sum").read_bytes()
        folder = module_dir("sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
        assert (folder / "gateway.networking.k8s.io_httproutes.yaml").is_file()
        assert (TOOLCHAIN_FOLDER / "cluster" / "go.sum").read_bytes() == before
