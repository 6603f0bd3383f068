"""Which package is missing."""

import pytest

from devkit.services.project.packages import mend_lines


@pytest.mark.parametrize(
    ("url", "error", "package"),
    [
        ("redis://localhost", "No module named 'packaging'", "celery[redis]' 'kombu[redis]"),
        ("sentinel://localhost", "redis-py 6.1 is required", "celery[redis]' 'kombu[redis]"),
        ("sqs://", "No module named 'botocore'", "celery[sqs]"),
        ("sqla+sqlite:///x", "No module named 'sqlalchemy'", "celery[sqlalchemy]"),
        ("db+postgresql://db/x", "No module named 'psycopg2'", "psycopg2-binary"),
        ("db+mysql://db/x", "No module named 'MySQLdb'", "mysqlclient"),
        ("db+oracle://db/x", "No module named 'oracledb'", "oracledb"),
        ("django-db", "Unknown result backend: 'django-db'", "django-celery-results"),
        ("mongodb://db/x", "You need to install the pymongo library", "celery[mongodb]"),
    ],
)
def test_by_the_url_and_what_is_not_there(url: str, error: str, package: str) -> None:
    assert mend_lines("python", url, error) == [f"python -m pip install '{package}'"]


def test_what_no_package_mends() -> None:
    assert mend_lines("python", "nosuch://", "No such transport: nosuch") == []
    (line,) = mend_lines("python", "postgresql://user:secret@db/x", "Unknown result backend: 'postgresql'")
    assert "db+postgresql://" in line
    assert "secret" not in line
