"""``tasktwin new``: from a document to a folder that is right and can be served, or to a clear no and nothing at all."""

import json
import re
from pathlib import Path

import pytest
import yaml
from tests.npm import ROOT

from tasktwin import Twin, load
from tasktwin.errors import DataError, MisuseError
from tasktwin.provider.check import check_provider
from tasktwin.provider.scaffold import make_folder
from tasktwin.wire import Json

PETSTORE = Path(__file__).parent / "petstore.yaml"
CORPUS = sorted((ROOT / "tests/contract/corpus").glob("*.yaml"))
BUNDLED = sorted((ROOT / "fixtures").glob("*/openapi.yaml"))


def document(folder: Path, value: Json, name: str = "api.json") -> str:
    """A document in a file of its own."""
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return str(path)


def petstore(**changes: Json) -> Json:
    return {**yaml.safe_load(PETSTORE.read_text(encoding="utf-8")), **changes}


@pytest.mark.parametrize("path", [PETSTORE, *BUNDLED, *CORPUS], ids=lambda path: path.parent.name + "-" + path.stem)
def test_a_folder_can_be_served(tmp_path: Path, path: Path) -> None:
    made = make_folder(str(tmp_path / "api"), str(path))
    assert Twin(made.provider).request("GET", "/nowhere").status in (307, 404)
    assert (tmp_path / "api" / "openapi.yaml").read_text(encoding="utf-8") == path.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["api"]


def test_what_was_inferred_is_written_out_and_told(tmp_path: Path) -> None:
    made = make_folder(str(tmp_path / "pets"), str(PETSTORE))
    assert not load(str(tmp_path / "pets")).inferred
    assert "\n".join(made.told()).splitlines() == [
        f"{tmp_path}/pets: Petstore",
        "  collections   pet, order",
        "  operations    listPets (list), addPet (create), getPet (read), deletePet (delete), placeOrder (create), getOrder (read)",
        "  not modelled  uploadPhoto",
        "  first rows    pet, order",
        "Next:",
        f"  tasktwin check {tmp_path}/pets",
        f"  tasktwin serve {tmp_path}/pets",
        f"  and say more in {tmp_path}/pets/provider.yaml: it tells how",
    ]
    text = (tmp_path / "pets" / "provider.yaml").read_text(encoding="utf-8")
    assert "  pet: {schema: Pet, id: {make: number}}\n" in text
    assert "  getPet: {verb: read, collection: pet, row: $request.path.petId}\n" in text
    assert "  # uploadPhoto: POST /pets/{petId}/photo\n" in text


def test_its_rows_are_there_and_more_can_be_made(tmp_path: Path) -> None:
    with Twin(make_folder(str(tmp_path / "pets"), str(PETSTORE)).provider) as twin:
        (pet,) = twin.request("GET", "/v3/pets", headers={"api_key": "x"}).json()
        assert pet == {
            "id": 1, "name": "doggie", "category": {"name": "Dogs"}, "photoUrls": [], "status": "available",
        }  # fmt: skip
        sent = {"name": "Tom", "photoUrls": []}
        made = twin.request("POST", "/v3/pets", json=sent, headers={"api_key": "x"})
        assert (made.status, made.json()["id"]) == (201, 2)
        assert twin.request("GET", "/v3/pets/2", headers={"api_key": "x"}).json()["name"] == "Tom"


def test_a_row_that_only_a_generator_finds_is_there_and_one_that_none_finds_is_told(tmp_path: Path) -> None:
    whole = petstore()
    whole["components"]["schemas"]["Order"]["properties"]["code"] = {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"}
    whole["components"]["schemas"]["Pet"]["properties"]["name"] = {"type": "string", "pattern": "a", "maxLength": 0}
    made = make_folder(str(tmp_path / "pets"), document(tmp_path, whole))
    assert made.rows == ("order",)
    assert "  no row of     pet: write one into" in "\n".join(made.told())
    assert "# No row of pet could be made up.\n" in (tmp_path / "pets/seeds/default.yaml").read_text(encoding="utf-8")


def test_editors_find_the_schemas_that_the_files_name(tmp_path: Path) -> None:
    make_folder(str(tmp_path / "pets"), str(PETSTORE))
    for name in ("provider.yaml", "seeds/default.yaml"):
        path = tmp_path / "pets" / name
        found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text(encoding="utf-8"))
        assert found
        assert json.loads((path.parent / found[1]).read_text(encoding="utf-8"))["$schema"]


