#!/bin/sh
exec uvicorn gallery.main:api --host 0.0.0.0 --port 8000
