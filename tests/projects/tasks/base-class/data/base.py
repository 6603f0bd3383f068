import logging

import celery

log = logging.getLogger(__name__)


class DatabaseTask(celery.Task):
    abstract = True
    _db = None

    @property
    def db(self):
        if self._db is None:
            self._db = "db"
        return self._db

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        log.error("%s failed: %s", self.name, exc)

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        log.info("%s: %s", self.name, status)