@pytest.mark.parametrize("key", ["errors", "paging", "lifecycles"])
def test_what_a_comment_shows_is_right_once_it_is_no_comment(tmp_path: Path, key: str) -> None:
    make_folder(str(tmp_path / "pets"), str(PETSTORE))
    path = tmp_path / "pets" / "provider.yaml"
    text = path.read_text(encoding="utf-8")
    (shown,) = re.findall(rf"^# {key}:\n(?:#  .*\n)+", text, re.MULTILINE)
    path.write_text(text.replace(shown, re.sub(r"^# ", "", shown, flags=re.MULTILINE)), encoding="utf-8")
    assert check_provider(str(tmp_path / "pets")).errors == []
    assert load(str(tmp_path / "pets")).data[key]


def test_json_becomes_yaml_that_means_the_same(tmp_path: Path) -> None:
    odd = {
        "title": "Pets 🐶",
        "version": "1.0",
        "description": "no: 0o7 # 1e3\n  two\nlines ",
        "x-y": ["1e3", "-", "~", "on", ""],
    }
    source = document(tmp_path, petstore(info=odd))
    assert "\\ud83d" in Path(source).read_text(encoding="utf-8"), "as Python writes it, which is no YAML"
    make_folder(str(tmp_path / "pets"), source)
    assert load(str(tmp_path / "pets")).rules.contract.document == petstore(info=odd)


def test_a_document_in_several_files_becomes_one(tmp_path: Path) -> None:
    whole = petstore()
    schemas = json.dumps(whole["components"].pop("schemas")).replace("#/components/schemas/", "#/")
    document(tmp_path, schemas, "schemas.json")
    whole["components"]["schemas"] = {name: {"$ref": f"schemas.json#/{name}"} for name in ("Pet", "Order")}
    made = make_folder(str(tmp_path / "pets"), document(tmp_path, whole))
    assert sorted(each.name for each in (tmp_path / "pets").glob("*.*")) == [
        ".tasktwin",
        "openapi.yaml",
        "provider.yaml",
    ]
    assert made.rows == ("pet", "order")


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    make_folder(str(tmp_path / "pets"), str(PETSTORE))
    assert check_provider(str(tmp_path / "pets")).errors == []


def test_a_folder_called_like_a_bundled_provider_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="uumit is the name of a bundled provider"):
        make_folder(str(tmp_path / "uumit"), str(PETSTORE))


@pytest.mark.parametrize("there", ["folder", "file"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, there: str) -> None:
    path = tmp_path / "pets"
    if there == "folder":
        path.mkdir()
        path = path / "mine.txt"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(MisuseError, match="nothing is ever overwritten"):
        make_folder(str(tmp_path / "pets"), str(PETSTORE))
    assert path.read_text(encoding="utf-8") == "mine"


REMOTE = {"$ref": "https://example.com/pets.yaml#/Pet"}
WRONG: dict[str, tuple[Json, str]] = {
    "no-document": ("- 1", "an OpenAPI document is a mapping"),
    "text": ("hello", "an OpenAPI document is a mapping"),
    "broken": ("a: [", "this is no YAML"),
    "swagger-2": ({"swagger": "2.0", "info": {}, "paths": {}}, "not an OpenAPI document of a known version"),
    "remote": (
        petstore(components={"schemas": {"Pet": REMOTE, "Order": REMOTE}}),
        "remote documents are never fetched",
    ),
    "missing-file": ({"openapi": "3.1.0", "x": {"$ref": "other.yaml"}}, "leads to no file"),
    "outside": ({"openapi": "3.1.0", "x": {"$ref": "../../../etc/passwd"}}, "leads out of the folder"),
    "dangling": (petstore(components={}), "components"),
    "invalid": (petstore(info={}), "title"),
}


@pytest.mark.parametrize(("value", "says"), WRONG.values(), ids=WRONG)
def test_what_is_no_right_document_is_told_of_its_own_file_and_leaves_nothing(
    tmp_path: Path, value: Json, says: str
) -> None:
    source = document(tmp_path, value)
    with pytest.raises(DataError, match=says) as caught:
        make_folder(str(tmp_path / "pets"), source)
    assert {each.file for each in caught.value.problems} == {source}
    assert [each.name for each in tmp_path.iterdir()] == ["api.json"]


def test_a_document_that_is_not_there_and_a_place_that_is_not_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nix\.yaml: the file cannot be read: No such file or directory"):
        make_folder(str(tmp_path / "pets"), str(tmp_path / "nix.yaml"))
    with pytest.raises(MisuseError, match=r"there is no folder .*/a/b"):
        make_folder(str(tmp_path / "a/b/pets"), str(PETSTORE))
    assert [*tmp_path.iterdir()] == []
