"""Where providers are: the bundled ones by name, any other by its folder."""

from pathlib import Path

from tasktwin.errors import DataError, Problem
from tasktwin.provider.yaml_file import did_you_mean

PACKAGE = Path(__file__).resolve().parent.parent
REPOSITORY = PACKAGE.parent.parent


def data_folder(kind: str) -> Path:
    """``fixtures`` or ``scenarios``: inside the installed package, or beside ``src`` when run from the repository."""
    bundled = PACKAGE / "bundled" / kind
    return bundled if bundled.is_dir() else REPOSITORY / kind


def bundled() -> list[str]:
    """The names of the bundled providers, sorted."""
    return sorted(each.parent.name for each in data_folder("fixtures").glob("*/openapi.yaml"))


def find(name: str) -> Path:
    """The folder of a provider given by its name or its path. Raises ``DataError``."""
    if name in bundled():
        return data_folder("fixtures") / name
    folder = Path(name)
    try:
        if folder.is_dir():
            if not (folder / "openapi.yaml").exists():
                raise DataError(Problem("a provider's folder needs a file openapi.yaml", file=name))
            return folder.resolve()
        if folder.exists():
            raise DataError(
                Problem("a provider is a folder, not a file", file=name, hint="Name the folder it stands in.")
            )
    except OSError as error:
        raise DataError(Problem(f"the folder {name[:80]!r} cannot be read: {error.strerror}")) from None
    hint = did_you_mean(name, bundled())
    raise DataError(Problem(f"there is no provider {name[:80]!r}, and no such folder", hint=hint))
