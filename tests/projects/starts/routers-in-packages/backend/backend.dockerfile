FROM tiangolo/uvicorn-gunicorn-fastapi:python3.11
WORKDIR /app/
COPY ./app /app
ENV PYTHONPATH=/app
