import pytest

from foundation import registries
from foundation.registries import Registry


class TestRegistry:
    def test_keeps_the_order_of_registration(self):
        registry: Registry[int] = Registry("numbers")

        registry.register("two", 2)
        registry.register("one", 1)

        assert registry.items() == (("two", 2), ("one", 1))
        assert list(registry) == [2, 1]

    def test_refuses_another_item_under_a_name_that_is_taken(self):
        registry: Registry[int] = Registry("numbers")
        registry.register("one", 1)

        registry.register("one", 1)
        with pytest.raises(registries.AlreadyRegistered):
            registry.register("one", 2)

        assert registry.get("one") == 1

    def test_says_which_name_is_missing(self):
        with pytest.raises(registries.NotRegistered, match="numbers has no 'nine'"):
            Registry[int]("numbers").get("nine")

    def test_announces_events_to_every_listener_in_order(self, monkeypatch):
        heard: list[tuple[str, str, list[int]]] = []

        def listener(name):
            return lambda *, event, merchant_ids, payload: heard.append((name, event, merchant_ids))

        registry = Registry("lifecycle_listeners")
        monkeypatch.setattr(registries, "lifecycle_listeners", registry)
        registry.register("b", listener("b"))
        registry.register("a", listener("a"))

        registries.announce("approved", merchant_ids=[7], payload={})

        assert heard == [("b", "approved", [7]), ("a", "approved", [7])]
