from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import NotFound
from eclair.schema.images import GeneratedImage
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from tests.storage.helpers import SOMEONE, turn
from tests.support import Ids, conversation

IMAGE = GeneratedImage(
    id="pic_a",
    owner="local",
    conversation=None,
    created=5,
    prompt="A croissant in Zürich",
    model="flux",
    media="image/png",
    width=64,
    height=48,
    size=1_000,
    blob="blob_a",
    thumbnail="thumb_a",
    seed=7,
    steps=20,
    guidance=3.5,
    style="photo",
    negative="rain",
    source="file_a",
    milliseconds=12.5,
    revised_prompt="A fresh croissant.",
)


def numbered(number: int, prompt: str = "A croissant") -> GeneratedImage:
    blobs = {"blob": f"blob_{number}", "thumbnail": f"thumb_{number}"}
    return replace(IMAGE, id=f"pic_{number}", prompt=prompt, **blobs)


async def test_an_image_reads_back_as_it_was_and_only_to_its_owner(storage: Storage) -> None:
    plain = GeneratedImage("pic_b", "someone", None, 6, "x", "flux", "image/png", 1, 1, 1, "blob_b", "thumb_b")
    await storage.images.add_image(LOCAL_PRINCIPAL, IMAGE)
    await storage.images.add_image(SOMEONE, plain)
    assert await storage.images.get_image(LOCAL_PRINCIPAL, "pic_a") == IMAGE
    assert (await storage.images.list_images(LOCAL_PRINCIPAL, 9)).pictures == [IMAGE]
    assert (await storage.images.list_images(SOMEONE, 9)).pictures == [plain]
    for id in ("pic_a", "pic_none"):
        with pytest.raises(NotFound):
            await storage.images.get_image(SOMEONE, id)
        with pytest.raises(NotFound):
            await storage.images.delete_image(SOMEONE, id)
    assert await storage.images.get_image(LOCAL_PRINCIPAL, "pic_a") == IMAGE


async def test_images_are_listed_by_pages_newest_first(storage: Storage) -> None:
    for number in range(5):
        await storage.images.add_image(LOCAL_PRINCIPAL, numbered(number))
    first = await storage.images.list_images(LOCAL_PRINCIPAL, 3)
    assert [image.id for image in first.pictures] == ["pic_4", "pic_3", "pic_2"]
    assert first.next is not None
    rest = await storage.images.list_images(LOCAL_PRINCIPAL, 3, before=first.next)
    assert ([image.id for image in rest.pictures], rest.next) == (["pic_1", "pic_0"], None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ["pic_2", "pic_1", "pic_0"]),
        ("croissant", ["pic_2", "pic_0"]),
        ("CROISS", ["pic_2", "pic_0"]),
        ("croissant red", ["pic_2"]),
        ("zurich", ["pic_0"]),
        ("harbor", []),
        ("?!", []),
    ],
)
async def test_images_are_found_by_the_words_of_their_prompt(storage: Storage, words: str, expected: list[str]) -> None:
    for number, prompt in enumerate(("A croissant in Zürich", "A boat", "A red croissant")):
        await storage.images.add_image(LOCAL_PRINCIPAL, numbered(number, prompt))
    await storage.images.add_image(SOMEONE, numbered(3, "A red croissant in a boat"))
    found = await storage.images.list_images(LOCAL_PRINCIPAL, 9, words=words)
    assert [image.id for image in found.pictures] == expected


async def test_an_image_belongs_to_a_message_of_its_owners_conversation(storage: Storage) -> None:
    await conversation(storage)
    await conversation(storage, "conv_b")
    ids = Ids()
    run = await turn(storage, ids)
    elsewhere = await turn(storage, ids, where="conv_b")
    image = replace(IMAGE, conversation="conv_a")
    for principal, added, message in (
        (SOMEONE, image, run.message),
        (LOCAL_PRINCIPAL, image, "msg_none"),
        (LOCAL_PRINCIPAL, image, elsewhere.message),
        (LOCAL_PRINCIPAL, replace(image, conversation="conv_none"), None),
    ):
        with pytest.raises(NotFound):
            await storage.images.add_image(principal, added, message)
    await storage.images.add_image(LOCAL_PRINCIPAL, image, run.message)
    await storage.conversations.delete_message(LOCAL_PRINCIPAL, "conv_a", run.message)
    with pytest.raises(NotFound):
        await storage.images.get_image(LOCAL_PRINCIPAL, "pic_a")
    assert await storage.images.list_blobs() == set()


async def test_an_image_is_hidden_restored_and_erased_with_its_conversation(storage: Storage) -> None:
    await conversation(storage)
    await storage.images.add_image(LOCAL_PRINCIPAL, replace(IMAGE, conversation="conv_a"))
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a")
    with pytest.raises(NotFound):
        await storage.images.get_image(LOCAL_PRINCIPAL, "pic_a")
    assert (await storage.images.list_images(LOCAL_PRINCIPAL, 9)).pictures == []
    assert await storage.images.list_orphaned_blobs() == []
    await storage.conversations.restore_conversation(LOCAL_PRINCIPAL, "conv_a", 0)
    assert (await storage.images.get_image(LOCAL_PRINCIPAL, "pic_a")).conversation == "conv_a"
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    await storage.conversations.erase_deleted(1)
    assert sorted(await storage.images.list_orphaned_blobs()) == ["blob_a", "thumb_a"]


async def test_blobs_are_orphaned_once_no_image_has_them(storage: Storage) -> None:
    await storage.images.add_image(LOCAL_PRINCIPAL, IMAGE)
    await storage.images.add_image(SOMEONE, replace(IMAGE, id="pic_b", owner="someone", thumbnail="thumb_b"))
    assert await storage.images.list_blobs() == {"blob_a", "thumb_a", "thumb_b"}
    await storage.images.delete_image(LOCAL_PRINCIPAL, "pic_a")
    assert await storage.images.list_orphaned_blobs() == ["thumb_a"]
    assert await storage.images.list_blobs() == {"blob_a", "thumb_b"}
    await storage.images.forget_blobs(["thumb_a"])
    assert await storage.images.list_orphaned_blobs() == []
    await storage.images.delete_image(SOMEONE, "pic_b")
    assert sorted(await storage.images.list_orphaned_blobs()) == ["blob_a", "thumb_b"]
    assert await storage.images.list_blobs() == set()
