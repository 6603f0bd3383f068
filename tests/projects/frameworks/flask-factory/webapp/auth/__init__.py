from flask import Blueprint

auth = Blueprint("auth", __name__)


@auth.route("/ping")
def ping():
    return "pong"
