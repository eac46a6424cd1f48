"""A Django REST framework project whose serializers have the shape of the Tasks API: the twin is held against it.

It stores nothing and has none of the vendor's behaviour: a body goes through a serializer, and the
answer is ``{}`` or the error that Django REST framework and drf-exceptions-hog make of it. ``/<name>/`` takes a body for
a serializer of ``BODIES``. The rows that serializers look up are those of the provider's default seeds.

Run as a program it serves on a free port, whose URL it prints, until it is ended.
"""

# The framework has no types.
# mypy: disable-error-code="import-untyped,misc,no-any-return"

import base64
import logging
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "EXCEPTION_HANDLER": "exceptions_hog.exception_handler",
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()
logging.disable()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

TEAM, USER = 1, 1
MAX_SIZE, MAX_PDF_SIZE = 30 * 1024 * 1024, 10 * 1024 * 1024
ORIGINS = (
    "error_tracking", "eval_clusters", "user_created", "automation", "slack", "support_queue", "session_summaries",
    "signal_report", "onboarding", "posthog_ai", "experiments", "signals_scout", "support_reply", "hogdesk",
    "review_hog", "image_builder", "loop", "mcp_analytics",
)  # fmt: skip
STATUSES = ("not_started", "queued", "in_progress", "completed", "failed", "cancelled")
ARTIFACT_TYPES = ("plan", "context", "reference", "output", "artifact", "tree_snapshot", "user_attachment")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
CLAUDE_MODES = ("default", "acceptEdits", "plan", "bypassPermissions", "auto")
CODEX_MODES = ("auto", "read-only", "full-access")
ALL_MODES = (*CLAUDE_MODES, "read-only", "full-access")
CLAUDE_EFFORTS = {
    "claude-opus-4-5": EFFORTS[:3], "claude-sonnet-4-6": EFFORTS[:3], "claude-sonnet-5": EFFORTS[:3],
    "claude-opus-4-6": EFFORTS, "claude-opus-4-7": EFFORTS, "claude-opus-4-8": EFFORTS, "claude-fable-5": EFFORTS,
}  # fmt: skip


class Row(models.Model):
    """What serializers look up."""

    class Meta:
        """Of no installed app."""

        abstract = True
        app_label = "twin"


class Integration(Row):  # noqa: DJ008 - nobody sees it
    """A GitHub installation of a team."""

    kind = models.CharField(max_length=20)
    team_id = models.IntegerField()


class UserIntegration(Row):  # noqa: DJ008 - nobody sees it
    """A GitHub link of a person."""

    id = models.UUIDField(primary_key=True)
    user_id = models.IntegerField()


class SignalReport(Row):  # noqa: DJ008 - nobody sees it
    """A report that a task can implement."""

    id = models.UUIDField(primary_key=True)
    team_id = models.IntegerField()


INTEGRATIONS = ((31, "github", TEAM), (32, "slack", TEAM), (33, "github", 3))
USER_INTEGRATIONS = (("60000000-0000-4000-8000-000000000001", USER), ("60000000-0000-4000-8000-000000000002", 3))
REPORTS = (("70000000-0000-4000-8000-000000000001", TEAM), ("70000000-0000-4000-8000-000000000002", 2))


def ready() -> None:
    """Make the tables and rows that the serializers look up."""
    with connection.schema_editor() as editor:
        for model in (Integration, UserIntegration, SignalReport):
            editor.create_model(model)
    for key, kind, team in INTEGRATIONS:
        Integration.objects.create(id=key, kind=kind, team_id=team)
    for uuid, user in USER_INTEGRATIONS:
        UserIntegration.objects.create(id=uuid, user_id=user)
    for uuid, team in REPORTS:
        SignalReport.objects.create(id=uuid, team_id=team)


def refuse(**errors: str) -> None:
    """Raise a validation error whose keys are field names."""
    raise serializers.ValidationError(errors)


def optional(field: type[serializers.Field], **options: Any) -> serializers.Field:
    """A field that may be left out and is then ``None``. It does not accept null: DRF needs ``allow_null`` for that."""
    return field(required=False, default=None, **options)


