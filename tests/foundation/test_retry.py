import threading

import pytest
from django.db import DataError, InterfaceError, OperationalError, transaction

from foundation import sql
from foundation.models import Person
from foundation.retry import is_lost, retried


class TestRetried:
    def test_two_that_deadlock_both_come_through(self, cloned_db, together):
        first, second = (Person.objects.create(name=name) for name in ("a", "b"))
        both_hold_one = threading.Barrier(2)
        tries = []

        def work(number):
            order = [first.id, second.id] if number == 0 else [second.id, first.id]

            @retried
            def result():
                tries.append(number)
                with transaction.atomic(durable=True):
                    for step, person_id in enumerate(order):
                        sql.execute(
                            "UPDATE foundation_person SET name = name || 'x' WHERE id = %s",
                            [person_id],
                        )
                        if step == 0 and len(tries) <= 2:
                            both_hold_one.wait(5)
                return number

            return result

        assert together(2, work) == [0, 1]
        assert len(tries) == 3
        assert set(Person.objects.values_list("name", flat=True)) == {"axx", "bxx"}

    @pytest.mark.django_db
    def test_what_will_not_pass_is_raised_at_once(self):
        calls = []

        def work():
            calls.append(1)
            raise OperationalError("disk is full")

        with pytest.raises(OperationalError, match="disk is full"):
            retried(work)

        assert calls == [1]

    def test_a_part_of_a_transaction_is_not_tried_again(self, cloned_db):
        with transaction.atomic(), pytest.raises(RuntimeError, match="only the whole"):
            retried(lambda: 1)


class TestIsLost:
    def test_blames_the_connection_and_time_and_nothing_else(self):
        assert is_lost(OperationalError("server closed the connection"))
        assert is_lost(InterfaceError("connection already closed"))
        assert not is_lost(DataError("too long"))
        assert not is_lost(None)
