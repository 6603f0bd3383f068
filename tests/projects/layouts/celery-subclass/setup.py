from setuptools import find_packages, setup

setup(name="bakery", version="0.3", packages=find_packages(), install_requires=["celery[redis]"])
