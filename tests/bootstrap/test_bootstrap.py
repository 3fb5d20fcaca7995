"""Who may be which account, and what each account may do."""

from __future__ import annotations

import ast
import functools
import json
from typing import Any

import pulumi
import pytest

from bootstrap.settings import BootstrapSettings, settings_of
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.planning.infrastructure.cluster import NODE_ROLES
from llm_d_gke.resource_graph import Graph, Recorded, record
from llm_d_gke.stackfile import PROJECT_ROOT, project_stacks
from tests.stacks import graph_of

CONFIG: dict[str, Any] = {
    "project": "my-project-123456",
    "projectNumber": "815",
    "location": "europe-west4",
    "repository": "my-org/llm-d",
    "repositoryId": "4711",
    "ownerId": "42",
    "environments": ["staging", "production"],
}

NODE_ACCOUNT = "llm-d-nodes@my-project.iam.gserviceaccount.com"


@functools.cache
def _graph(changes: str) -> Graph:
    config = CONFIG | json.loads(changes)
    return record(
        PROJECT_ROOT / "bootstrap" / "__main__.py",
        project="llm-d-bootstrap",
        stack="bootstrap",
        config={
            f"llm-d-bootstrap:{key}": value if isinstance(value, str) else json.dumps(value)
            for key, value in config.items()
        },
        preview=False,
    )


def graph(**changes: Any) -> Graph:
    return _graph(json.dumps(changes))


def project_roles(resources: Graph, account: str) -> set[str]:
    return {
        resource["role"]
        for resource in resources.by_type("gcp:projects/iAMMember:IAMMember")
        if resource.name.startswith(f"{account}-") and account in resource["member"]
    }


def jobs(resources: Graph, account: str) -> set[str]:
    """Subjects of GitHub's tokens that may be the account."""
    bindings = resources.by_type("gcp:serviceaccount/iAMMember:IAMMember")
    others = [binding.name for binding in bindings if binding["role"] != "roles/iam.workloadIdentityUser"]
    assert others in ([], ["deploy-uses-nodes"])
    return {
        resource["member"].partition("/subject/")[2]
        for resource in bindings
        if resource.name.startswith(f"{account}-job-")
    }


def key_role(resources: Graph, account: str) -> str | None:
    grants = resources.by_type("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember")
    return next((str(resource["role"]) for resource in grants if resource.name == f"{account}-key"), None)


class TestFederation:
    def test_only_one_repository_is_let_in(self) -> None:
        [provider] = graph().by_type("gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider")
        assert provider["attributeCondition"] == (
            "assertion.repository == 'my-org/llm-d' && assertion.repository_id == '4711'"
            " && (assertion.ref == 'refs/heads/main' || assertion.sub in"
            " ['repo:my-org/llm-d:pull_request', 'repo:my-org@42/llm-d@4711:pull_request'])"
        )
        assert provider["oidc"]["issuerUri"] == "https://token.actions.githubusercontent.com"
        assert provider["attributeMapping"]["google.subject"] == "assertion.sub"

    def test_only_the_environment_of_reviews_is_open_to_other_branches(self) -> None:
        """A workflow on any branch may name any environment, and with it become the account that deploys."""
        [provider] = graph(environments=["production", "review"]).by_type(
            "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
        )
        assert provider["attributeCondition"].rpartition(" in ")[2] == (
            "['repo:my-org/llm-d:pull_request', 'repo:my-org/llm-d:environment:review',"
            " 'repo:my-org@42/llm-d@4711:pull_request', 'repo:my-org@42/llm-d@4711:environment:review'])"
        )

    def test_the_environment_of_reviews_is_the_workflow_s(self) -> None:
        review = read_yaml(PROJECT_ROOT / ".github" / "workflows" / "review.yml")
        assert {job["environment"] for job in review["jobs"].values()} == {"review"}

    def test_each_account_is_for_one_kind_of_job(self) -> None:
        """In the subjects of older repositories, and in those with numbers that GitHub gives newer ones."""
        jobs_of = {
            "deploy": ("environment:staging", "environment:production"),
            "drift": ("ref:refs/heads/main",),
            "preview": ("pull_request",),
        }
        repositories = ("repo:my-org/llm-d", "repo:my-org@42/llm-d@4711")
        assert {account: jobs(graph(), account) for account in jobs_of} == {
            account: {f"{repository}:{job}" for repository in repositories for job in kinds}
            for account, kinds in jobs_of.items()
        }

    def test_no_account_has_a_key_that_could_leak(self) -> None:
        assert graph().by_type("gcp:serviceaccount/key:Key") == []
        accounts = {account.name for account in graph().by_type("gcp:serviceaccount/account:Account")}
        assert accounts == {"deploy", "drift", "preview", "nodes"}


