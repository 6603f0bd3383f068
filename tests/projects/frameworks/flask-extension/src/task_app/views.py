from flask import Blueprint, request

from . import tasks

bp = Blueprint("tasks", __name__, url_prefix="/tasks")


@bp.post("/add")
def add() -> dict[str, object]:
    result = tasks.add.delay(request.form.get("a", type=int), request.form.get("b", type=int))
    return {"result_id": result.id}
