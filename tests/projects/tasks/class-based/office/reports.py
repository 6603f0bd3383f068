from celery import Task

from office.celery_app import app


class Report(Task):
    name = "office.report"

    def run(self, month):
        self.check(month)
        return f"report of {month}"

    def check(self, month):
        if len(month) > 9:
            raise ValueError(f"no month {month}")


Report = app.register_task(Report())