class TestRoles:
    def test_a_pull_request_changes_nothing_and_decrypts_nothing(self) -> None:
        resources = graph()
        roles = project_roles(resources, "preview")
        assert roles
        assert {role for role in roles if not role.endswith(("iewer", "Reviewer"))} == set()
        assert key_role(resources, "preview") is None
        [state] = [resource for resource in resources if resource.name == "preview-state"]
        assert state["role"] == "roles/storage.objectViewer"

    def test_it_decrypts_where_somebody_says_so(self) -> None:
        assert key_role(graph(previewDecrypts=True), "preview") == "roles/cloudkms.cryptoKeyDecrypter"

    def test_no_account_is_owner_or_editor(self) -> None:
        resources = graph()
        every = set().union(*(project_roles(resources, account) for account in ("deploy", "drift", "preview")))
        assert every & {"roles/owner", "roles/editor", "roles/iam.securityAdmin"} == set()

    def test_no_account_lets_itself_use_the_rights_of_others(self) -> None:
        """Setting the policy of a service account, or making its tokens, gives its rights."""
        resources = graph()
        every = set().union(*(project_roles(resources, account) for account in ("deploy", "drift", "preview")))
        wide = {"Admin", "TokenCreator", "KeyAdmin", "OpenIdTokenCreator"}
        assert {role for role in every if role.removeprefix("roles/iam.serviceAccount") in wide} == set()

    def test_nodes_run_as_one_account_and_the_one_that_deploys_may_use_no_other(self) -> None:
        resources = graph()
        assert {role for role in project_roles(resources, "deploy") if "serviceAccount" in role} == set()
        uses = [
            binding
            for binding in resources.by_type("gcp:serviceaccount/iAMMember:IAMMember")
            if binding["role"] == "roles/iam.serviceAccountUser"
        ]
        assert [(str(use["member"]).partition("@")[0], "llm-d-nodes@" in use["serviceAccountId"]) for use in uses] == [
            ("serviceAccount:llm-d-deploy", True)
        ]
        assert project_roles(resources, "nodes") == set(NODE_ROLES)
        assert str(resources.outputs["nodeAccount"]).startswith("llm-d-nodes@")

    def test_stacks_create_accounts_where_somebody_says_so(self) -> None:
        resources = graph(stackAccounts=True)
        assert "roles/iam.serviceAccountUser" in project_roles(resources, "deploy")
        assert "nodeAccount" not in resources.outputs
        assert "nodes" not in {account.name for account in resources.by_type("gcp:serviceaccount/account:Account")}

    @pytest.mark.parametrize("own", [False, True], ids=["nodeAccount", "stackAccounts"])
    def test_the_account_that_deploys_grants_the_roles_that_stacks_have_and_no_other(self, own: bool) -> None:
        changes = {} if own else {"cluster.nodeAccount": NODE_ACCOUNT}
        grants = [
            resource
            for resource in graph(stackAccounts=own).by_type("gcp:projects/iAMMember:IAMMember")
            if resource["role"] == "roles/resourcemanager.projectIamAdmin"
        ]
        assert [resource.name for resource in grants] == ["deploy-grants"]
        granted = {
            resource["role"]
            for stack in project_stacks()
            for resource in graph_of(stack, changes).by_type("gcp:projects/iAMMember:IAMMember")
        }
        allowed = str(grants[0]["condition"]["expression"]).partition(".hasOnly(")[2].removesuffix(")")
        assert set(ast.literal_eval(allowed)) == granted