class TaskBody(serializers.Serializer):
    """POST /tasks/, PATCH and PUT /tasks/:id/, in the order of the checks."""

    title = serializers.CharField(max_length=255, required=False, allow_blank=True)
    title_manually_set = serializers.BooleanField(required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    origin_product = serializers.ChoiceField(choices=ORIGINS, required=False)
    repository = serializers.CharField(max_length=255, required=False, allow_blank=True, allow_null=True)
    github_integration = serializers.PrimaryKeyRelatedField(
        queryset=Integration.objects.filter(kind="github"), required=False, allow_null=True
    )
    github_user_integration = serializers.PrimaryKeyRelatedField(
        queryset=UserIntegration.objects.all(), required=False, allow_null=True
    )
    signal_report = serializers.PrimaryKeyRelatedField(
        queryset=SignalReport.objects.all(), required=False, allow_null=True
    )
    signal_report_task_relationship = serializers.ChoiceField(choices=["implementation"], required=False)
    json_schema = serializers.JSONField(required=False, allow_null=True)
    internal = serializers.BooleanField(required=False)
    archived = serializers.BooleanField(required=False)
    ci_prompt = serializers.CharField(required=False, allow_blank=True, allow_null=True)

    def validate_repository(self, value: str | None) -> str | None:
        """Lower case, and two parts if there are any."""
        if value and (len(value.split("/")) != 2 or not all(value.split("/"))):
            raise serializers.ValidationError("Repository must be in the format organization/repository")
        return value.lower() if value else value

    def validate_github_integration(self, value: Integration | None) -> Integration | None:
        """Only the team's own."""
        if value and value.team_id != TEAM:
            raise serializers.ValidationError("Integration must belong to the same team")
        return value

    def validate_github_user_integration(self, value: UserIntegration | None) -> UserIntegration | None:
        """Only the caller's own."""
        if value and value.user_id != USER:
            raise serializers.ValidationError("User integration must belong to the authenticated user")
        return value

    def validate_signal_report(self, value: SignalReport | None) -> SignalReport | None:
        """Only the team's own."""
        if value and value.team_id != TEAM:
            raise serializers.ValidationError("Signal report must belong to the same team")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The rules that need two fields."""
        is_report = attrs.get("origin_product") == "signal_report"
        if attrs.get("signal_report_task_relationship") is not None:
            if not attrs.get("signal_report"):
                refuse(signal_report_task_relationship="Requires signal_report when set.")
            if not is_report:
                refuse(signal_report_task_relationship="Requires origin_product signal_report when set.")
        if is_report and attrs.get("github_user_integration") is not None:
            refuse(github_user_integration="Signal report tasks use the team GitHub integration.")
        return attrs


def effort_error(adapter: str | None, model: str | None, effort: str | None) -> str:
    """Why an effort does not go with a model, ``""`` if it does."""
    if adapter is None or model is None or effort is None:
        return ""
    codex = EFFORTS[:4] if model == "gpt-5.5" else EFFORTS[:3]
    known = codex if adapter == "codex" else CLAUDE_EFFORTS.get(model, ())
    values = ", ".join(known) or "none"
    text = f"Reasoning effort '{effort}' is not supported for runtime_adapter '{adapter}' and model '{model}'."
    return "" if effort in known else f"{text} Supported values: {values}."


def mode_error(adapter: str | None, mode: str | None) -> str:
    """Why a permission mode does not go with a runtime, ``""`` if it does."""
    if mode is None:
        return ""
    if adapter is None:
        return "This field requires runtime_adapter to be set."
    allowed = CODEX_MODES if adapter == "codex" else CLAUDE_MODES
    values = ", ".join(f"'{each}'" for each in allowed)
    text = f"Invalid choice '{mode}' for runtime_adapter '{adapter}'. Supported values: {values}."
    return "" if mode in allowed else text


def check_runtime(attrs: dict[str, Any]) -> None:
    """The rules between the fields of a new run, in the order in which the first one is reported."""
    adapter, model, effort = attrs.get("runtime_adapter"), attrs.get("model"), attrs.get("reasoning_effort")
    errors = {"initial_permission_mode": mode_error(adapter, attrs.get("initial_permission_mode"))}
    if any(value is not None for value in (adapter, model, effort)):
        missing = "This field is required when selecting a cloud runtime."
        errors["runtime_adapter"] = missing if adapter is None else ""
        errors["model"] = missing if model is None else ""
        errors["reasoning_effort"] = effort_error(adapter, model, effort)
    errors = {name: text for name, text in errors.items() if text}
    if errors:
        raise serializers.ValidationError(errors)


class RunBody(serializers.Serializer):
    """POST /tasks/:id/run/"""

    mode = serializers.ChoiceField(choices=["interactive", "background"], required=False, default="background")
    branch = optional(serializers.CharField, allow_null=True, max_length=255)
    resume_from_run_id = optional(serializers.UUIDField)
    pending_user_message = optional(serializers.CharField, allow_blank=True)
    pending_user_artifact_ids = serializers.ListField(
        required=False, default=list, child=serializers.CharField(max_length=128)
    )
    sandbox_environment_id = optional(serializers.UUIDField)
    pr_authorship_mode = optional(serializers.ChoiceField, choices=["user", "bot"])
    run_source = optional(serializers.ChoiceField, choices=["manual", "signal_report"])
    signal_report_id = optional(serializers.CharField)
    runtime_adapter = optional(serializers.ChoiceField, choices=["claude", "codex"])
    model = optional(serializers.CharField)
    reasoning_effort = optional(serializers.ChoiceField, choices=EFFORTS)
    github_user_token = optional(serializers.CharField)
    initial_permission_mode = optional(serializers.ChoiceField, choices=ALL_MODES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The rules between fields."""
        check_runtime(attrs)
        return attrs


class RunCreateBody(serializers.Serializer):
    """POST /tasks/:id/runs/"""

    environment = serializers.ChoiceField(choices=["local", "cloud"], required=False, default="local")
    mode = serializers.ChoiceField(choices=["interactive", "background"], required=False, default="background")
    branch = optional(serializers.CharField, allow_null=True, max_length=255)
    sandbox_environment_id = optional(serializers.UUIDField)
    pr_authorship_mode = optional(serializers.ChoiceField, choices=["user", "bot"])
    run_source = optional(serializers.ChoiceField, choices=["manual", "signal_report"])
    signal_report_id = optional(serializers.CharField)
    runtime_adapter = optional(serializers.ChoiceField, choices=["claude", "codex"])
    model = optional(serializers.CharField)
    reasoning_effort = optional(serializers.ChoiceField, choices=EFFORTS)
    github_user_token = optional(serializers.CharField)
    initial_permission_mode = optional(serializers.ChoiceField, choices=ALL_MODES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The rules between fields."""
        check_runtime(attrs)
        return attrs


class RunPatchBody(serializers.Serializer):
    """PATCH /tasks/:task_id/runs/:id/ Validated as a whole, every field being optional."""

    status = serializers.ChoiceField(choices=STATUSES, required=False)
    branch = serializers.CharField(required=False, allow_null=True)
    stage = serializers.CharField(required=False, allow_null=True)
    output = serializers.JSONField(required=False, allow_null=True)
    state = serializers.JSONField(required=False)
    state_remove_keys = serializers.ListField(child=serializers.CharField(), required=False, allow_empty=False)
    error_message = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    environment = serializers.ChoiceField(choices=["local"], required=False)


class StartBody(serializers.Serializer):
    """POST …/runs/:id/start/."""

    pending_user_message = optional(serializers.CharField, allow_blank=True)
    pending_user_artifact_ids = serializers.ListField(
        required=False, default=list, child=serializers.CharField(max_length=128)
    )


class PresenceBody(serializers.Serializer):
    """POST and DELETE /tasks/:id/presence/."""

    device_id = serializers.UUIDField()


class PreparedArtifact(serializers.Serializer):
    """One file to be uploaded"""

    name = serializers.CharField(max_length=255)
    type = serializers.ChoiceField(choices=ARTIFACT_TYPES)
    source = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    size = serializers.IntegerField(min_value=1, max_value=MAX_SIZE)
    content_type = serializers.CharField(max_length=255, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """PDF attachments may be only a third as large."""
        name, kind = attrs["name"].lower(), attrs.get("content_type", "").split(";")[0].strip().lower()
        is_pdf = attrs["type"] == "user_attachment" and (name.endswith(".pdf") or kind == "application/pdf")
        if is_pdf and attrs["size"] > MAX_PDF_SIZE:
            rest = " for PDFs in cloud runs" if name.endswith(".pdf") else ""
            refuse(size=f"{attrs['name']} exceeds the 10MB attachment limit{rest}")
        return attrs


class FinalizedArtifact(serializers.Serializer):
    """One uploaded file"""

    id = serializers.CharField()
    name = serializers.CharField(max_length=255)
    type = serializers.ChoiceField(choices=ARTIFACT_TYPES)
    source = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    storage_path = serializers.CharField(max_length=500)
    content_type = serializers.CharField(max_length=255, required=False, allow_blank=True)


class InlineArtifact(serializers.Serializer):
    """One file with its content."""

    name = serializers.CharField(max_length=255)
    type = serializers.ChoiceField(choices=ARTIFACT_TYPES)
    source = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    content = serializers.CharField()
    content_encoding = serializers.ChoiceField(choices=["utf-8", "base64"], required=False, default="utf-8")
    content_type = serializers.CharField(max_length=255, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What says that it is base64 must be."""
        if attrs.get("content_encoding") == "base64":
            try:
                base64.b64decode(attrs["content"], validate=True)
            except ValueError:
                refuse(content="Invalid base64 content")
        return attrs


class NonEmptyArtifacts(serializers.Serializer):
    """What the bodies with artifacts share."""

    def validate_artifacts(self, value: list[Any]) -> list[Any]:
        """At least one."""
        if not value:
            raise serializers.ValidationError("At least one artifact is required")
        return value


class PrepareBody(NonEmptyArtifacts):
    """POST …/staged_artifacts/prepare_upload/ and …/artifacts/prepare_upload/."""

    artifacts = PreparedArtifact(many=True)


class FinalizeBody(NonEmptyArtifacts):
    """POST …/staged_artifacts/finalize_upload/ and …/artifacts/finalize_upload/."""

    artifacts = FinalizedArtifact(many=True)


class InlineBody(NonEmptyArtifacts):
    """POST …/artifacts/."""

    artifacts = InlineArtifact(many=True)


class PresignBody(serializers.Serializer):
    """POST …/artifacts/presign/ and …/artifacts/download/."""

    storage_path = serializers.CharField(max_length=500)


class AppendLogBody(serializers.Serializer):
    """POST …/append_log/."""

    entries = serializers.ListField(child=serializers.DictField())

    def validate_entries(self, value: list[Any]) -> list[Any]:
        """At least one."""
        if not value:
            raise serializers.ValidationError("At least one log entry is required")
        return value


class RelayBody(serializers.Serializer):
    """POST …/relay_message/."""

    text = serializers.CharField(max_length=10000)


class SetOutputBody(serializers.Serializer):
    """PATCH …/set_output/. Validated as a whole."""

    output = serializers.JSONField()


class SummariesBody(serializers.Serializer):
    """POST /tasks/summaries/"""

    ids = serializers.ListField(child=serializers.UUIDField(), allow_empty=False, max_length=5000)


class CommandBody(serializers.Serializer):
    """POST …/command/"""

    jsonrpc = serializers.ChoiceField(choices=["2.0"])
    method = serializers.ChoiceField(
        choices=["user_message", "cancel", "close", "permission_response", "set_config_option"]
    )
    params = serializers.DictField(required=False, default=dict)
    id = serializers.JSONField(required=False, default=None)

    def validate_id(self, value: Any) -> Any:
        """JSON-RPC ids are scalars."""
        if value is not None and not isinstance(value, (str, int, float)):
            raise serializers.ValidationError("id must be a string or number")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What each method needs in its params."""
        params = attrs.get("params", {})
        if attrs["method"] == "user_message":
            check_message(params)
        wanted = {"permission_response": ("requestId", "optionId"), "set_config_option": ("configId", "value")}
        for key in wanted.get(attrs["method"], ()):
            value = params.get(key)
            if not isinstance(value, str) or not value.strip():
                refuse(params=f"{key} is required and must be a non-empty string")
        return attrs


def check_message(params: dict[str, Any]) -> None:
    """A message has text, artifacts or both."""
    content, ids = params.get("content"), params.get("artifact_ids")
    if content is not None and not isinstance(content, str):
        refuse(params="content must be a string when provided")
    if ids is not None and not (isinstance(ids, list) and all(isinstance(each, str) and each.strip() for each in ids)):
        refuse(params="artifact_ids must be a list of non-empty strings")
    if not (content or "").strip() and not ids:
        refuse(params="user_message requires a non-empty content string, artifact_ids, or both")


BODIES: dict[str, type[serializers.Serializer]] = {
    "task": TaskBody, "run": RunBody, "run_create": RunCreateBody, "run_patch": RunPatchBody, "start": StartBody,
    "presence": PresenceBody, "staged_prepare": PrepareBody, "staged_finalize": FinalizeBody,
    "artifacts_inline": InlineBody, "presign": PresignBody, "append_log": AppendLogBody, "relay": RelayBody,
    "set_output": SetOutputBody, "summaries": SummariesBody, "command": CommandBody,
}  # fmt: skip
PARTIAL = {"task"}
"""Of these PATCH validates only what is sent."""


class Checked(APIView):
    """Sends a body through a serializer."""

    http_method_names = ("post", "patch", "delete")
    name = ""

    def body(self, request: Request) -> Response:
        """Nothing, if the serializer accepts it."""
        partial = request.method == "PATCH" and self.name in PARTIAL
        serializer = BODIES[self.name](data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return Response({})

    post = patch = delete = body


urlpatterns = [path(f"{each}/", Checked.as_view(name=each)) for each in BODIES]


class Quiet(WSGIRequestHandler):
    """No line for each request."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def serve() -> None:
    """Until the process is ended."""
    ready()
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - tells the test
        server.serve_forever()


if __name__ == "__main__":
    serve()
