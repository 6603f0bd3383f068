"""Which package an environment needs: to have a module, or to speak to a broker or a result backend."""

import re

from devkit.services.project.install import pip

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
# Modules that a package of another name brings; the first one is what to install.
BROUGHT_BY = {
    module: tuple(packages.split("|"))
    for module, packages in (
        line.split()
        for line in """
        psycopg psycopg[binary]
        psycopg2 psycopg2-binary|psycopg2
        MySQLdb mysqlclient
        mysql mysql-connector-python
        yaml PyYAML
        dotenv python-dotenv
        decouple python-decouple
        environ django-environ
        jwt PyJWT
        jose python-jose[cryptography]
        multipart python-multipart
        slugify python-slugify|unicode-slugify
        magic python-magic
        dateutil python-dateutil
        socketio python-socketio
        engineio python-engineio
        telegram python-telegram-bot
        docx python-docx
        pptx python-pptx
        ldap python-ldap
        pythonjsonlogger python-json-logger
        cv2 opencv-python-headless|opencv-python|opencv-contrib-python|opencv-contrib-python-headless
        sklearn scikit-learn
        skimage scikit-image
        PIL Pillow
        fitz PyMuPDF
        faiss faiss-cpu|faiss-gpu
        bs4 beautifulsoup4
        attr attrs
        serial pyserial
        zmq pyzmq
        nacl PyNaCl
        Crypto pycryptodome
        OpenSSL pyOpenSSL
        git GitPython
        github PyGithub
        pkg_resources setuptools<81
        distutils setuptools
        rest_framework djangorestframework
        rest_framework_simplejwt djangorestframework-simplejwt
        corsheaders django-cors-headers
        allauth django-allauth
        crispy_forms django-crispy-forms
        debug_toolbar django-debug-toolbar
        import_export django-import-export
        storages django-storages
        """.strip().splitlines()
    )
}
NAMESPACES = ("google.cloud", "azure")  # whose packages are called like their modules
MODULE = re.compile(r"No module named '(\w+)")
OF_DATABASES = ("sqla", "sqlalchemy", "db")
DATABASES = ("postgresql", "postgres", "mysql", "sqlite", "mariadb", "oracle", "mssql")


def packages_of(module: str) -> tuple[str, ...]:
    """Those that may bring the module, as pip knows them; the first one is what to install."""
    for space in NAMESPACES:
        if module.startswith(f"{space}."):
            return ("-".join(module.split(".")[: space.count(".") + 2]),)
    top = module.partition(".")[0]
    return BROUGHT_BY.get(top, (top,))


def mend_lines(python: str, url: str, error: str) -> list[str]:
    """What mends that something is not installed for this interpreter, by what the error says is not there."""
    scheme = url.partition(":")[0].partition("+")[0]
    module = found[1] if (found := MODULE.search(error)) else ""
    if scheme in DATABASES:
        return [f"begin the URL of a database with db+ (result backend) or sqla+ (broker): db+{scheme}://…"]
    if scheme in OF_DATABASES and module not in ("", "sqlalchemy"):  # there is a driver for each kind of them
        package = packages_of(module)[0]
    else:
        package = PACKAGES.get(scheme, "")
    return [f"{pip(python)} '{package}'"] if package else []