class TestState:
    def bucket(self, name: str, **changes: Any) -> Recorded:
        [bucket] = [entry for entry in graph(**changes).by_type("gcp:storage/bucket:Bucket") if entry.name == name]
        return bucket

    @pytest.mark.parametrize("name", ["state", "state-logs"])
    def test_buckets_are_private_and_protected(self, name: str) -> None:
        bucket = self.bucket(name)
        assert bucket["publicAccessPrevention"] == "enforced"
        assert bucket["uniformBucketLevelAccess"] is True
        assert bucket.options.protect is True

    def test_earlier_states_are_kept(self) -> None:
        assert self.bucket("state")["versioning"] == {"enabled": True}

    def test_states_are_encrypted_with_a_key_that_only_the_buckets_agent_uses(self) -> None:
        """Not the key of secrets, which the account of drift may use: who has a copy of the bucket has no state."""
        resources = graph()
        assert self.bucket("state")["encryption"]["defaultKmsKeyName"].endswith("/state")
        [key] = [key for key in resources.by_type("gcp:kms/cryptoKey:CryptoKey") if key.name == "state-key"]
        grants = [
            grant
            for grant in resources.by_type("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember")
            if grant["cryptoKeyId"] == key.id
        ]
        assert [(grant["member"], grant["role"]) for grant in grants] == [
            (
                "serviceAccount:service-815@gs-project-accounts.iam.gserviceaccount.com",
                "roles/cloudkms.cryptoKeyEncrypterDecrypter",
            )
        ]
        assert resources.depends(self.bucket("state"), grants[0])

    def test_reads_and_writes_of_states_are_logged_where_no_account_deletes_it(self) -> None:
        resources = graph()
        assert self.bucket("state")["logging"]["logBucket"] == self.bucket("state-logs")["name"]
        members = resources.by_type("gcp:storage/bucketIAMMember:BucketIAMMember")
        assert [
            (member["member"], member["role"])
            for member in members
            if member["bucket"] == self.bucket("state-logs")["name"]
        ] == [("group:cloud-storage-analytics@google.com", "roles/storage.objectCreator")]

    def test_an_organization_that_refuses_googles_group_turns_the_log_off(self) -> None:
        assert "logging" not in self.bucket("state", accessLogs=False).inputs
        assert len(graph(accessLogs=False).by_type("gcp:storage/bucket:Bucket")) == 1

    def test_uses_of_keys_are_logged(self) -> None:
        [audit] = graph().by_type("gcp:projects/iAMAuditConfig:IAMAuditConfig")
        assert (audit["service"], audit["auditLogConfigs"]) == ("cloudkms.googleapis.com", [{"logType": "DATA_READ"}])

    def test_keys_are_renewed_and_protected(self) -> None:
        keys = graph().by_type("gcp:kms/cryptoKey:CryptoKey")
        assert {key["name"] for key in keys} == {"pulumi", "state"}
        for key in keys:
            assert key["rotationPeriod"] == "7776000s"
            assert key.options.protect is True


def test_outputs_are_the_variables_that_the_workflows_read() -> None:
    read = {
        word.partition(" ")[0]
        for file in (PROJECT_ROOT / ".github" / "workflows").glob("*.yml")
        for word in file.read_text(encoding="utf-8").split("vars.")[1:]
    }
    # Which stack a review copies, for how long and at what cost, is the choice of the repository's owners.
    chosen = {"REVIEW_STACK", "REVIEW_HOURS", "REVIEW_BUDGET"}
    assert {name.strip("}") for name in read} == set(graph(stackAccounts=True).outputs) | chosen


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repository", "my-org/llm-d' || true || '"),
        ("environments", ()),
        ("environments", ("production:ref",)),
        ("repository_id", "my-org"),
        ("project_number", "815@example.com"),
        ("project", "My Project"),
    ],
)
def test_a_name_that_would_change_a_condition_is_refused(name: str, value: object) -> None:
    values = {
        "project": CONFIG["project"],
        "project_number": CONFIG["projectNumber"],
        "location": CONFIG["location"],
        "repository": CONFIG["repository"],
        "repository_id": CONFIG["repositoryId"],
        "owner_id": CONFIG["ownerId"],
        "environments": ("staging",),
    }
    with pytest.raises(ValueError, match=name):
        BootstrapSettings.model_validate(values | {name: value})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"projectNumber": "acme"}, "projectNumber: acme is not the project's number"),
        ({"repository": "https://github.com/my-org/llm-d"}, "as OWNER/NAME, without https://github.com/"),
        ({"location": "us-central1-a"}, "location: us-central1-a is not a region"),
        ({"environments": "[]"}, "environments: [] is not a list of GitHub environments"),
        ({"environments": "staging"}, "pulumi config set --path 'environments[0]' staging --cwd bootstrap"),
        ({"environments": '["pro duction"]'}, "whose names have letters, digits, dashes and underscores only"),
        ({"project": "", "repositoryId": None}, "project is missing: the id of a Google Cloud project"),
        ({"previewDecrypts": "perhaps"}, "previewDecrypts: perhaps is not true or false"),
    ],
)
def test_a_value_of_another_form_is_explained(changes: dict[str, Any], words: str) -> None:
    config = {**CONFIG, "environments": json.dumps(CONFIG["environments"])}
    assert settings_of(config).environments == ("staging", "production")
    with pytest.raises(pulumi.RunError) as refused:
        settings_of(config | changes)
    message = str(refused.value)
    assert words in message
    assert len(message.splitlines()) == len(changes)
    assert all(word not in message for word in ("pattern", "^", "Tuple", "pydantic", "project_number"))


def test_the_values_that_errors_show_are_taken() -> None:
    with pytest.raises(pulumi.RunError) as refused:
        settings_of({})
    commands = [line.partition("pulumi config set ")[2].split() for line in str(refused.value).splitlines()]
    values = {words[0]: words[1] for words in commands if words[0] != "--path"}
    assert settings_of(values | {"environments": '["staging"]'}).project == "my-project-123456"


@pytest.mark.parametrize("region", ["us", "europe-west10", "northamerica-northeast1"])
def test_regions_of_any_number_are_taken(region: str) -> None:
    config = {**CONFIG, "environments": json.dumps(CONFIG["environments"]), "location": region}
    assert settings_of(config).location == region
