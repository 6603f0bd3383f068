"""Which package an environment needs to speak to a broker or a result backend."""

import re

# Celery has an extra of the same name.
EXTRAS = (
    "arangodb", "azureblockblob", "cassandra", "consul", "cosmosdbsql", "couchbase", "couchdb", "dynamodb",
    "elasticsearch", "librabbitmq", "mongodb", "s3", "sqs", "zookeeper",
)  # fmt: skip
PACKAGES = {
    **{name: f"celery[{name}]" for name in EXTRAS},
    # What an older Celery asks for may be too old for its kombu.
    **dict.fromkeys(("redis", "rediss", "sentinel"), "celery[redis]' 'kombu[redis]"),
    **dict.fromkeys(("sqla", "sqlalchemy", "db", "database"), "celery[sqlalchemy]"),
    **dict.fromkeys(("django-db", "django-cache"), "django-celery-results"),
    "cache": "celery[pymemcache]",
    "gs": "celery[gcs]",
    "confluentkafka": "confluent-kafka",
}
# Modules that a package of another name brings.
BROUGHT_BY = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
MODULE = re.compile(r"No module named '(\w+)")
OF_DATABASES = ("sqla", "sqlalchemy", "db")
DATABASES = ("postgresql", "postgres", "mysql", "sqlite", "mariadb", "oracle", "mssql")


def mend_lines(python: str, url: str, error: str) -> list[str]:
    """What mends that something is not installed for this interpreter, by what the error says is not there."""
    scheme = url.partition(":")[0].partition("+")[0]
    module = found[1] if (found := MODULE.search(error)) else ""
    if scheme in DATABASES:
        return [f"begin the URL of a database with db+ (result backend) or sqla+ (broker): db+{scheme}://…"]
    if scheme in OF_DATABASES and module not in ("", "sqlalchemy"):  # there is a driver for each kind of them
        package = BROUGHT_BY.get(module, module)
    else:
        package = PACKAGES.get(scheme, "")
    return [f"{python} -m pip install '{package}'"] if package else []
