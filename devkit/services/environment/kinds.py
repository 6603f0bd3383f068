"""What kind of server a compose file's service is, by its image."""

import re
from dataclasses import dataclass

from devkit.settings.evidence.compose import ComposeService


@dataclass(frozen=True)
class Kind:
    """What people call it, the first part of its URLs, and its usual port."""

    title: str
    scheme: str
    port: int


_KINDS = {
    r"redis|valkey|keydb|dragonfly": Kind("Redis", "redis", 6379),
    r"rabbitmq": Kind("RabbitMQ", "amqp", 5672),
    r"postg(?!rest)|pgvector|timescale": Kind("Postgres", "postgresql", 5432),
    r"mysql|mariadb|percona": Kind("MySQL", "mysql", 3306),
    r"mongo": Kind("MongoDB", "mongodb", 27017),
    r"memcached": Kind("memcached", "memcached", 11211),
    r"elasticsearch|opensearch": Kind("Elasticsearch", "http", 9200),
    r"minio": Kind("MinIO", "http", 9000),
    r"kafka|redpanda": Kind("Kafka", "kafka", 9092),
    r"mailhog|mailpit|mailcatcher": Kind("the mail catcher", "smtp", 1025),
    r"localstack": Kind("LocalStack", "http", 4566),
    r"mssql": Kind("SQL Server", "mssql", 1433),
    r"clickhouse": Kind("ClickHouse", "http", 8123),
    r"qdrant": Kind("Qdrant", "http", 6333),
    r"neo4j": Kind("Neo4j", "bolt", 7687),
    r"nats": Kind("NATS", "nats", 4222),
}
_ASIDE = re.compile(r"commander|exporter|insight|admin|express|backup|-ui\b", re.IGNORECASE)


def kind_of(service: ComposeService) -> Kind | None:
    """None for one of another kind, also where that only looks at such a server: postgres-exporter."""
    image = service.image.partition("@")[0].rpartition(":")[0] or service.image
    if _ASIDE.search(image):
        return None
    return next((kind for name, kind in _KINDS.items() if re.search(name, image.lower())), None)
