SECRET_KEY = "x"
DEBUG = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["films"]
ROOT_URLCONF = "cinema.urls"
