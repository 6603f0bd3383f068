"""What runs under the project's own interpreter: standard library, Celery and redis only, Python 3.10, Celery 5.1.

Of devkit it may import `store` and `model` alone: the rest may need what only another environment has.
"""
