"""Who may be which account, and what each account may do."""

from __future__ import annotations

import ast
import functools
import json
from typing import Any

import pytest
import yaml

from bootstrap.settings import BootstrapSettings
from llm_d_gke.resource_graph import Graph, record
from llm_d_gke.stackfile import PROJECT_ROOT, project_stacks
from tests.stacks import graph_of

CONFIG: dict[str, Any] = {
    "project": "my-project-123456",
    "location": "europe-west4",
    "repository": "my-org/llm-d",
    "repositoryId": "4711",
    "environments": ["staging", "production"],
}


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
    assert {resource["role"] for resource in bindings} == {"roles/iam.workloadIdentityUser"}
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
            " && (assertion.ref == 'refs/heads/main' || assertion.sub in ['repo:my-org/llm-d:pull_request'])"
        )
        assert provider["oidc"]["issuerUri"] == "https://token.actions.githubusercontent.com"
        assert provider["attributeMapping"]["google.subject"] == "assertion.sub"

    def test_only_the_environment_of_reviews_is_open_to_other_branches(self) -> None:
        """A workflow on any branch may name any environment, and with it become the account that deploys."""
        [provider] = graph(environments=["production", "review"]).by_type(
            "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
        )
        assert provider["attributeCondition"].rpartition(" in ")[2] == (
            "['repo:my-org/llm-d:pull_request', 'repo:my-org/llm-d:environment:review'])"
        )

    def test_the_environment_of_reviews_is_the_workflow_s(self) -> None:
        review = yaml.safe_load((PROJECT_ROOT / ".github" / "workflows" / "review.yml").read_text(encoding="utf-8"))
        assert {job["environment"] for job in review["jobs"].values()} == {"review"}

    def test_each_account_is_for_one_kind_of_job(self) -> None:
        assert {account: jobs(graph(), account) for account in ("deploy", "drift", "preview")} == {
            "deploy": {"repo:my-org/llm-d:environment:staging", "repo:my-org/llm-d:environment:production"},
            "drift": {"repo:my-org/llm-d:ref:refs/heads/main"},
            "preview": {"repo:my-org/llm-d:pull_request"},
        }

    def test_no_account_has_a_key_that_could_leak(self) -> None:
        assert graph().by_type("gcp:serviceaccount/key:Key") == []
        assert len(graph().by_type("gcp:serviceaccount/account:Account")) == 3


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

    def test_the_account_that_deploys_grants_the_roles_that_stacks_have_and_no_other(self) -> None:
        grants = [
            resource
            for resource in graph().by_type("gcp:projects/iAMMember:IAMMember")
            if resource["role"] == "roles/resourcemanager.projectIamAdmin"
        ]
        assert [resource.name for resource in grants] == ["deploy-grants"]
        granted = {
            resource["role"]
            for stack in project_stacks()
            for resource in graph_of(stack).by_type("gcp:projects/iAMMember:IAMMember")
        }
        allowed = str(grants[0]["condition"]["expression"]).partition(".hasOnly(")[2].removesuffix(")")
        assert set(ast.literal_eval(allowed)) == granted


class TestState:
    def test_the_bucket_is_private_and_keeps_earlier_states(self) -> None:
        [bucket] = graph().by_type("gcp:storage/bucket:Bucket")
        assert bucket["publicAccessPrevention"] == "enforced"
        assert bucket["uniformBucketLevelAccess"] is True
        assert bucket["versioning"] == {"enabled": True}
        assert bucket.options.protect is True

    def test_the_key_is_renewed_and_protected(self) -> None:
        [key] = graph().by_type("gcp:kms/cryptoKey:CryptoKey")
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
    assert {name.strip("}") for name in read} == set(graph().outputs) | chosen


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repository", "my-org/llm-d' || true || '"),
        ("environments", ()),
        ("environments", ("production:ref",)),
        ("repository_id", "my-org"),
        ("project", "My Project"),
    ],
)
def test_a_name_that_would_change_a_condition_is_refused(name: str, value: object) -> None:
    values = {
        "project": CONFIG["project"],
        "location": CONFIG["location"],
        "repository": CONFIG["repository"],
        "repository_id": CONFIG["repositoryId"],
        "environments": ("staging",),
    }
    with pytest.raises(ValueError, match=name):
        BootstrapSettings.model_validate(values | {name: value})
