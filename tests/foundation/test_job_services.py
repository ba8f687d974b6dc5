import pytest

from config.errors import NotFound
from foundation import actor, sql
from foundation.models import Job
from foundation.services import job as jobs


@pytest.mark.django_db
class TestStart:
    def test_says_who_started_what(self):
        with actor.acting("system:import", "request-7"):
            job = jobs.start("import", "payments.csv", 100, {"file": 7})

        assert (job.state, job.total, job.done, job.fence) == ("RUNNING", 100, 0, 1)
        assert (job.actor, job.request_id, job.params) == (
            "system:import",
            "request-7",
            {"file": 7},
        )

    def test_refuses_a_second_one_while_the_first_is_alive(self):
        jobs.start("import", "payments.csv", 100)

        with pytest.raises(jobs.JobRunning):
            jobs.start("import", "payments.csv", 100)

        jobs.start("import", "refunds.csv", 1)

    def test_starts_anew_after_the_end(self):
        first = jobs.start("import", "payments.csv", 100)
        jobs.finish(first.id, "100 rows")

        second = jobs.start("import", "payments.csv", 50)

        assert second.id != first.id

    def test_takes_over_what_a_dead_process_left_and_shuts_it_out(self):
        dead = jobs.start("import", "payments.csv", 100)
        jobs.advance(dead.id, 40, fence=dead.fence)
        sql.execute("UPDATE foundation_job SET lease_expires_at = now() - interval '1 second'")

        taken = jobs.start("import", "payments.csv", 100)

        assert (taken.id, taken.done, taken.fence) == (dead.id, 40, 2)
        with pytest.raises(jobs.JobLost):
            jobs.advance(dead.id, 60, fence=dead.fence)
        with pytest.raises(jobs.JobLost):
            jobs.finish(dead.id, fence=dead.fence)
        jobs.finish(taken.id, fence=taken.fence)
        assert Job.objects.get().state == "DONE"


class TestRace:
    def test_lets_one_of_eight_processes_run(self, cloned_db, together):
        def attempt(_number):
            try:
                return jobs.start("import", "payments.csv").fence
            except jobs.JobRunning:
                return None

        assert sorted(together(8, attempt), key=str) == [1, *[None] * 7]


@pytest.mark.django_db
class TestProgress:
    def test_never_goes_back_and_keeps_the_job_alive(self):
        job = jobs.start("import", "payments.csv", 100, lease_seconds=10)
        sql.execute("UPDATE foundation_job SET lease_expires_at = now()")

        jobs.advance(job.id, 60)
        jobs.advance(job.id, 50)
        jobs.add(job.id, 5)

        job.refresh_from_db()
        assert job.done == 65
        assert job.lease_expires_at > job.updated_at

    def test_of_an_ended_job_is_refused(self):
        job = jobs.start("import", "payments.csv", 100)
        jobs.fail(job.id, "row 7: no such merchant")

        with pytest.raises(jobs.JobLost):
            jobs.advance(job.id, 1)

        job.refresh_from_db()
        assert (job.state, job.message) == ("FAILED", "row 7: no such merchant")
        assert job.finished_at is not None


@pytest.mark.django_db
class TestCancel:
    def test_asks_the_runner_who_then_ends_it(self):
        job = jobs.start("import", "payments.csv", 100)
        assert not jobs.cancel_requested(job.id)

        jobs.request_cancel(job.id)

        assert jobs.cancel_requested(job.id)
        jobs.cancel(job.id, "stopped at 40")
        assert Job.objects.get().state == "CANCELLED"
        with pytest.raises(NotFound):
            jobs.request_cancel(job.id)
