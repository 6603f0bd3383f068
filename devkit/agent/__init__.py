"""What runs under the project's own interpreter: standard library and Celery only, Python 3.10, Celery 5.3.

Nothing here may import the rest of devkit, which may be installed in another environment altogether.
"""
