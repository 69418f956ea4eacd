"""The Python names of API v3: decisions of this project, unlike the facts in `api/v3.md`.

Every row with a method has a signature here, in the notation of the table of names. Parameters are called after their
names on the wire, by rules:

* `filter[org_id]` is `org_id`, `page[limit]` and `page.limit` are `page_size`, `page[cursor]` and `page.cursor` are
  `page_token`, `from` is `from_`, and hyphens are underscores.
* In a body `data`, `attributes`, `references`, `scope` and `page` are no parameters, their members are. A member `id`
  of another object is `<object>_id`.
* An object or a list in a body is one parameter if the signature has its name. Else its members are parameters.

Methods called `stream_...` return streams; bytes are read whole by others, as text.

The members of a response have the same names. A reference with an id only is `<reference>_id`, any other one is an
object with the id and its attributes. An object in attributes is an object in Python too.

Nothing here imports the SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SIGNATURES: Final[Mapping[str, str]] = {
    "POST /configs/compile": (
        "configs.compile(*, config, enable_next_preview?, pipeline_parameters?, pipeline_values?, org_id?)"
    ),
    "GET /deploy/components": "deploy_components.list(*, org_id, project_id?, page_size?, page_token?)",
    "GET /deploy/components/{id}": "deploy_components.get(component_id)",
    "GET /deploy/components/{id}/versions": (
        "deploy_components.list_versions(component_id, *, environment_id?, page_size?, page_token?)"
    ),
    "GET /deploy/deployments": "deployments.list(*, org_id, project_id?, page_size?, page_token?)",
    "POST /projects/{id}/rollback": (
        "deployments.rollback(project_id, *, component_id, environment_id, current_version, target_version, "
        "namespace?, reason?, parameters?, checkout_ref?, config_ref?)"
    ),
    "GET /deploy/environments": "deploy_environments.list(*, org_id, page_size?, page_token?)",
    "GET /deploy/environments/{id}": "deploy_environments.get(environment_id)",
    "GET /deploy/settings": "deploy_settings.get(*, project_id)",
    "GET /jobs": "jobs.list(*, workflow_id, page_token?)",
    "GET /jobs/{id}": "jobs.get(job_id)",
    "GET /jobs/{id}/artifacts": "jobs.list_artifacts(job_id)",
    "GET /jobs/{id}/resource-usage": "jobs.get_resource_usage(job_id)",
    "GET /jobs/{id}/stderr": "jobs.stream_stderr(job_id, *, step_num, execution?)",
    "GET /jobs/{id}/stdout": "jobs.stream_stdout(job_id, *, step_num, execution?)",
    "GET /jobs/{id}/stdout/condensed": "jobs.get_condensed_stdout(job_id, *, step_num, execution?)",
    "GET /jobs/{id}/tests": "jobs.stream_tests(job_id)",
    "GET /namespaces": "namespaces.get_by_name(*, name)",
    "POST /namespaces": "namespaces.create(*, name, org_id)",
    "DELETE /namespaces/{id}": "namespaces.delete(namespace_id)",
    "POST /namespaces/{id}/rename": "namespaces.rename(namespace_id, *, name)",
    "GET /orb/categories": "orb_categories.list(*, name?, page_token?)",
    "GET /orb/packages": "orbs.list(*, certified?, name?, namespace_id?, visibility?, page_token?)",
    "POST /orb/packages": "orbs.create(*, name, is_private, namespace_id)",
    "GET /orb/packages/{id}": "orbs.get(orb_id)",
    "POST /orb/packages/{id}/add-category": "orbs.add_category(orb_id, *, category_id)",
    "POST /orb/packages/{id}/remove-category": "orbs.remove_category(orb_id, *, category_id)",
    "POST /orb/packages/{id}/set-listed": "orbs.set_listed(orb_id, *, is_listed)",
    "POST /orb/packages/validate": "orbs.validate(*, yaml, org_id?)",
    "GET /orb/versions": "orb_versions.list(*, orb_id?, ref?, channel?, page_token?)",
    "POST /orb/versions": "orb_versions.create(*, orb_id, yaml, version)",
    "GET /orb/versions/{id}": "orb_versions.get(version_id)",
    "POST /orb/versions/{id}/promote": "orb_versions.promote(version_id, *, segment?, semantic_version?)",
    "GET /orb/versions/{id}/source": "orb_versions.get_source(version_id)",
    "GET /orgs": "organizations.list(*, slug)",
    "GET /orgs/{id}/settings": "organizations.get_settings(org_id)",
    "POST /orgs/{id}/update-settings": (
        "organizations.update_settings(org_id, *, is_runner_terms_of_service_accepted?, "
        "enable_ai_error_summarization?, enable_ai_agents?, enable_unversioned_config?, "
        "enable_certified_public_orbs?, enable_chunk_ip_ranges?, enable_minor_ai_features?, enable_private_orbs?, "
        "enable_uncertified_public_orbs?, is_bitbucket_workspace_member_org_member?, "
        "is_user_checkout_keys_disabled?, is_running_disabled?, enable_image_brownouts?, "
        "is_context_group_restriction_required?, enable_resource_class_brownouts?)"
    ),
    "GET /pipelines": "pipelines.list(*, project_id)",
    "POST /pipelines": "pipelines.create(*, name, config, checkout, project_id, description?)",
    "GET /projects": "projects.list(*, slug?, org_id?, name?, order_by?, page_size?, page_token?)",
    "GET /projects/{id}": "projects.get(project_id)",
    "DELETE /projects/{id}/dlc": "projects.delete_docker_layer_cache(project_id)",
    "GET /projects/{id}/settings": "projects.get_settings(project_id)",
    "POST /projects/{id}/update-settings": (
        "projects.update_settings(project_id, *, enable_ai_error_summarization?, "
        "enable_auto_cancel_redundant_workflows?, enable_building_fork_prs?, is_build_prs_only?, "
        "can_pass_secrets_to_fork_pr_jobs?, can_set_github_status?, is_running_disabled?, is_ssh_disabled?, "
        "enable_dynamic_config?, is_admin_required_for_writing_settings?, is_oss?, pr_only_branch_overrides?, "
        "enable_unversioned_config?)"
    ),
    "GET /provider/connections": "connections.list(*, org_id)",
    "POST /provider/connections/setup": 'connections.setup(*, org_id, provider, return_url, connection_type="vcs")',
    "GET /provider/repositories": "repositories.list(*, org_id, provider, page_size?, page_token?)",
    "GET /runner": "runner_instances.list(*, resource_class?, namespace?, org_id?)",
    "GET /runner/resource": "runner_resources.list(*, namespace?, org_id?)",
    "POST /runner/resource": "runner_resources.create(*, resource_class, description)",
    "DELETE /runner/resource/{id}/force": "runner_resources.force_delete(resource_id)",
    "GET /runner/token": "runner_tokens.list(*, resource_class)",
    "POST /runner/token": "runner_tokens.create(*, resource_class, nickname)",
    "DELETE /runner/token/{id}": "runner_tokens.delete(token_id)",
    "GET /runs": 'runs.list(*, user_id="me", phase?, current_outcome?, from_?, to?, page_size?, page_token?)',
    "GET /runs/{id}": "runs.get(run_id)",
    "POST /runs/search": (
        'runs.search(*, project_ids, from_, to, filter_expression="", order_by?, page_size=20, page_token?)'
    ),
    "GET /signing/certificates": "signing_certificates.list(*, org_id)",
    "POST /signing/certificates": "signing_certificates.create(*, file_name, cert_blob, cert_password, org_id)",
    "DELETE /signing/certificates/{id}": "signing_certificates.delete(certificate_id)",
    "GET /signing/configs": "signing_configs.list(*, org_id)",
    "POST /signing/configs": "signing_configs.create(*, name, provisioning_profiles, org_id, signing_certificate_id)",
    "DELETE /signing/configs/{id}": "signing_configs.delete(config_id)",
    "POST /signing/configs/{id}/remove-profile": "signing_configs.remove_profile(config_id, *, profile_id)",
    "POST /signing/configs/{id}/update-profile": "signing_configs.set_profile(config_id, *, file_name, blob)",
    "GET /tool/releases": "tools.list_releases(*, tool)",
    "GET /triggers": "triggers.list(*, project_id, pipeline_id)",
    "POST /triggers": "triggers.create(*, is_disabled, pipeline_id, project_id?, event?, config_ref?, checkout_ref?)",
    "GET /users": 'users.list(*, user_id="me")',
    "GET /workflows": "workflows.list(*, run_id, page_token?)",
    "GET /workflows/{id}": "workflows.get(workflow_id)",
    "POST /workflows/{id}/cancel": "workflows.cancel(workflow_id)",
    "POST /workflows/{id}/rerun": "workflows.rerun(workflow_id, *, is_from_failed?)",
    "GET /contexts": "contexts.list(*, org_id, name?, include?, page_size?, page_token?)",
    "POST /contexts": "contexts.create(*, name, org_id)",
    "GET /contexts/{id}": "contexts.get(context_id)",
    "DELETE /contexts/{id}": "contexts.delete(context_id)",
    "GET /contexts/{id}/env-vars": "contexts.list_env_vars(context_id, *, page_size?, page_token?)",
    "POST /contexts/{id}/env-vars/set": "contexts.set_env_var(context_id, *, name, value)",
    "DELETE /contexts/{id}/env-vars": "contexts.delete_env_var(context_id, *, name)",
    "GET /context-restrictions": "contexts.list_restrictions(*, context_id)",
    "POST /context-restrictions": "contexts.create_restriction(*, restriction_type, match_pattern, context_id)",
    "DELETE /context-restrictions/{id}": "contexts.delete_restriction(restriction_id, *, context_id)",
    "GET /groups": "groups.list(*, org_id)",
    "GET /runner/resource-classes": "runner_resource_classes.list(*, org_id?, namespace?, resource_class?)",
    "POST /runner/resource-classes": "runner_resource_classes.create(*, resource_class, description, org_id)",
    "GET /runner/resource-classes/{id}": "runner_resource_classes.get(resource_class_id)",
    "POST /runner/resource-classes/{id}/update": "runner_resource_classes.update(resource_class_id, *, description)",
    "DELETE /runner/resource-classes/{id}": "runner_resource_classes.delete(resource_class_id, *, force?)",
    "GET /runner/tokens": "runner_resource_classes.list_tokens(*, resource_class?, resource_class_id?)",
    "POST /runner/tokens": "runner_resource_classes.create_token(*, nickname, resource_class_id)",
    "DELETE /runner/tokens/{id}": "runner_resource_classes.delete_token(token_id)",
    "GET /runner/agents": "runner_agents.list(*, org_id?, resource_class?, namespace?, page_size?, page_token?)",
    "GET /runner/fleets": (
        "runner_fleets.list(*, org_id?, namespace?, resource_class?, resource_class_id?, page_size?, page_token?)"
    ),
    "GET /runner/fleets/{id}": "runner_fleets.get(resource_class_id)",
    "GET /catalog/offerings": "catalog.get_offerings()",
    "POST /analysis/charges": (
        "charges.search(*, analysis, project_ids, from_?, to?, filter_expression?, order_by?, page_size=20, "
        "page_token?)"
    ),
}
"""The methods by the rows of the document. Rows without a method are left out of the SDK."""

RENAMED: Final[Mapping[tuple[str, str], str]] = {
    ("connections", "type"): "connection_type",
    ("connections", "vcs.provider"): "provider",
    ("charges", "filter"): "filter_expression",
    ("deployments", "target_version.name"): "target_version",
    ("runs", "filter"): "filter_expression",
    ("runs", "event_source.type"): "event_source_type",
    ("triggers", "config.ref"): "config_ref",
    ("triggers", "checkout.ref"): "checkout_ref",
}
"""Members in bodies and in attributes with other names than by the rules, by resource and place.

An object in attributes that has such a member is no object in Python.
"""

MODELS: Final[Mapping[str, str]] = {
    "pipelines.create(config)": "PipelineConfig",
    "pipelines.create(config.vcs)": "VcsSource",
    "pipelines.create(config.hosted)": "HostedSource",
    "pipelines.create(checkout)": "PipelineCheckout",
    "pipelines.create(checkout.vcs)": "VcsSource",
    "triggers.create(event)": "TriggerEvent",
    "triggers.create(event.vcs)": "VcsSource",
    "triggers.create(event.webhook)": "TriggerWebhook",
    "triggers.create(event.filter)": "TriggerEventFilter",
    "signing_configs.create(provisioning_profiles)": "ProvisioningProfileInput",
}
"""The models of objects that are parameters."""

TEXTS: Final = frozenset(
    {
        ("runs.list", "user_id"),  # the only known value is `me`
        ("users.list", "user_id"),
        ("runner_resources.force_delete", "resource_id"),  # the older runner routes have ids of any form
        ("runner_tokens.delete", "token_id"),
    }
)
"""Parameters called `..._id` that take any string."""

CIRCLE_TOKEN: Final = frozenset({"GET /catalog/offerings"})
"""Rows that take `Circle-Token`, as their only known client sends it."""
